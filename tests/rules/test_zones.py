"""Zones: entered, left, loitering, and the state of each zone."""

import random
from collections.abc import Iterator, Mapping, Sequence

import pytest

from edge.rules.rules import Rules
from edge.rules.values import Event, Posture, Subject, ZoneState
from edge.rules.zones import Zone, Zones
from edge.types import Person
from tests.support.people import STANDING, person
from tests.support.rules import Player, jittered, standing, walk

RIGHT = Zone("right", [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)])  # from x = 319.5 px


def player(*zones: Zone, fps: float = 15.0, leave_s: float = 10.0, posture: Posture | None = None) -> Player:
    rule = Zones(zones or [RIGHT], leave_s=leave_s)
    return Player(Rules([rule], places=rule, postures=Always(posture) if posture else None), fps=fps)


class Always:
    def __init__(self, posture: Posture) -> None:
        self._posture = posture

    def update(self, people: Sequence[Subject], now_s: float) -> list[Posture]:  # noqa: ARG002 - the interface
        return [self._posture] * len(people)


def types(events: list[Event]) -> list[tuple[str, int | None, str | None]]:
    return [(event.type, event.person, event.zone) for event in events]


def zone_states(room: Player, name: str = "right") -> list[ZoneState]:
    return [outcome.state.zones[name] for outcome in room.outcomes if outcome.state]


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_a_person_enters_and_leaves_with_the_feet(fps: float) -> None:
    room = player(fps=fps)
    events = room.play(walk(1, (200, 400), (440, 400), (200, 400), fps=fps))  # 2 s there, 2 s back
    entered, left = events
    assert types(events) == [("entered", 1, "right"), ("left", 1, "right")]
    assert entered.id == left.id
    assert left.duration_s == pytest.approx(2.0, abs=0.5)
    assert entered.started_wall_s == entered.wall_s
    assert entered.reasons == ("feet inside for at least 0.3 s",)
    assert "body sizes outside" in left.reasons[0]
    assert [state.occupied for state in zone_states(room)].count(True) == pytest.approx(2.0 * fps, abs=0.5 * fps)


@pytest.mark.parametrize("sigma", [0.01, 0.02, 0.03])
@pytest.mark.parametrize("fps", [5, 15, 30])
def test_noise_at_the_border_does_not_flap(fps: float, sigma: float) -> None:
    rng = random.Random(round(fps))
    room = player(fps=fps)
    room.play(walk(1, (200, 400), (322, 400), fps=fps))
    events = room.play([jittered(standing(1, (322, 400)), sigma, rng)] for _ in range(round(40 * fps)))
    assert len(events) <= 1


def test_slow_sway_at_the_border_does_not_flap() -> None:
    room = player()
    places = [(330.0, 400.0), (312.0, 400.0)] * 30  # 0.09 body sizes, half of it outside
    assert types(room.play(walk(1, *places, speed=12))) == [("entered", 1, "right")]


def hidden(someone: Person, *parts: str) -> Person:
    """The same person without some keypoints."""
    shown = {name: point for name, point in points(someone).items() if not name.endswith(parts)}
    return person(someone.id, shown)


def points(someone: Person) -> Mapping[str, tuple[float, float]]:
    return {name: point[:2] for name, point in zip(STANDING, someone.keypoints, strict=True) if point}


def test_hips_stand_for_hidden_feet_and_the_box_for_both() -> None:
    low = Zone("low", [(0.0, 0.6), (1.0, 0.6), (1.0, 1.0), (0.0, 1.0)])  # below y = 287.5 px
    someone = standing(1, (300, 400))  # hips at 301, knees at 351
    assert types(player(low).show(hidden(someone, "ANKLE"), for_s=1)) == [("entered", 1, "low")]
    (entered,) = player(low).show(hidden(someone, "ANKLE", "HIP"), for_s=1)
    assert entered.reasons == ("box inside for at least 0.3 s",)
    assert player(low).show(hidden(someone, "ANKLE", "HIP", "KNEE", "WRIST"), for_s=1) == []


def test_feet_that_are_hidden_for_a_moment_stay_where_they_were() -> None:
    floor = Zone("floor", [(0.0, 0.7), (1.0, 0.7), (1.0, 1.0), (0.0, 1.0)])  # below y = 335.5 px
    someone = standing(1, (300, 400))
    room = player(floor)
    room.show(someone, for_s=1)
    events = []
    for _ in range(20):
        events += room.show(hidden(someone, "ANKLE"), for_s=1.8)
        events += room.show(someone, for_s=0.1)
    assert events == []
    assert types(room.show(hidden(someone, "ANKLE"), for_s=3)) == [("left", 1, "floor")], "then the hips count"


def test_a_person_who_lies_is_where_the_hips_are() -> None:
    bed = Zone("bed", [(0.1, 0.5), (0.5, 0.5), (0.5, 1.0), (0.1, 1.0)])  # as far as x = 319.5 px
    lying = person(1, {name: (100 + y, 300 + x / 5) for name, (x, y) in STANDING.items()})  # hips at 220, feet at 320
    assert types(player(bed, posture="lying").show(lying, for_s=1)) == [("entered", 1, "bed")]
    assert player(bed, posture="unknown").show(lying, for_s=1) == []


def test_feet_beyond_the_edge_of_the_frame_count_as_at_the_edge() -> None:
    assert types(player().show(standing(1, (670, 490)), for_s=1)) == [("entered", 1, "right")]


def test_zones_may_overlap_and_hold_several_people() -> None:
    everywhere = Zone("everywhere", [(0, 0), (1, 0), (1, 1), (0, 1)])
    room = player(RIGHT, everywhere)
    room.show(standing(1, (100, 400)), standing(2, (500, 400)), standing(3, (600, 400)), for_s=1)
    state = room.outcomes[-1].state
    assert state is not None
    assert {name: (zone.occupied, zone.people) for name, zone in state.zones.items()} == {
        "right": (True, 2), "everywhere": (True, 3),
    }  # fmt: skip
    assert [one.zones for one in state.persons] == [("everywhere",), ("right", "everywhere"), ("right", "everywhere")]


def test_a_person_who_stays_loiters_once_per_visit() -> None:
    room = player(Zone("right", RIGHT.points, loitering_s=5))
    events = room.show(standing(1, (500, 400)), for_s=30)
    assert [event.type for event in events] == ["entered", "loitering"]
    assert events[1].duration_s == pytest.approx(5, abs=0.1)
    assert events[1].reasons == ("in the zone for 5.0 s",)
    room.show(standing(1, (100, 400)), for_s=1)
    assert [event.type for event in room.show(standing(1, (500, 400)), for_s=30)] == ["entered", "loitering"]


def test_a_person_who_is_lost_leaves_after_a_while() -> None:
    room = player(leave_s=4)
    room.show(standing(1, (500, 400)), for_s=2)
    assert room.show(for_s=3.8) == []
    state = zone_states(room)[-1]
    assert (state.occupied, state.people) == (True, 0)
    assert state.dwell_s == pytest.approx(5.5, abs=0.2)
    (left,) = room.show(for_s=1)
    assert (left.type, left.reasons) == ("left", ("not seen for 4.0 s",))
    assert zone_states(room)[-1] == ZoneState(occupied=False, people=0, dwell_s=0)


def test_a_person_who_is_missed_for_a_moment_stays_in_the_zone() -> None:
    room = player()
    room.show(standing(1, (500, 400)), for_s=2)
    room.show(for_s=1.5)
    assert room.show(standing(1, (500, 400)), for_s=2) == []


def test_a_new_id_in_the_zone_is_one_person_and_the_dwell_goes_on() -> None:
    room = player()
    room.show(standing(1, (500, 400)), for_s=5)
    room.show(standing(2, (500, 400)), for_s=8)
    state = zone_states(room)[-1]
    assert (state.occupied, state.people) == (True, 1)
    assert state.dwell_s == pytest.approx(12.7, abs=0.2)
    assert types(room.show(standing(2, (500, 400)), for_s=4)) == [("left", 1, "right")]
    assert zone_states(room)[-1].dwell_s == pytest.approx(16.7, abs=0.2)


def test_a_stalled_camera_ends_no_visit() -> None:
    room = player()
    room.show(standing(1, (500, 400)), for_s=2)
    room.pause(600)
    assert room.show(standing(1, (500, 400)), for_s=1) == []


def wander(id_: int, rng: random.Random, frames: int, fps: float) -> Iterator[Person | None]:
    """A person who walks about at random, with noise, and is missing now and then."""
    x, y, missing = rng.uniform(0, 640), rng.uniform(200, 480), 0
    for _ in range(frames):
        x = min(max(x + rng.gauss(0, 80 / fps**0.5), 0), 640)
        y = min(max(y + rng.gauss(0, 40 / fps**0.5), 200), 480)
        missing = missing - 1 if missing else rng.choices([0, 1, round(fps), round(15 * fps)], [6 * fps, 2, 1, 0.3])[0]
        yield None if missing else jittered(standing(id_, (x, y)), 0.02, rng)


@pytest.mark.parametrize("people", range(9))
@pytest.mark.parametrize("fps", [5, 30])
def test_visits_of_people_who_wander_pair_up_and_end(fps: float, people: int) -> None:
    rng = random.Random(people)
    middle = Zone("middle", [(0.3, 0.3), (0.7, 0.3), (0.6, 0.9)], loitering_s=2)
    room = player(RIGHT, middle, fps=fps)
    walks = [wander(number, rng, round(30 * fps), fps) for number in range(people)]
    room.play([one for one in seen if one] for seen in zip(*walks, strict=True))
    room.show(for_s=11)
    open_visits: dict[tuple[int | None, str | None], str] = {}
    for event in room.events:
        key = (event.person, event.zone)
        if event.type == "entered":
            assert key not in open_visits
            open_visits[key] = event.id
        elif event.type == "loitering":
            assert open_visits[key] == event.id
        else:
            assert open_visits.pop(key) == event.id
    assert open_visits == {}
    ids = [event.id for event in room.events if event.type == "entered"]
    assert len(set(ids)) == len(ids)
    assert bool(ids) or people < 4
    for outcome in room.outcomes:
        assert outcome.state is not None
        for name, zone in outcome.state.zones.items():
            assert zone.people == sum(name in one.zones for one in outcome.state.persons)
            assert zone.people <= outcome.state.people
            assert zone.occupied or (zone.people, zone.dwell_s) == (0, 0)


def test_visits_end_when_the_picture_is_lost_and_begin_again_with_it() -> None:
    room = player()
    (entered,) = room.show(standing(1, (440, 400)), for_s=3)
    (left,) = room.lose(20)
    assert (left.type, left.id, left.person, left.zone) == ("left", entered.id, 1, "right")
    assert left.reasons == ("camera stalled",)
    assert left.duration_s == pytest.approx(room.now_s - 20 - (entered.wall_s - 1_795_370_400), abs=0.01)
    (again,) = room.show(standing(1, (440, 400)), for_s=3)
    assert (again.type, again.id != entered.id) == ("entered", True)
    assert zone_states(room)[-1].dwell_s < 3


def test_a_zone_that_is_empty_after_the_picture_was_lost_is_not_occupied() -> None:
    room = player()
    room.show(standing(1, (440, 400)), for_s=3)
    room.lose(20)
    assert room.show(for_s=1) == []
    assert zone_states(room)[-1] == ZoneState(occupied=False, people=0, dwell_s=0.0)
