"""Fixtures that more than one test file uses."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import delegate
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


@pytest.fixture(scope="session")
def standin_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in for libedgetpu."""
    if delegate.COMPILER is None:
        pytest.skip("NO C COMPILER for the stand-in of libedgetpu: do apt-get install gcc libc6-dev")
    return delegate.build(tmp_path_factory.mktemp("delegate"))


@pytest.fixture
def standin(standin_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> delegate.StandIn:
    """A stand-in that works until it is told otherwise."""
    standin = delegate.StandIn(standin_library, tmp_path / "plan")
    monkeypatch.setenv("STANDIN_PLAN", str(standin.plan))
    return standin
