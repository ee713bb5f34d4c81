"""Lines: crossed in, crossed out, and what is no crossing."""

import random
from itertools import pairwise

import pytest

from edge.geometry import Position
from edge.rules.lines import Line, Lines
from edge.rules.rules import Rules
from edge.rules.values import Event
from tests.support.people import STANDING, person
from tests.support.rules import Player, jittered, standing, walk

DOOR = Line("door", (0.5, 0.9), (0.5, 0.5))  # an arrow up, from (319.5, 431.5) to (319.5, 239.5) px


def player(*lines: Line, fps: float = 15.0) -> Player:
    return Player(Rules([Lines(lines or [DOOR])]), fps=fps)


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


@pytest.mark.parametrize("fps", [5, 15, 30])
@pytest.mark.parametrize("speed", [40, 120, 500])
def test_from_the_left_of_the_arrow_to_its_right_is_in(fps: float, speed: float) -> None:
    room = player(fps=fps)
    events = room.play(walk(1, (150, 400), (500, 400), (150, 400), speed=speed, fps=fps))
    assert types(events) == ["crossed_in", "crossed_out"]
    assert {(event.rule, event.person, event.zone) for event in events} == {("line", 1, "door")}
    assert events[0].id != events[1].id
    assert "feet" in events[0].reasons[0]
    assert events[0].reasons[0].endswith("beyond the line, on its right")
    assert events[1].reasons[0].endswith("beyond the line, on its left")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (Line("a", (0.2, 0.8), (0.8, 0.8)), ((300, 300), (300, 470))),  # an arrow to the right; right of it is below
        (Line("a", (0.8, 0.8), (0.2, 0.8)), ((300, 470), (300, 300))),
        (Line("a", (0.5, 0.5), (0.5, 0.9)), ((500, 400), (150, 400))),  # an arrow down; right of it is left
    ],
)
def test_right_is_as_you_look_along_the_arrow(line: Line, path: tuple[Position, Position]) -> None:
    assert types(player(line).play(walk(1, *path))) == ["crossed_in"]
    assert types(player(line).play(walk(1, *reversed(path)))) == ["crossed_out"]


def test_a_path_around_the_end_of_the_line_is_no_crossing() -> None:
    room = player()
    assert room.play(walk(1, (200, 400), (200, 470), (450, 470), (450, 400))) == []
    assert types(room.play(walk(1, (450, 400), (200, 400)))) == ["crossed_out"]


def test_a_person_who_turns_back_on_the_line_has_not_crossed() -> None:
    assert player().play(walk(1, (200, 400), (328, 400), (200, 400))) == []


@pytest.mark.parametrize("sigma", [0.01, 0.02, 0.03])
@pytest.mark.parametrize("fps", [5, 15, 30])
def test_noise_on_the_line_is_no_crossing(fps: float, sigma: float) -> None:
    rng = random.Random(round(fps))
    room = player(fps=fps)
    room.play(walk(1, (200, 400), (319.5, 400), fps=fps))
    assert room.play([jittered(standing(1, (319.5, 400)), sigma, rng)] for _ in range(round(40 * fps))) == []


def test_a_person_who_was_lost_on_the_line_has_crossed() -> None:
    room = player()
    room.show(standing(1, (250, 400)), for_s=1)
    room.show(for_s=1.5)
    assert types(room.show(standing(1, (400, 400)), for_s=1)) == ["crossed_in"]
    room.show(for_s=1.5)
    assert room.show(standing(2, (250, 400)), for_s=1) == [], "a new ID is another person"


def test_a_stall_between_both_sides_is_a_crossing() -> None:
    room = player()
    room.show(standing(1, (250, 400)), for_s=1)
    room.pause(300)
    assert types(room.show(standing(1, (400, 400)), for_s=1)) == ["crossed_in"]


def test_feet_that_are_hidden_do_not_jump_over_the_line() -> None:
    waist = Line("waist", (0.0, 0.7), (1.0, 0.7))  # y = 335.5 px, between hips and feet
    someone = standing(1, (300, 400))
    points = zip(STANDING, someone.keypoints, strict=True)
    hidden = person(1, {name: point[:2] for name, point in points if point and "ANKLE" not in name})
    room = player(waist)
    events = []
    for _ in range(5):
        events += room.show(someone, for_s=1)
        events += room.show(hidden, for_s=3)
    assert events == []


def test_each_person_crosses_each_line() -> None:
    lines = [Line(f"at_{x}", (x / 10, 1.0), (x / 10, 0.4)) for x in (3, 5, 7)]
    room = player(*lines)
    walks = [walk(number, (50, 400 + number), (600, 400 + number), speed=90 + 10 * number) for number in range(8)]
    room.play(zip(*([one for (one,) in frames] for frames in walks), strict=False))  # until the first one arrives
    room.show(*(standing(number, (600, 400 + number)) for number in range(8)), for_s=1)
    assert sorted((event.person, event.zone, event.type) for event in room.events) == sorted(
        (number, line.name, "crossed_in") for number in range(8) for line in lines
    )


@pytest.mark.parametrize("fps", [5, 15, 30])
@pytest.mark.parametrize("seed", range(6))
def test_the_crossings_of_a_random_walk_alternate(fps: float, seed: int) -> None:
    """The line goes from edge to edge. The walk ends on its right."""
    rng = random.Random(seed)
    across = Line("across", (0.5, 1.0), (0.4, 0.0))
    places = [(rng.uniform(20, 620), rng.uniform(250, 470)) for _ in range(30)]
    room = player(across, fps=fps)
    frames = ([jittered(one, 0.02, rng) for one in people] for people in walk(1, *places, speed=150, fps=fps))
    room.play(frames)
    room.show(standing(1, (600, 400)), for_s=1)
    kinds = types(room.events)
    assert all(one != next_ for one, next_ in pairwise(kinds))
    assert kinds[-1] == "crossed_in"
