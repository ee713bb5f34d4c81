"""Presence: arrived, left, and whether any person moves."""

import math
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from edge.rules.presence import Presence
from edge.rules.rules import Rules
from edge.types import Person
from tests.support.people import STANDING, person
from tests.support.rules import Player, jittered, standing, walk

SOMEONE = standing(1, (300, 400))


def player(fps: float = 15.0, *, enter_s: float = 0.5, leave_s: float = 10.0) -> Player:
    return Player(Rules([Presence(enter_s=enter_s, leave_s=leave_s)]), fps=fps)


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_one_event_from_arrived_to_left(fps: float) -> None:
    room = player(fps)
    (arrived,) = room.show(SOMEONE, for_s=30)
    (left,) = room.show(for_s=30)
    assert (arrived.type, left.type) == ("arrived", "left")
    assert arrived.id == left.id
    assert arrived.wall_s - room.events[0].started_wall_s == 0
    assert 0.5 <= arrived.wall_s - 1_795_370_400 <= 0.5 + 2 / fps
    assert left.reasons == ("no person in view for 10.0 s",)
    assert left.duration_s == pytest.approx(39.4, abs=0.3)
    (again,) = room.show(SOMEONE, for_s=2)
    assert again.type == "arrived"
    assert again.id != arrived.id


def test_a_short_visit_is_no_arrival() -> None:
    room = player(enter_s=1.0)
    assert room.show(SOMEONE, for_s=0.8) == []
    assert room.show(for_s=2) == []
    assert room.show(SOMEONE, for_s=0.8) == []


def test_a_person_who_is_missed_in_every_other_frame_arrives_and_stays() -> None:
    room = player(fps=5)
    events = room.play([[SOMEONE], []] * 60)
    assert [event.type for event in events] == ["arrived"]


def test_a_new_id_does_not_interrupt_the_presence() -> None:
    room = player()
    room.show(SOMEONE, for_s=5)
    assert room.show(for_s=5) == []
    assert room.show(standing(2, (100, 400)), for_s=5) == []


def test_people_without_an_id_are_not_present() -> None:
    assert player().show(person(None), for_s=5) == []


def test_a_stalled_camera_proves_no_absence() -> None:
    room = player()
    room.show(SOMEONE, for_s=2)
    room.pause(3600)
    assert room.show(for_s=1) == []
    assert [event.type for event in room.show(for_s=10)] == ["left"]


def test_a_camera_with_a_frame_in_ten_seconds_sees_people_arrive_and_leave() -> None:
    room = player(fps=0.1)
    assert [event.type for event in room.play([[SOMEONE]] * 5)] == ["arrived"]
    assert [event.type for event in room.play([[]] * 5)] == ["left"]


def test_the_state_says_present_from_arrived_to_left() -> None:
    room = player()
    room.show(for_s=1)
    room.show(SOMEONE, for_s=1)
    room.show(for_s=11)
    present = [outcome.state.present for outcome in room.outcomes if outcome.state]
    changes = [now for before, now in zip([None, *present], present, strict=False) if before != now]
    assert changes == [False, True, False]


def moving(room: Player) -> list[bool | None]:
    return [outcome.state.moving for outcome in room.outcomes if outcome.state]


@pytest.mark.parametrize("fps", [5, 15, 30])
@pytest.mark.parametrize("speed", [40, 120, 400])
def test_a_person_who_walks_moves_and_one_who_stands_does_not(fps: float, speed: float) -> None:
    room = player(fps)
    room.play(walk(1, (100, 400), (500, 400), speed=speed, fps=fps))
    assert moving(room)[-1]
    before = len(room.outcomes)
    room.show(standing(1, (500, 400)), for_s=5)
    assert not any(moving(room)[before + round(2 * fps) :])


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_noise_and_single_wrong_frames_are_no_movement(fps: float) -> None:
    rng = random.Random(1)
    mirrored = {
        name.replace("LEFT", "L").replace("RIGHT", "LEFT").replace("L_", "RIGHT_"): STANDING[name] for name in STANDING
    }

    def frames() -> Iterator[list[Person]]:
        for number in range(round(30 * fps)):
            wrong = number % 13 == 5
            yield [jittered(person(1, mirrored if wrong else STANDING), 0.015, rng)]

    room = player(fps)
    room.play(frames())
    assert sum(map(bool, moving(room))) == 0


def test_arms_that_move_count_as_movement() -> None:
    def frames() -> Iterator[list[Person]]:
        for number in range(60):
            lift = 40 * math.sin(number / 15 * 2 * math.pi)
            arm = {"LEFT_WRIST": (170, 80 + lift), "LEFT_ELBOW": (145, 75 + lift / 2)}
            yield [person(1, {**STANDING, **arm})]

    room = player()
    room.play(frames())
    assert all(moving(room)[15:])


def test_a_person_who_left_does_not_move() -> None:
    room = player()
    room.play(walk(1, (100, 400), (500, 400)))
    room.show(for_s=2)
    assert not moving(room)[-1]


def test_a_visit_ends_when_the_picture_is_lost_and_begins_again_with_it() -> None:
    room = player()
    (arrived,) = room.show(SOMEONE, for_s=5)
    before_s = room.now_s
    (left,) = room.lose(3600)
    assert (left.type, left.id, left.reasons) == ("left", arrived.id, ("camera stalled",))
    assert left.duration_s == pytest.approx(before_s - arrived.wall_s + 1_795_370_400, abs=0.01)
    assert room.lose(1) == []
    (again,) = room.show(SOMEONE, for_s=2)
    assert again.type == "arrived"
    assert again.id != arrived.id


def test_a_room_that_is_empty_after_the_picture_was_lost_has_no_second_end() -> None:
    room = player()
    room.show(SOMEONE, for_s=5)
    room.lose(60)
    assert room.show(for_s=30) == []
    states = [outcome.state.present for outcome in room.outcomes if outcome.state]
    assert states[-1] is False


def test_moving_does_not_flicker_when_noise_is_at_its_limit() -> None:
    rng, room = random.Random(1), player()
    room.play([jittered(SOMEONE, 0.03, rng)] for _ in range(1200))
    answers = moving(room)
    changes = [number for number, (one, other) in enumerate(pairwise(answers), 1) if one != other]
    held = {True: [], False: []}  # type: dict[bool, list[int]]
    for begin, end in pairwise(changes):
        held[bool(answers[begin])].append(end - begin)
    assert held[True]
    assert min(held[True]) >= 15
    assert min(held[False]) >= 3
