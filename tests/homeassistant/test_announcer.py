"""When the discovery message is published, with a fake publisher."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.config import Config
from edge.homeassistant.announcer import LONGEST_WAIT_S, REMOVAL_S, Announcer
from edge.homeassistant.discovery import Hardware, discovery_message
from edge.mqtt.topics import ONLINE
from edge.types import Message
from tests.homeassistant.configs import BED, config_with

MACHINE = Hardware("x86_64", "CPU", "")
BED_ENTITIES = {"zone_event", "zone_bed_occupancy", "zone_bed_people"}


class FakePublisher:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.connection = SimpleNamespace(connected=False)
        self.retained: list[Message] = []
        self.kept: list[Message] = []

    def publish_retained(self, message: Message) -> None:
        self.retained.append(message)

    def publish_kept(self, message: Message) -> None:
        self.kept.append(message)


class House:
    """Starts the announcer of one device again and again, with a clock that is set by hand."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.now_s = 100.0
        self.wait_s = 3.0

    def start(self, config: Config) -> tuple[Announcer, FakePublisher]:
        publisher: Any = FakePublisher()
        announcer = Announcer(
            config, MACHINE, publisher, memory_file=self.file, monotonic=lambda: self.now_s, wait_s=lambda: self.wait_s
        )
        announcer.start()
        return announcer, publisher

    def connect(self, announcer: Announcer, publisher: FakePublisher) -> None:
        """The broker is there for long enough to delete what is gone."""
        publisher.connection.connected = True
        announcer.tick()
        self.now_s += REMOVAL_S
        announcer.tick()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state/hall.home_assistant.json")


def removed(message: Message) -> set[str]:
    """The entities that a message deletes."""
    return {key for key, one in json.loads(message.payload)["components"].items() if set(one) == {"platform"}}


def test_the_device_is_announced_at_the_start(house: House) -> None:
    _, publisher = house.start(config_with())
    assert publisher.retained == [discovery_message(config_with(), MACHINE)]
    assert publisher.kept == []


def test_a_second_start_announces_the_same_and_writes_nothing(house: House) -> None:
    house.start(config_with())
    written = house.file.stat().st_mtime_ns
    _, publisher = house.start(config_with())
    assert publisher.retained == [discovery_message(config_with(), MACHINE)]
    assert house.file.stat().st_mtime_ns == written


def test_entities_that_are_gone_are_deleted_and_then_left_out(house: House) -> None:
    house.start(config_with(zones=[BED]))
    announcer, publisher = house.start(config_with())
    publisher.connection.connected = True
    announcer.tick()
    house.now_s += REMOVAL_S - 0.1
    announcer.tick()
    assert [removed(message) for message in publisher.retained] == [BED_ENTITIES]
    house.now_s += 0.2
    announcer.tick()
    announcer.tick()
    assert publisher.retained[1:] == [discovery_message(config_with(), MACHINE)]


def test_the_deletion_waits_for_the_broker(house: House) -> None:
    house.start(config_with(zones=[BED]))
    announcer, publisher = house.start(config_with())
    for connected in (False, True, False, True):
        publisher.connection.connected = connected
        announcer.tick()
        house.now_s += 0.75 * REMOVAL_S
    assert [removed(message) for message in publisher.retained] == [BED_ENTITIES]


def test_a_deletion_that_did_not_reach_the_broker_is_repeated_at_the_next_start(house: House) -> None:
    house.start(config_with(zones=[BED]))
    house.start(config_with())
    _, publisher = house.start(config_with())
    assert removed(publisher.retained[0]) == BED_ENTITIES


def test_after_a_deletion_the_entities_are_forgotten(house: House) -> None:
    house.start(config_with(zones=[BED]))
    house.connect(*house.start(config_with()))
    _, publisher = house.start(config_with())
    assert removed(publisher.retained[0]) == set()


def test_a_rule_that_is_switched_off_in_the_file_is_deleted(house: House) -> None:
    house.start(config_with())
    _, publisher = house.start(config_with(gestures={"enabled": False}))
    assert removed(publisher.retained[0]) == {"gesture_event", "gesture_detection"}


def test_after_home_assistant_has_started_everything_is_published_again_but_not_at_once(house: House) -> None:
    announcer, _ = house.start(config_with())
    assert not announcer.tick()
    announcer.birth(ONLINE)
    house.now_s += 2.9
    assert not announcer.tick()
    house.now_s += 0.2
    assert announcer.tick()
    assert not announcer.tick()


def test_home_assistant_going_offline_is_no_start(house: House) -> None:
    announcer, _ = house.start(config_with())
    announcer.birth(b"offline")
    house.now_s += 10
    assert not announcer.tick()


def test_the_wait_is_random_and_at_most_five_seconds(tmp_path: Path) -> None:
    now_s = 0.0
    publisher: Any = FakePublisher()
    announcer = Announcer(config_with(), MACHINE, publisher, memory_file=tmp_path / "file", monotonic=lambda: now_s)
    waits = set()
    for _ in range(20):
        started_s = now_s
        announcer.birth(ONLINE)
        while not announcer.tick():
            now_s += 0.1
        waits.add(round(now_s - started_s, 1))
    assert max(waits) <= LONGEST_WAIT_S + 0.1
    assert len(waits) > 5


def test_switched_off_it_announces_nothing(house: House) -> None:
    announcer, publisher = house.start(config_with(home_assistant={"enabled": False}))
    announcer.birth(ONLINE)
    house.now_s += 10
    assert not announcer.tick()
    assert publisher.retained == publisher.kept == []


def test_a_device_that_was_announced_is_deleted_when_that_is_switched_off(house: House) -> None:
    house.start(config_with())
    off = config_with(home_assistant={"enabled": False})
    for _ in range(2):  # until the broker was there
        announcer, publisher = house.start(off)
        assert publisher.kept == [Message("homeassistant/device/hall/config", b"", qos=1, retain=True)]
    house.connect(announcer, publisher)
    assert publisher.retained == []
    assert not house.file.exists()
    _, publisher = house.start(off)
    assert publisher.kept == []


def test_with_another_prefix_the_old_message_is_deleted(house: House) -> None:
    house.start(config_with(zones=[BED]))
    other = config_with(home_assistant={"prefix": "ha"})
    for _ in range(2):  # until the broker was there
        announcer, publisher = house.start(other)
        assert [message.topic for message in publisher.kept] == ["homeassistant/device/hall/config"]
        assert [message.topic for message in publisher.retained] == ["ha/device/hall/config"]
        assert removed(publisher.retained[0]) == set()
    house.connect(announcer, publisher)
    _, publisher = house.start(other)
    assert publisher.kept == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b'{"topic": "a", "entities": {"people": "no such platform"}}',
        b'{"topic": "a/+", "entities": {}}',
        b'{"topic": "a/b", "entities": {"A key!": "sensor"}}',
        b"[" * 100_000,
    ],
    ids=["empty", "binary", "array", "platform", "wildcard", "key", "deep"],
)
def test_a_damaged_file_is_set_aside_and_nothing_is_deleted(house: House, content: bytes) -> None:
    house.file.parent.mkdir(parents=True)
    house.file.write_bytes(content)
    _, publisher = house.start(config_with())
    assert publisher.retained == [discovery_message(config_with(), MACHINE)]
    assert publisher.kept == []
    (damaged,) = house.file.parent.glob("*.damaged")
    assert damaged.read_bytes() == content
    assert house.file.exists()


def test_a_folder_that_cannot_be_written_is_a_warning(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.file.parent.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        _, publisher = house.start(config_with())
    assert publisher.retained == [discovery_message(config_with(), MACHINE)]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


DESK = BED | {"name": "desk"}
DESK_ENTITIES = {"zone_desk_occupancy", "zone_desk_people"}


def announced(message: Message) -> set[str]:
    """The entities of a zone that a message announces."""
    components = json.loads(message.payload)["components"]
    return {key for key, one in components.items() if key.startswith("zone_") and len(one) > 1}


def test_zones_that_are_drawn_while_the_sensor_runs_are_announced_at_once(house: House) -> None:
    announcer, publisher = house.start(config_with())
    announcer.use(config_with(zones=[BED]))
    assert publisher.retained[1:] == [discovery_message(config_with(zones=[BED]), MACHINE)]
    _, later = house.start(config_with())
    assert removed(later.retained[0]) == BED_ENTITIES, "even if the service is killed at once"


def test_zones_that_are_removed_while_the_sensor_runs_are_deleted_and_then_left_out(house: House) -> None:
    announcer, publisher = house.start(config_with(zones=[BED, DESK]))
    announcer.use(config_with(zones=[DESK]))
    assert removed(publisher.retained[1]) == BED_ENTITIES - {"zone_event"}
    assert announced(publisher.retained[1]) == DESK_ENTITIES | {"zone_event"}
    house.connect(announcer, publisher)
    assert publisher.retained[2:] == [discovery_message(config_with(zones=[DESK]), MACHINE)]
    _, later = house.start(config_with(zones=[DESK]))
    assert removed(later.retained[0]) == set()


def test_zones_may_change_again_while_others_are_being_deleted(house: House) -> None:
    announcer, publisher = house.start(config_with(zones=[BED, DESK]))
    publisher.connection.connected = True
    announcer.use(config_with(zones=[DESK]))
    announcer.tick()
    house.now_s += 0.9 * REMOVAL_S
    announcer.use(config_with())
    announcer.tick()
    house.now_s += 0.9 * REMOVAL_S
    announcer.tick()
    assert removed(publisher.retained[-1]) == BED_ENTITIES | DESK_ENTITIES
    announcer.use(config_with(zones=[BED]))
    assert removed(publisher.retained[-1]) == DESK_ENTITIES
    assert announced(publisher.retained[-1]) == BED_ENTITIES


def test_a_device_that_is_not_announced_announces_no_zones(house: House) -> None:
    announcer, publisher = house.start(config_with(home_assistant={"enabled": False}))
    announcer.use(config_with(zones=[BED]))
    assert publisher.retained == []
