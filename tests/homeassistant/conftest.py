"""Fixtures of the tests with a real Home Assistant: one for all tests, on one broker."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homeassistant.folder import make_folder
from tests.homeassistant.home_assistant import HomeAssistant
from tests.support.brokers import Mosquitto, free_port

PROGRAM = os.environ.get("EDGE_POSE_HOMEASSISTANT")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mosquitto, HomeAssistant]]:
    """A broker, and a Home Assistant that is connected to it."""
    if PROGRAM is None:
        pytest.skip("NO HOME ASSISTANT: that needs root and debootstrap, and make test-homeassistant")
    broker = Mosquitto(tmp_path_factory.mktemp("broker")).start()
    folder = make_folder(tmp_path_factory.mktemp("homeassistant"), free_port(), broker.port)
    home_assistant = HomeAssistant(Path(PROGRAM), folder)
    try:
        yield broker, home_assistant.start()
    finally:
        home_assistant.stop()
        broker.stop()


@pytest.fixture
def broker(running: tuple[Mosquitto, HomeAssistant]) -> Mosquitto:
    return running[0]


@pytest.fixture
def accepted() -> list[str]:
    """Regular expressions for the warnings and errors that a test causes on purpose."""
    return []


@pytest.fixture
def home_assistant(running: tuple[Mosquitto, HomeAssistant], accepted: list[str]) -> Iterator[HomeAssistant]:
    """The running Home Assistant. The test fails if it logs a warning or an error that is not accepted."""
    home_assistant = running[1]
    if not home_assistant.is_running:  # a test has failed before it started it again
        home_assistant.start()
    start = home_assistant.folder.log.stat().st_size
    yield home_assistant
    home_assistant.load_automations("[]\n")
    assert [
        record
        for record in home_assistant.log(start)
        if not any(re.search(pattern, record.text) for pattern in accepted)
    ] == []
    assert [issue for issue in home_assistant.issues() if issue.startswith("mqtt.")] == []
