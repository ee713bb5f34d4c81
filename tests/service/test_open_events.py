"""Open events end when the picture is lost and when the service stops; falls outlast both. A replay gives the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import Config
from edge.mqtt.events import event_out
from edge.recording.read import Flaw
from edge.recording.record import Recorder
from edge.recording.replay import Setup, replay
from edge.service.event_store import Clocks, EventStore
from edge.service.rules import config_of_rules, open_rules, reconfigure, tables_of_rules
from edge.types import Person
from tests.service.test_supervisor import STALL_S, WALL_S, Running
from tests.support import bodies
from tests.support.bodies import View
from tests.support.models import fast_config as config
from tests.support.people import STANDING, person
from tests.support.recordings import files
from tests.support.waiting import LONG_S

FPS = 15
ZONE = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}
RAISED = {**STANDING, "LEFT_ELBOW": (128.0, 20.0), "LEFT_WRIST": (130.0, -15.0)}
BUSY = config(device={"id": "test"}, zones=[ZONE], camera={"stall_s": STALL_S})
UPRIGHT, DOWN = View().person(1, bodies.STANDING), View().person(1, bodies.lying(towards=90))
FALLING = [View().person(1, bodies.tilted(bodies.STANDING, 10.0 * step, towards=90)) for step in range(10)]
BEGUN = {"zone": ["entered"], "presence": ["arrived"], "gesture": ["left_hand_raised"]}
ENDS = {"zone": "left", "presence": "left", "gesture": "ended"}


class Room(Running):
    """A supervisor with rules, a recorder, and a file for open events. It may begin later than another one."""

    def __init__(self, folder: Path, wanted: Config = BUSY, *, start_s: float = 1000.0) -> None:
        self.folder = folder
        self.store = EventStore("test", Clocks(lambda: start_s, lambda: WALL_S + start_s, lambda: "boot"))
        self.recorder = Recorder(
            folder / "recordings", 1_000_000, device="test", rules=tables_of_rules(wanted), max_waiting=10_000
        )
        super().__init__(open_rules(wanted), recorder=self.recorder, store=self.store)
        self.source.waiting = True
        self.clock.now_s = start_s
        self.sequence = 0

    def show(self, *people: Person, for_s: float) -> None:
        self.play([people] * round(for_s * FPS))

    def play(self, frames: "list[Any]") -> None:
        for people in frames:
            self.clock.now_s += 1 / FPS
            self.frame(self.sequence, *people)
            self.sequence += 1

    def fall(self) -> None:
        """A person stands, falls, and lies until the fall is confirmed."""
        self.show(UPRIGHT, for_s=2)
        self.play([[one] for one in FALLING])
        self.show(DOWN, for_s=4)

    def close(self) -> None:
        self.recorder.close(LONG_S)
        self.store.close(LONG_S)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [
            event
            for message in self.listener.messages
            if "/event/" in message.topic
            for event in [msgspec.json.decode(message.payload)]
        ]

    def types(self, rule: str) -> list[str]:
        return [event["event_type"] for event in self.events if event["rule"] == rule]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return Room(tmp_path)


def stall(room: Room) -> None:
    room.wait(STALL_S + 3)


def cover(room: Room) -> None:
    room.gate.blind = True
    room.pass_over(12)
    room.gate.blind = False


def switch_off(room: Room) -> None:
    room.source.off = True
    room.wait(3600)
    room.source.off = False


LOSSES = [(stall, "camera stalled"), (cover, "nothing can be seen"), (switch_off, "switched off")]
losses = pytest.mark.parametrize(("lose", "reason"), LOSSES, ids=["stall", "blind", "off"])


def assert_replays(room: Room) -> None:
    """Check that the recordings of all runs give the events that were published."""
    setup = Setup(
        lambda header: open_rules(config_of_rules(header.rules, header.device)),
        lambda rules, header: reconfigure(rules, config_of_rules(header.rules, header.device)),
    )
    flaws: list[Flaw] = []
    found = [event_out(event) for _, event in replay(files(room.folder / "recordings"), setup, flaws.append)]
    assert msgspec.json.decode(msgspec.json.encode(found))[-len(room.events) :] == room.events
    assert flaws == []


@losses
def test_a_lost_picture_ends_events_before_the_state_becomes_unknown_and_they_begin_again(
    room: Room, lose: Callable[[Room], None], reason: str
) -> None:
    someone = person(1, RAISED, at=(200, 200))
    room.show(someone, for_s=4)
    last = room.sequence - 1
    assert {rule: room.types(rule) for rule in BEGUN} == BEGUN
    lose(room)
    ended = room.events[3:]
    assert {event["rule"]: event["event_type"] for event in ended} == ENDS
    assert {event["id"] for event in ended} == {event["id"] for event in room.events[:3]}
    assert [(event["seq"], event["reasons"]) for event in ended] == [(last, [reason])] * 3
    topics = [message.topic for message in room.listener.messages]
    unknown = next(
        number
        for number, message in enumerate(room.listener.messages)
        if message.topic.endswith("/state") and b'"people":null' in message.payload
    )
    assert max(number for number, topic in enumerate(topics) if "/event/" in topic) < unknown
    room.show(someone, for_s=4)
    assert {rule: room.types(rule)[2:] for rule in BEGUN} == BEGUN
    assert len({event["id"] for event in room.events}) == 6
    room.supervisor.end("stopped")
    room.close()
    assert_replays(room)


@losses
def test_a_confirmed_fall_outlasts_a_lost_picture(room: Room, lose: Callable[[Room], None], reason: str) -> None:
    del reason
    room.fall()
    lose(room)
    room.show(DOWN, for_s=1)
    assert room.types("fall") == ["suspected", "confirmed"]
    assert room.listener.all("state")[-1]["fall"] is True
    room.show(UPRIGHT, for_s=3)
    assert room.types("fall") == ["suspected", "confirmed", "cleared"]
    room.close()
    assert_replays(room)


@losses
@pytest.mark.parametrize(("after", "phase"), [(DOWN, "confirmed"), (UPRIGHT, "dismissed")], ids=["down", "up"])
def test_a_suspected_fall_waits_for_the_picture(
    room: Room, lose: Callable[[Room], None], reason: str, after: Person, phase: str
) -> None:
    del reason
    room.show(UPRIGHT, for_s=2)
    room.play([[one] for one in FALLING])
    room.show(DOWN, for_s=0.2)
    assert room.types("fall") == ["suspected"]
    lose(room)
    assert room.types("fall") == ["suspected"]
    room.show(after, for_s=4)
    assert room.types("fall") == ["suspected", phase]
    room.close()
    assert_replays(room)


def test_at_the_end_of_the_service_events_end_and_confirmed_falls_go_on_after_it(room: Room) -> None:
    room.fall()
    room.show(DOWN, person(2, STANDING, at=(400, 200)), for_s=2)
    room.supervisor.end("restarted")
    ended = [event for event in room.events if event["reasons"] == ["restarted"]]
    assert sorted((event["rule"], event["event_type"], event["person"]) for event in ended) == [
        ("presence", "left", None), ("zone", "left", 1), ("zone", "left", 2),
    ]  # fmt: skip
    assert room.listener.messages[-1].topic.endswith("/state"), "the state becomes unknown after that"
    room.close()
    assert_replays(room)
    later = Room(room.folder, start_s=room.clock.now_s + 5)
    later.show(for_s=1 / FPS)
    assert later.events == []
    assert later.listener.all("state")[0]["fall"] is True
    later.show(View().person(1, bodies.STANDING), for_s=3)
    (cleared,) = [event for event in later.events if event["rule"] == "fall"]
    assert (cleared["event_type"], cleared["id"]) == ("cleared", fall_of(room)["id"])
    assert cleared["started"] == fall_of(room)["started"]
    assert cleared["duration_s"] == pytest.approx(
        later.clock.now_s - room.clock.now_s + fall_of(room)["duration_s"], abs=20
    )
    later.close()
    assert_replays(later)


def test_events_of_a_service_that_was_killed_end_with_the_first_frame_of_the_next(room: Room) -> None:
    someone = person(1, RAISED, at=(200, 200))
    room.show(someone, for_s=4)
    room.store.close(LONG_S)
    later = Room(room.folder, start_s=room.clock.now_s + 10)
    later.wait(3)
    assert later.events == [], "a camera that does not start ends nothing"
    later.show(someone, for_s=1 / FPS)
    assert {event["rule"]: event["event_type"] for event in later.events} == ENDS
    assert {event["id"] for event in later.events} == {event["id"] for event in room.events}
    assert all(event["reasons"] == ["restarted"] and event["duration_s"] > 10 for event in later.events)
    later.show(someone, for_s=4)
    assert {rule: later.types(rule)[1:] for rule in BEGUN} == BEGUN
    later.close()
    assert_replays(later)
    again = Room(room.folder, start_s=later.clock.now_s + 10)
    again.show(for_s=1)
    assert len(again.events) == 3, "only what the second run left open"


def test_a_fall_from_before_a_restart_is_cleared_if_the_rule_is_off_now(room: Room) -> None:
    room.fall()
    room.close()
    off = config(device={"id": "test"}, fall={"enabled": False}, presence={"enabled": False})
    later = Room(room.folder, off, start_s=room.clock.now_s + 10)
    later.show(for_s=1)
    assert [(event["event_type"], event["reasons"]) for event in later.events if event["rule"] == "fall"] == [
        ("cleared", ["switched off"])
    ]
    assert later.listener.all("state")[-1]["fall"] is None


def test_a_fall_from_before_a_restart_is_cleared_if_the_rule_is_switched_off_before_the_first_frame(room: Room) -> None:
    room.fall()
    room.close()
    later = Room(room.folder, start_s=room.clock.now_s + 10)
    later.open_events.reconfigure(config(device={"id": "test"}, fall={"enabled": False}))
    assert later.events == []
    later.show(for_s=1)
    assert later.types("fall") == ["cleared"]


def test_falls_are_cleared_at_once_and_a_replay_follows(room: Room) -> None:
    room.fall()
    assert room.supervisor.clear_falls("cleared by request") == 1
    cleared = fall_of(room)
    assert (cleared["event_type"], cleared["reasons"]) == ("cleared", ["cleared by request"])
    assert cleared["seq"] == room.sequence - 1
    room.wait(0.25)
    assert room.listener.all("state")[-1]["fall"] is False, "without another frame"
    assert room.supervisor.clear_falls("cleared by request") == 0
    room.show(DOWN, for_s=4)
    assert room.types("fall") == ["suspected", "confirmed", "cleared"]
    room.close()
    assert_replays(room)
    later = Room(room.folder, start_s=room.clock.now_s + 5)
    later.show(DOWN, for_s=3)
    assert later.types("fall") == []


@losses
def test_a_fall_that_is_cleared_while_the_picture_is_lost_does_not_come_back(
    room: Room, lose: Callable[[Room], None], reason: str
) -> None:
    del reason
    room.fall()
    lose(room)
    assert room.supervisor.clear_falls("cleared by request") == 1
    room.wait(0.5)
    room.show(DOWN, for_s=3)
    assert room.types("fall") == ["suspected", "confirmed", "cleared"]
    assert room.listener.all("state")[-1]["fall"] is False
    room.close()
    assert_replays(room)


def test_a_fall_that_is_cleared_before_the_first_frame_does_not_come_back(room: Room) -> None:
    room.fall()
    room.close()
    later = Room(room.folder, start_s=room.clock.now_s + 10)
    assert later.supervisor.clear_falls("cleared by request") == 1
    assert later.supervisor.clear_falls("cleared by request") == 0
    later.store.close(LONG_S)
    killed = Room(room.folder, start_s=room.clock.now_s + 20)
    killed.show(DOWN, for_s=3)
    assert [(event["event_type"], event["id"]) for event in killed.events if event["rule"] == "fall"] == [
        ("cleared", fall_of(room)["id"])
    ]
    killed.close()
    later.show(DOWN, for_s=3)
    assert fall_of(later)["reasons"] == ["cleared by request"]
    assert later.listener.all("state")[-1]["fall"] is False


def test_a_recording_has_a_fall_that_was_cleared_before_the_first_frame(room: Room) -> None:
    room.fall()
    room.close()
    later = Room(room.folder, start_s=room.clock.now_s + 10)
    later.supervisor.clear_falls("cleared by request")
    later.show(DOWN, for_s=3)
    later.close()
    assert_replays(later)


def test_rules_may_be_switched_while_they_run_and_a_replay_follows(room: Room) -> None:
    someone = person(1, RAISED, at=(200, 200))
    room.show(someone, for_s=4)
    off = config(device={"id": "test"}, zones=[ZONE], gestures={"enabled": False})
    room.open_events.reconfigure(off)
    room.open_events.reconfigure(off)
    assert [event["reasons"] for event in room.events[3:]] == [["switched off"]]
    room.show(someone, for_s=2)
    room.open_events.reconfigure(BUSY)
    room.show(someone, for_s=4)
    room.supervisor.end("stopped")
    assert room.types("gesture") == ["left_hand_raised", "ended", "left_hand_raised", "ended"]
    room.close()
    assert len(files(room.folder / "recordings")) == 3
    assert_replays(room)


def test_without_a_camera_nothing_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    running = Running(open_rules(BUSY))
    for number in range(60):
        running.clock.now_s += 1 / FPS
        running.frame(number, UPRIGHT)
    running.supervisor.end("stopped")
    assert [event["event_type"] for event in running.listener.all("event/presence")] == ["arrived", "left"]
    assert not (tmp_path / "state").exists()


def fall_of(room: Room) -> dict[str, Any]:
    return [event for event in room.events if event["rule"] == "fall"][-1]


HALF = {"name": "half", "points": [[0, 0], [0.6, 0], [0.6, 1], [0, 1]]}
LINE = {"name": "line", "from": [0.3, 1], "to": [0.3, 0]}


def test_zones_and_lines_change_while_people_are_in_them_and_a_replay_follows(room: Room) -> None:
    someone = person(1, STANDING, at=(200, 200))
    room.show(someone, for_s=3)
    room.open_events.reconfigure(config(device={"id": "test"}, zones=[HALF], lines=[LINE]))
    assert room.types("zone") == ["entered", "left"]
    assert room.events[-1]["reasons"] == ["zone removed"]
    room.show(someone, for_s=2)
    room.show(person(1, STANDING, at=(-100, 200)), for_s=2)
    assert [(event["event_type"], event["zone"]) for event in room.events if event["rule"] in {"zone", "line"}][2:] == [
        ("entered", "half"), ("crossed_out", "line"),
    ]  # fmt: skip
    room.open_events.reconfigure(BUSY)
    room.show(for_s=1)
    room.supervisor.end("stopped")
    room.close()
    assert_replays(room)


@pytest.mark.parametrize("seen_s", [0, 3])
def test_a_replay_follows_changes_between_two_frames(room: Room, seen_s: float) -> None:
    """A zone is removed and drawn again before the next frame: the visit ends, and another one begins."""
    room.show(person(1, STANDING, at=(200, 200)), for_s=seen_s)
    for wanted in (config(device={"id": "test"}), BUSY, config(device={"id": "test"}, zones=[HALF]), BUSY):
        room.open_events.reconfigure(wanted)
    room.show(person(1, STANDING, at=(200, 200)), for_s=3)
    assert room.types("zone") == (["entered", "left", "entered"] if seen_s else ["entered"])
    room.close()
    assert_replays(room)


def test_a_fall_from_before_a_restart_is_cleared_once_if_the_rule_is_off_for_a_moment(room: Room) -> None:
    room.fall()
    room.close()
    later = Room(room.folder, start_s=room.clock.now_s + 10)
    later.open_events.reconfigure(config(device={"id": "test"}, fall={"enabled": False}))
    later.open_events.reconfigure(BUSY)
    later.show(for_s=1)
    assert later.types("fall") == ["cleared"]
    later.close()
    assert_replays(later)
