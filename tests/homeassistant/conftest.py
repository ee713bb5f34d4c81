"""Fixtures of the tests with a real Home Assistant: one for all tests, on one broker."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import HOME
from edge.mqtt.access_list import access_list
from tests.homeassistant.device import Device
from tests.homeassistant.folder import make_folder
from tests.homeassistant.hall import Hall
from tests.homeassistant.home_assistant import HomeAssistant
from tests.support.brokers import Mosquitto, accepts_connections, free_port, mosquitto_sub
from tests.support.logins import PASSWORD, settings

PROGRAM = os.environ.get("EDGE_POSE_HOMEASSISTANT")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With Home Assistant, run only the tests that use it. `make test` runs the others."""
    if PROGRAM is None:
        return
    others = [item for item in items if isinstance(item, pytest.Function) and "running" not in item.fixturenames]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mosquitto, HomeAssistant]]:
    """A broker, and a Home Assistant that is connected to it and has the rights of the installer's login `home`."""
    if PROGRAM is None:
        pytest.skip("NO HOME ASSISTANT: that needs root and debootstrap, and make test-homeassistant")
    place = tmp_path_factory.mktemp("broker")
    rules = access_list("", []) + f"user {HOME}\ntopic readwrite demo/#\n"  # some tests announce a device themselves
    broker = Mosquitto(place, settings(place, rules, HOME, anonymous=True)).start()
    folder = make_folder(tmp_path_factory.mktemp("homeassistant"), free_port(), broker.port, (HOME, PASSWORD))
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
    broker, home_assistant = running
    if not accepts_connections(broker.port):  # a test has failed before it started it again
        broker.start()
    if not home_assistant.is_running:
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


@pytest.fixture
def hall(home_assistant: HomeAssistant, broker: Mosquitto, accepted: list[str], tmp_path: Path) -> Iterator[Hall]:
    """The sensor of the documentation's examples, online, in an empty room."""
    with mosquitto_sub(broker.port, "edge-pose/hall/request/#", tmp_path / "requests", "-v") as requests:
        hall = Hall(home_assistant, broker, requests)
        hall.start()
        yield hall
        accepted.append("No device components to cleanup")  # version 2026.2 logs it when a device is removed
        hall.remove()


@pytest.fixture
def device(
    home_assistant: HomeAssistant, broker: Mosquitto, accepted: list[str], tmp_path: Path, numbers: Iterator[int]
) -> Iterator[Device]:
    """A sensor that has not been started. After the test, it is removed."""
    device = Device(f"room{next(numbers)}", home_assistant, broker, tmp_path)
    yield device
    device.stop()
    accepted.append("No device components to cleanup")  # version 2026.2 logs it when a device is removed
    device.remove()


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)
