"""Open events outlast a restart, whatever happens to files and clocks."""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from edge.rules.episode import Episode, OpenEvent
from edge.rules.falling import OpenFall
from edge.rules.rules import Saved
from edge.service.event_store import LONGEST_OFF_S, RETRY_S, Clocks, EventStore
from edge.types import Observation
from tests.support.people import observation
from tests.support.waiting import LONG_S, until

WALL_S = 1_795_370_400.0
VISIT = OpenEvent(Episode("presence", "aaaa", WALL_S - 50, 950.0), "left")
FALL = OpenFall(
    Episode("fall", "bbbb", WALL_S - 20, 980.0, person=3),
    still_down=False, place=(300.0, 400.0), height_px=200.0, floor_y=410.0, down_since_s=985.0,
)  # fmt: skip
BOTH = Saved((FALL,), (VISIT,))
SEEN = observation(7, at_s=1000.0, wall_s=WALL_S)


@dataclass
class Machine:
    """A machine with clocks that are set by hand. Its stores keep one file."""

    folder: Path
    monotonic_s: float = 1000.0
    wall_s: float = WALL_S
    boot: str = "first"
    stores: list[EventStore] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "hall.open_events.json"

    def store(self, device_id: str = "hall") -> EventStore:
        """The store of a new run."""
        store = EventStore(device_id, Clocks(lambda: self.monotonic_s, lambda: self.wall_s, lambda: self.boot))
        self.stores.append(store)
        return store

    def save(self, saved: Saved, seen: Observation = SEEN) -> None:
        """Save this in a run of its own."""
        store = self.store()
        store.load()
        store.save(saved, seen)
        store.close(LONG_S)

    def content(self) -> dict[str, Any]:
        return json.loads(self.path.read_bytes())  # type: ignore[no-any-return]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    machine = Machine(tmp_path / "state")
    yield machine
    for store in machine.stores:
        store.close(LONG_S)


def test_without_a_file_there_is_nothing_to_resume_and_nothing_is_written(machine: Machine) -> None:
    store = machine.store()
    assert store.load() == Saved()
    store.save(Saved(), SEEN)
    store.close(LONG_S)
    assert not machine.path.exists()


def test_a_restart_gives_back_what_was_open(machine: Machine) -> None:
    machine.save(BOTH)
    machine.monotonic_s += 3600
    assert machine.store().load() == BOTH


def test_what_has_ended_is_gone(machine: Machine) -> None:
    machine.save(BOTH)
    machine.save(Saved())
    assert machine.store().load() == Saved()


def test_devices_that_share_a_folder_do_not_mix(machine: Machine) -> None:
    machine.save(BOTH)
    assert machine.store("door").load() == Saved()


def test_a_reboot_counts_by_the_wall_clock(machine: Machine) -> None:
    machine.save(BOTH)
    machine.boot, machine.monotonic_s, machine.wall_s = "second", 30.0, WALL_S + 100
    saved = machine.store().load()
    assert saved.events == (replace(VISIT, episode=replace(VISIT.episode, started_s=30.0 - 100 - 50)),)
    (fall,) = saved.falls
    assert (fall.episode.started_s, fall.down_since_s) == (30.0 - 100 - 20, 30.0 - 100 - 15)
    assert replace(fall, episode=FALL.episode, down_since_s=FALL.down_since_s) == FALL


@pytest.mark.parametrize(("jump_s", "counted_s"), [(-1e9, 0.0), (-3600.0, 0.0), (1e9, LONGEST_OFF_S)])
def test_a_wall_clock_that_jumped_between_two_boots_counts_within_bounds(
    machine: Machine, jump_s: float, counted_s: float
) -> None:
    machine.save(BOTH)
    machine.boot, machine.monotonic_s, machine.wall_s = "second", 30.0, WALL_S + jump_s
    (fall,) = machine.store().load().falls
    assert fall.down_since_s == 30.0 - counted_s - 15
    assert fall.episode.started_wall_s == FALL.episode.started_wall_s


def test_within_a_boot_the_wall_clock_does_not_count(machine: Machine) -> None:
    machine.save(BOTH)
    machine.monotonic_s, machine.wall_s = 1010.0, WALL_S + 1e8
    assert machine.store().load() == BOTH


def test_the_file_is_written_when_something_changes_and_not_at_every_frame(machine: Machine) -> None:
    store = machine.store()
    store.load()
    store.save(BOTH, SEEN)
    until(machine.path.exists)
    before = machine.path.stat()
    for number in range(100):
        crawled = replace(FALL, place=(300.0 + number / 3, 400.0), down_since_s=985.0 + number / 100)
        store.save(Saved((crawled,), (VISIT,)), observation(number, at_s=1000.0 + number, wall_s=WALL_S + number))
    store.close(LONG_S)
    assert machine.path.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "changed",
    [
        Saved((FALL,)),
        Saved((), (VISIT,)),
        Saved((replace(FALL, still_down=True),), (VISIT,)),
        Saved((replace(FALL, place=(360.0, 400.0)),), (VISIT,)),
        Saved((replace(FALL, episode=replace(FALL.episode, person=4)),), (VISIT,)),
    ],
)
def test_a_change_is_written(machine: Machine, changed: Saved) -> None:
    store = machine.store()
    store.save(BOTH, SEEN)
    store.save(changed, SEEN)
    store.close(LONG_S)
    assert machine.store().load() == changed


def test_a_correction_of_the_wall_clock_is_saved(machine: Machine) -> None:
    store = machine.store()
    store.save(BOTH, SEEN)
    store.save(BOTH, observation(8, at_s=1001.0, wall_s=WALL_S + 3601))
    store.close(LONG_S)
    assert machine.content()["wall_s"] == WALL_S + 3601


def test_after_a_reboot_the_file_gets_the_times_of_this_boot(machine: Machine) -> None:
    """Otherwise, the next restart could not use the clock that never jumps."""
    machine.save(BOTH)
    machine.boot, machine.monotonic_s = "second", 30.0
    store = machine.store()
    store.save(store.load(), observation(0, at_s=31.0, wall_s=WALL_S + 40))
    store.close(LONG_S)
    assert (machine.content()["boot"], machine.content()["monotonic_s"]) == ("second", 31.0)


def damaged(**changes: object) -> bytes:
    episode = {"rule": "presence", "id": "a", "started_wall_s": WALL_S, "started_s": 1.0, "person": None, "zone": None}
    event = {"episode": episode, "last": "left", "resumes": False}
    file = {
        "v": 1, "device": "hall", "boot": "first", "monotonic_s": 10.0, "wall_s": WALL_S,
        "saved": {"falls": [], "events": [event]},
    }  # fmt: skip
    for target in (episode, event, file):
        target.update({key: value for key, value in changes.items() if key in target})
    return json.dumps(file).encode()


def test_the_file_that_the_next_test_damages_is_valid(machine: Machine) -> None:
    machine.folder.mkdir()
    machine.path.write_bytes(damaged())
    assert machine.store().load().events[0].episode.id == "a"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[" * 100_000, b"\xff\xfe", b" " * 2_000_000, damaged(v=2), damaged(device="door"),
        damaged(saved=None), damaged(rule="#"), damaged(last="arrived"), damaged(started_wall_s=1e300),
        damaged(started_wall_s=-1.0), damaged(person="x"), damaged(started_s=float("nan")),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_set_aside_with_one_warning(
    machine: Machine, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    machine.folder.mkdir()
    machine.path.write_bytes(content)
    assert machine.store().load() == Saved()
    assert not machine.path.exists()
    assert machine.path.with_name("hall.open_events.json.damaged").read_bytes() == content
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    machine.save(BOTH)
    assert machine.store().load() == BOTH


def test_a_folder_in_the_place_of_the_file_is_set_aside(machine: Machine) -> None:
    (machine.path / "inside").mkdir(parents=True)
    assert machine.store().load() == Saved()
    machine.save(BOTH)
    assert machine.store().load() == BOTH


def test_a_folder_that_cannot_be_written_gives_one_warning(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.folder.write_text("in the way")
    store = machine.store()
    assert store.load() == Saved()
    for saved in (BOTH, Saved(), BOTH):
        store.save(saved, SEEN)
        until(lambda: not store._waiting)
    store.close(LONG_S)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_file_that_could_not_be_written_is_written_when_the_folder_is_back(machine: Machine) -> None:
    machine.folder.write_text("in the way")
    store = machine.store()
    store.save(BOTH, SEEN)
    until(lambda: store._failed_s is not None)
    machine.folder.unlink()
    store.save(BOTH, SEEN)
    assert not store._waiting, "not at every frame"
    machine.monotonic_s += RETRY_S
    store.save(BOTH, SEEN)
    store.close(LONG_S)
    assert machine.store().load() == BOTH


def test_a_slow_disk_never_holds_up_a_frame(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    going = threading.Event()
    written: list[bytes] = []

    def write(_path: Path, content: bytes) -> None:
        going.wait(LONG_S)
        written.append(content)

    monkeypatch.setattr("edge.service.event_store.write_state", write)
    store = machine.store()
    for number in range(50):
        store.save(Saved((), (replace(VISIT, episode=replace(VISIT.episode, id=str(number))),)), SEEN)
    store.close(0.01)
    assert written == []
    going.set()
    store.close(LONG_S)
    assert len(written) <= 2, "only the newest content counts"
    assert json.loads(written[-1])["saved"]["events"][0]["episode"]["id"] == "49"
