"""Fixtures for the tests that run the whole service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.models import catalogue
from tests.support.delegate import StandIn, add_model
from tests.support.systemd import Systemd


@pytest.fixture
def home(tmp_path: Path, standin: StandIn) -> dict[str, str]:
    """Environment variables for the stand-in and its model: a copy of posenet, whose first operation it runs."""
    add_model(tmp_path / "data", "tpu", catalogue.read("posenet").content, (353, 481))
    return {
        "EDGE_POSE_INFERENCE__LIBRARY": str(standin.library),
        "STANDIN_PLAN": str(standin.plan),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(tmp_path)
    yield systemd
    systemd.close()
