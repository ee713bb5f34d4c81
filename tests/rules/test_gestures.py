"""Gestures: raised hands and waving."""

import math
import random
from collections.abc import Iterator, Sequence

import pytest

from edge.rules.gestures import Gestures
from edge.rules.rules import Rules
from edge.rules.values import Event, Posture, Subject
from edge.types import Person
from tests.support.people import STANDING, person
from tests.support.rules import Player, jittered

Arms = dict[str, tuple[float, float]]

LEFT_UP: Arms = {"LEFT_ELBOW": (128, 20), "LEFT_WRIST": (130, -15)}  # the torso is 70 px long
RIGHT_UP: Arms = {"RIGHT_ELBOW": (72, 20), "RIGHT_WRIST": (70, -15)}
PHONE: Arms = {"RIGHT_ELBOW": (68, 78), "RIGHT_WRIST": (76, 38)}
HAND_ON_HEAD: Arms = {"RIGHT_ELBOW": (55, 30), "RIGHT_WRIST": (82, 2)}
FPS = [5, 15, 30]


def player(fps: float = 15.0, *, hold_s: float = 1.0, posture: Posture | None = None) -> Player:
    return Player(Rules([Gestures(hold_s=hold_s)], postures=Always(posture) if posture else None), fps=fps)


class Always:
    def __init__(self, posture: Posture) -> None:
        self._posture = posture

    def update(self, people: Sequence[Subject], now_s: float) -> list[Posture]:  # noqa: ARG002 - the interface
        return [self._posture] * len(people)


def posed(*arms: Arms, id_: int = 1, at: tuple[float, float] = (100, 100)) -> Person:
    points = dict(STANDING)
    for arm in arms:
        points |= arm
    return person(id_, points, at=at)


def waving(seconds: float, fps: float, *, hz: float = 1.6, width: float = 32, id_: int = 1) -> Iterator[list[Person]]:
    """The right forearm swings from side to side."""
    for number in range(round(seconds * fps)):
        x = 50 + width / 2 * math.sin(2 * math.pi * hz * number / fps)
        yield [posed({"RIGHT_ELBOW": (52, 60), "RIGHT_WRIST": (x, 22)}, id_=id_)]


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        ([LEFT_UP], "left_hand_raised"),
        ([RIGHT_UP], "right_hand_raised"),
        ([LEFT_UP, RIGHT_UP], "both_hands_raised"),
    ],
)
def test_a_hand_that_is_held_up_is_raised_until_it_is_down(arms: list[Arms], expected: str, fps: float) -> None:
    room = player(fps)
    room.show(posed(), for_s=2)
    raised = room.show(posed(*arms), for_s=4)
    ended = room.show(posed(), for_s=2)
    assert (types(raised), types(ended)) == ([expected], ["ended"])
    assert raised[0].id == ended[0].id
    assert (raised[0].rule, raised[0].person) == ("gesture", 1)
    assert raised[0].wall_s - 1_795_370_400 == pytest.approx(3.0, abs=0.1 + 2 / fps)
    assert raised[0].reasons[0].endswith("wrist 0.93 torso lengths above the shoulder")
    assert ended[0].duration_s == pytest.approx(3.4, abs=0.1 + 2 / fps)


@pytest.mark.parametrize("fps", FPS)
def test_a_hand_that_is_raised_only_briefly_is_no_gesture(fps: float) -> None:
    room = player(fps)
    room.play([[posed(), posed(LEFT_UP), posed()][stage]] for stage in (0, 1, 2) for _ in range(round(0.8 * fps)))
    assert room.events == []


def test_hold_s_is_the_time_until_a_gesture() -> None:
    room = player(hold_s=3.0)
    (raised,) = room.show(posed(LEFT_UP), for_s=5)
    assert raised.wall_s - 1_795_370_400 == pytest.approx(3.1, abs=0.1)


def test_the_second_hand_may_follow_a_little_later() -> None:
    room = player()
    room.show(posed(), for_s=1)
    room.show(posed(LEFT_UP), for_s=0.4)
    room.show(posed(LEFT_UP, RIGHT_UP), for_s=3)
    room.show(posed(LEFT_UP), for_s=0.4)
    room.show(posed(), for_s=2)
    assert types(room.events) == ["both_hands_raised", "ended"]


def test_a_second_hand_that_joins_much_later_goes_on_with_the_same_event() -> None:
    room = player()
    room.show(posed(LEFT_UP), for_s=3)
    room.show(posed(LEFT_UP, RIGHT_UP), for_s=3)
    room.show(posed(), for_s=2)
    assert types(room.events) == ["left_hand_raised", "both_hands_raised", "ended"]
    assert len({event.id for event in room.events}) == 1


@pytest.mark.parametrize("arms", [PHONE, HAND_ON_HEAD], ids=["telephone", "hand on the head"])
@pytest.mark.parametrize("fps", FPS)
def test_a_hand_at_the_head_is_not_raised(arms: Arms, fps: float) -> None:
    rng = random.Random(1)
    assert player(fps).play([jittered(posed(arms), 0.005, rng)] for _ in range(round(30 * fps))) == []


@pytest.mark.parametrize("period_s", [0.6, 1.0, 1.6])
@pytest.mark.parametrize("fps", FPS)
def test_arms_that_go_up_and_down_as_in_exercise_are_no_gesture(fps: float, period_s: float) -> None:
    def frames() -> Iterator[list[Person]]:
        for number in range(round(20 * fps)):
            turn = -math.cos(2 * math.pi * number / fps / period_s) * math.pi / 2  # from down to up
            arms = {}
            for name, x, sign in (("LEFT", 118, 1), ("RIGHT", 82, -1)):
                for part, length in (("ELBOW", 35), ("WRIST", 68)):
                    arms[f"{name}_{part}"] = (x + sign * length * math.cos(turn), 50 - length * math.sin(turn))
            yield [posed(arms)]

    assert player(fps).play(frames()) == []


def test_people_who_lie_make_no_gestures() -> None:
    assert player(posture="lying").show(posed(LEFT_UP), for_s=5) == []
    head_down = {name: (x, 300 - y) for name, (x, y) in STANDING.items()}
    arms_down = person(1, head_down)  # the wrists are above the shoulders on the picture
    assert player().show(arms_down, for_s=5) == []


def test_people_who_sit_raise_hands_and_hidden_hips_do_not_matter() -> None:
    legs = ("HIP", "KNEE", "ANKLE")
    seated = {name: point for name, point in {**STANDING, **RIGHT_UP}.items() if not name.endswith(legs)}
    assert types(player(posture="sitting").show(person(1, seated), for_s=2)) == ["right_hand_raised"]


def test_a_wrist_out_of_reach_belongs_to_another_person() -> None:
    assert player().show(posed({"LEFT_ELBOW": (160, 0), "LEFT_WRIST": (230, -80)}), for_s=5) == []


def test_a_hidden_elbow_needs_a_hand_that_is_clearly_up() -> None:
    def without_elbow(wrist_y: float) -> Person:
        points = {**STANDING, "LEFT_WRIST": (150, wrist_y)}
        return person(1, {name: point for name, point in points.items() if name != "LEFT_ELBOW"})

    assert player().show(without_elbow(22), for_s=5) == []
    assert types(player().show(without_elbow(0), for_s=5)) == ["left_hand_raised"]


@pytest.mark.parametrize("fps", FPS)
def test_single_wrong_frames_do_not_matter(fps: float) -> None:
    """Sometimes left and right are exchanged, wrists are hidden, or the person is missing."""
    rng = random.Random(2)
    exchanged, no_wrist = posed(RIGHT_UP), posed(LEFT_UP)
    no_wrist = person(1, {
        name: point[:2]
        for name, point in zip(STANDING, no_wrist.keypoints, strict=True) if point and "WRIST" not in name
    })  # fmt: skip

    def frames() -> Iterator[list[Person]]:
        for number in range(round(20 * fps)):
            wrong: list[list[Person]] = [[exchanged], [no_wrist], []]
            yield wrong[number // 10 % 3] if number % 10 == 5 else [jittered(posed(LEFT_UP), 0.01, rng)]

    room = player(fps)
    room.play(frames())
    room.show(posed(), for_s=2)
    assert types(room.events) == ["left_hand_raised", "ended"]


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize(("hz", "width"), [(1.0, 40), (1.6, 32), (2.3, 25)])
def test_a_hand_that_swings_from_side_to_side_waves(fps: float, hz: float, width: float) -> None:
    rng = random.Random(3)
    room = player(fps)
    room.show(posed(), for_s=1)
    frames = ([jittered(one, 0.005, rng) for one in people] for people in waving(5, fps, hz=hz, width=width))
    begun = types(room.play(frames))
    assert begun in (["waving"], ["right_hand_raised", "waving"])
    room.show(posed(), for_s=3)
    assert types(room.events) == [*begun, "ended"]
    assert len({event.id for event in room.events}) == 1
    wave = room.events[len(begun) - 1]
    side, rate = wave.reasons[0].split(" hand waves ")
    assert side == "right"
    if fps > 5:
        assert float(rate.split()[0]) == pytest.approx(hz, abs=0.2)


def test_the_same_event_goes_on_when_a_raised_hand_waves() -> None:
    room = player()
    room.show(posed({"RIGHT_ELBOW": (52, 60), "RIGHT_WRIST": (50, 22)}), for_s=3)
    room.play(waving(4, 15))
    room.show(posed(), for_s=2)
    assert types(room.events) == ["right_hand_raised", "waving", "ended"]
    assert len({event.id for event in room.events}) == 1


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("sigma", [0.005, 0.01])
def test_an_unsteady_hand_does_not_wave(fps: float, sigma: float) -> None:
    rng = random.Random(4)
    room = player(fps)
    room.play([jittered(posed(RIGHT_UP), sigma, rng)] for _ in range(round(30 * fps)))
    assert types(room.events) == ["right_hand_raised"]


def test_a_person_who_is_lost_ends_the_gesture() -> None:
    room = player()
    room.show(posed(LEFT_UP), for_s=3)
    (ended,) = room.show(for_s=5)
    assert (ended.type, ended.reasons) == ("ended", ("not seen for 1.0 s",))


def test_a_stall_is_no_time_held() -> None:
    room = player()
    room.show(posed(LEFT_UP), for_s=0.4)
    room.pause(600)
    assert room.show(posed(LEFT_UP), for_s=0.1) == []


def test_each_person_has_their_own_gestures() -> None:
    room = player()
    arms = [[], [LEFT_UP], [RIGHT_UP], [LEFT_UP, RIGHT_UP]] * 2
    people = [posed(*one, id_=number, at=(70 * number, 100)) for number, one in enumerate(arms)]
    room.show(*people, for_s=3)
    assert [(event.person, event.type) for event in room.events] == [
        (1, "left_hand_raised"), (2, "right_hand_raised"), (3, "both_hands_raised"),
        (5, "left_hand_raised"), (6, "right_hand_raised"), (7, "both_hands_raised"),
    ]  # fmt: skip
    assert len({event.id for event in room.events}) == 6


@pytest.mark.parametrize("fps", [5, 30])
@pytest.mark.parametrize("seed", range(4))
def test_every_gesture_ends(fps: float, seed: int) -> None:
    """Arms move at random, people come and go."""
    rng = random.Random(seed)
    poses = [posed(), posed(LEFT_UP), posed(RIGHT_UP), posed(LEFT_UP, RIGHT_UP), posed(PHONE)]
    room = player(fps)
    for _ in range(25):
        someone = rng.choice([*poses, None])
        seconds = rng.uniform(0.1, 3)
        if rng.random() < 0.2:
            room.play(waving(seconds, fps))
        elif someone:
            room.play([jittered(someone, 0.005, rng)] for _ in range(round(seconds * fps)))
        else:
            room.show(for_s=seconds)
    room.show(for_s=2)
    going_on = None
    for event in room.events:
        if event.type == "ended":
            assert event.id == going_on
            going_on = None
        else:
            assert going_on in {None, event.id}
            going_on = event.id
    assert room.events
    assert going_on is None


@pytest.mark.parametrize("fps", FPS)
def test_waving_ends_although_the_hand_stays_up_and_its_shoulder_is_hidden(fps: float) -> None:
    room = player(fps)
    begun = room.play(waving(4, fps))
    points = {part: at for part, at in STANDING.items() if part != "RIGHT_SHOULDER"}
    held = person(1, points | {"RIGHT_ELBOW": (52, 60), "RIGHT_WRIST": (50, 0)})
    ended = room.show(held, for_s=3)
    assert "waving" in types(begun)
    assert "ended" in types(ended)


def test_a_gesture_ends_when_the_picture_is_lost_and_begins_again_with_it() -> None:
    room = player()
    (raised,) = room.show(posed(LEFT_UP), for_s=3)
    (ended,) = room.lose(20)
    assert (ended.type, ended.id, ended.person, ended.reasons) == ("ended", raised.id, 1, ("camera stalled",))
    assert room.show(posed(LEFT_UP), for_s=0.8) == []
    (again,) = room.show(posed(LEFT_UP), for_s=2)
    assert (again.type, again.id != raised.id) == ("left_hand_raised", True)
