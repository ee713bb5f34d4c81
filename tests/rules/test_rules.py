"""What all rules have in common: order, time, and the state."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge.rules.episode import Episode, OpenEvent, begin
from edge.rules.presence import Presence
from edge.rules.rules import LONGEST_GAP_S, Outcome, Rules, Saved
from edge.rules.values import Event, Moment, PersonState, Posture, State, Subject
from tests.support.people import observation, person


class Counting:
    """A rule with one event per frame."""

    def __init__(self, name: str) -> None:
        self._name = name

    def update(self, moment: Moment) -> Sequence[Event]:
        return [begin(self._name, moment).phase(str(len(moment.subjects)), moment)]

    def describe(self, state: State) -> State:
        return replace(state, present=state.people > 0)

    def open(self) -> Sequence[OpenEvent]:
        return ()

    def end(self, moment: Moment, reasons: Iterable[str]) -> Sequence[Event]:  # noqa: ARG002 - the interface
        return ()


class Watch:
    """A rule that keeps the time watched."""

    def __init__(self) -> None:
        self.now_s: list[float] = []

    def update(self, moment: Moment) -> Sequence[Event]:
        self.now_s.append(round(moment.now_s, 3))
        return []

    def describe(self, state: State) -> State:
        return state

    def open(self) -> Sequence[OpenEvent]:
        return ()

    def end(self, moment: Moment, reasons: Iterable[str]) -> Sequence[Event]:  # noqa: ARG002 - the interface
        return ()


class Opened(Counting):
    """A rule with an open event."""

    def __init__(self, *, resumes: bool) -> None:
        super().__init__("opened")
        self._open = OpenEvent(Episode("opened", "abc", 0.0, 0.0), "over", resumes)

    def open(self) -> Sequence[OpenEvent]:
        return [self._open]


class AllSitting:
    def update(self, people: Sequence[Subject], now_s: float) -> list[Posture]:  # noqa: ARG002 - the interface
        return ["sitting"] * len(people)


class AllInBed:
    def locate(self, moment: Moment) -> list[tuple[str, ...]]:
        return [("bed",)] * len(moment.subjects)


def test_every_rule_sees_every_frame_in_order() -> None:
    rules = Rules([Counting("a"), Counting("b")])
    events = rules.update(observation(3, person(1))).events
    assert [(event.rule, event.type, event.sequence) for event in events] == [("a", "1", 3), ("b", "1", 3)]


def test_without_rules_there_are_no_events_and_the_state_knows_only_the_people() -> None:
    assert Rules().update(observation(0, person(1), wall_s=5)) == Outcome(
        (), State(people=1, persons=(PersonState(1, "unknown", (), 5.0),))
    )


def test_the_state_has_the_postures_the_zones_and_what_rules_add() -> None:
    rules = Rules([Counting("a")], postures=AllSitting(), places=AllInBed())
    rules.update(observation(0, person(7), wall_s=10.0))
    state = rules.update(observation(1, person(7), person(8), wall_s=11.0)).state
    assert state == State(
        present=True, people=2, standing=0, sitting=2, lying=0,
        persons=(PersonState(7, "sitting", ("bed",), 10.0), PersonState(8, "sitting", ("bed",), 11.0)),
    )  # fmt: skip


def test_a_person_who_is_missed_for_a_moment_still_counts() -> None:
    rules = Rules(places=AllInBed())
    seen = [(0.0, [person(1), person(2)]), (0.4, [person(1)]), (0.9, [person(1)]), (1.0, [person(1), person(2)])]
    states = [rules.update(observation(0, *people, at_s=100 + at_s, wall_s=at_s)).state for at_s, people in seen]
    assert [state and state.people for state in states] == [2, 2, 1, 2]
    assert states[1]
    assert states[1].persons[1] == PersonState(2, "unknown", ("bed",), 0.0)
    assert states[3]
    assert states[3].persons[1].since_wall_s == 0.0


def test_nobody_from_before_a_lost_picture_counts_after_it() -> None:
    rules = Rules()
    rules.update(observation(0, person(1), at_s=100))
    rules.end("camera stalled")
    state = rules.update(observation(1, at_s=130)).state
    assert state
    assert state.people == 0


def test_a_person_without_an_id_is_no_subject() -> None:
    assert Rules([Counting("a")]).update(observation(0, person(None))).events[0].type == "0"


def test_the_time_watched_hardly_advances_during_a_gap_and_never_goes_back() -> None:
    watch = Watch()
    rules = Rules([watch])
    for number, at_s in enumerate((100.0, 100.5, 700.5, 701.0, 3.0, 3.5)):
        rules.update(observation(number, at_s=at_s))
    gap = LONGEST_GAP_S
    assert watch.now_s == [0.0, 0.5, 0.5 + gap, 1.0 + gap, 1.0 + gap, 1.5 + gap]


def test_the_time_until_the_picture_is_back_does_not_count_as_watched() -> None:
    watch = Watch()
    rules = Rules([watch])
    assert rules.end("camera stalled") == ()
    for at_s in (100.0, 100.5):
        rules.update(observation(0, at_s=at_s))
    rules.end("camera stalled")
    rules.end("camera stalled")
    for at_s in (106.0, 106.5, 706.5):
        rules.update(observation(0, at_s=at_s))
    assert watch.now_s == [0.0, 0.5, 0.6, 1.1, 1.1 + LONGEST_GAP_S]


def test_at_the_end_of_the_service_everything_ends_but_confirmed_falls() -> None:
    rules = Rules([Presence(enter_s=0, leave_s=10), Opened(resumes=False), Opened(resumes=True)])
    assert rules.stop("stopped") == ()
    rules.update(observation(3, person(1)))
    events = rules.stop("stopped")
    assert [(event.type, event.sequence, event.reasons) for event in events] == [
        ("left", 3, ("stopped",)), ("over", 3, ("stopped",)),
    ]  # fmt: skip


def test_events_from_before_a_restart_end_with_the_first_frame() -> None:
    episode = Episode("presence", "abc", 50.0, 900.0)
    rules = Rules()
    rules.resume(Saved(events=(OpenEvent(episode, "left"),)))
    assert [one.episode for one in rules.open()] == [episode]
    (left,) = rules.update(observation(0, at_s=1000.0, wall_s=150.0)).events
    assert (left.type, left.id, left.reasons) == ("left", "abc", ("restarted",))
    assert (left.started_wall_s, left.wall_s, left.duration_s) == (50.0, 150.0, 100.0)
    assert rules.open() == []


def test_the_id_of_an_episode_depends_on_what_began_and_stays_the_same() -> None:
    def moment(sequence: int, wall_s: float, device_id: str = "one") -> Moment:
        return Moment(device_id, observation(sequence, at_s=wall_s - 50, wall_s=wall_s), 0.0, ())

    first = begin("fall", moment(5, 100.0), person=1)
    later = first.phase("confirmed", moment(9, 102.5))
    assert (later.id, later.started_wall_s, later.wall_s, later.duration_s) == (first.id, 100.0, 102.5, 2.5)
    assert begin("fall", moment(5, 100.0), person=1) == first
    others = [
        begin("zone", moment(5, 100.0), person=1),
        begin("fall", moment(5, 100.0), person=2),
        begin("fall", moment(6, 100.0), person=1),
        begin("fall", moment(5, 100.0, "two"), person=1),
        begin("fall", moment(5, 100.0), person=1, zone="bed"),
    ]
    assert len({first.id, *(one.id for one in others)}) == 6
