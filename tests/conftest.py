"""Fixtures that more than one test file uses."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.brokers import MOSQUITTO, Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Start a mosquitto with these settings, as often as wanted."""
    if MOSQUITTO is None:
        pytest.skip("MOSQUITTO IS NOT INSTALLED: do apt-get install mosquitto")
    with ExitStack() as stack:

        def start(*settings: str) -> Mosquitto:
            broker = Mosquitto(tmp_path, settings or ("allow_anonymous true",)).start()
            stack.callback(broker.stop)
            return broker

        yield start


@pytest.fixture(scope="session")
def coral() -> Path:
    """Coral's pictures, models and references, which are not ours to ship."""
    folder = Path(os.environ.get("EDGE_POSE_DATA", Path(__file__).parents[2] / "shared/data")) / "coral"
    if not folder.is_dir():
        pytest.skip(f"NO REFERENCE DATA in {folder}: name another folder with EDGE_POSE_DATA")
    return folder
