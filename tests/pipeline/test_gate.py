"""Which frames of a camera pass the gate, what it reports, and how soon a new person gets an ID."""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import pytest

from edge.config import Config
from edge.people.evidence import NEW, UNCONFIRMED
from edge.pipeline.blindness import BLIND_S, UNUSABLE_S
from edge.pipeline.gate import JUDGE_PEOPLE_S, Gate
from edge.scenes.scenes import open_scene
from edge.types import Frame, Image, Track
from tests.support.fakes import ListSource
from tests.support.pipelines import configured, updates
from tests.support.poses import make_pose
from tests.support.sights import EMPTY, SIZE, Camera, Visitor, painted

FPS = 15
AFTER_S = 3.0
ROOM = [painted(EMPTY, n) for n in range(30)]
DARK = [Camera(5, seed=n)(ROOM[0] * 0.01) for n in range(3)]
POSE = make_pose(np.zeros((17, 2)), visible=np.ones(17, np.bool_), confidence=0.8, score=0.7)


def track(number: int | None, rejected: str | None = None) -> Track:
    return Track(number, POSE, 0, 0, rejected)


class Watch:
    """A gate and frames through it, 15 per second."""

    def __init__(self, after_s: float = AFTER_S) -> None:
        self.gate = Gate(idle_after_s=after_s, idle_check_s=2.0, monotonic=lambda: self.now_s)
        self.now_s = 50.0

    def admitted(
        self, images: list[Image], seconds: float, people: Iterable[Track] = (), *, fall: bool = False
    ) -> list[bool]:
        """Whether each frame of these seconds was admitted; a network finds these people in those that were."""
        answers = []
        for n in range(round(seconds * FPS)):
            frame = Frame(images[n % len(images)], 640, 480, n, self.now_s, 0.0)
            answers.append(self.gate.admits(frame))
            if answers[-1]:
                self.gate.observe(list(people), self.now_s, fall=fall)
            self.now_s += 1 / FPS
        return answers

    def state(self) -> tuple[bool, bool]:
        return self.gate.idle, self.gate.blind


@pytest.mark.parametrize("images", [ROOM, DARK], ids=["idle", "blind"])
def test_after_a_restart_frames_go_to_a_network_again(images: list[Image]) -> None:
    watch = Watch()
    watch.admitted(images, BLIND_S + 2)
    assert True in watch.state()
    watch.gate.restart()
    assert all(watch.admitted(images, UNUSABLE_S / 2))


def test_an_empty_room_becomes_idle_and_frames_that_no_network_saw_are_counted() -> None:
    watch = Watch()
    assert all(watch.admitted(ROOM, AFTER_S))
    assert watch.state() == (False, False)
    assert not watch.gate.passed_over
    answers = watch.admitted(ROOM, 6)
    assert watch.state() == (True, False)
    assert sum(answers) <= 4
    assert len(watch.gate.passed_over) == answers.count(False)
    assert list(watch.gate.passed_over) == sorted(watch.gate.passed_over)
    assert 50 + AFTER_S < watch.gate.passed_over[-1] < watch.now_s


@pytest.mark.parametrize("rejected", [track(None, NEW), track(1, UNCONFIRMED)])
def test_a_person_keeps_idle_mode_off_and_a_pose_that_is_not_reported_does_not(rejected: Track) -> None:
    for people, is_idle in (([track(1)], False), ([rejected], True), ([rejected, track(2)], False)):
        watch = Watch()
        watch.admitted(ROOM, 2 * AFTER_S, people)
        assert watch.gate.idle is is_idle


def test_an_open_fall_keeps_idle_mode_off_although_no_person_is_seen() -> None:
    watch = Watch()
    assert all(watch.admitted(ROOM, 5 * AFTER_S, fall=True))
    assert not watch.gate.idle


def test_no_frame_is_admitted_from_a_second_of_darkness_until_the_lamp_is_switched_on() -> None:
    watch = Watch(after_s=0)
    watch.admitted(ROOM, 3)
    answers = watch.admitted(DARK, BLIND_S)
    assert all(answers[: round(UNUSABLE_S * FPS)])
    assert not any(answers[round((UNUSABLE_S + 1) * FPS) :])
    assert watch.state() == (False, False)
    assert not any(watch.admitted(DARK, 1))
    assert watch.state() == (False, True)
    assert all(watch.admitted(ROOM, 3)[2:])
    assert watch.state() == (False, False)


def test_a_stall_between_two_dark_frames_is_no_darkness() -> None:
    watch = Watch(after_s=0)
    watch.admitted(ROOM, 3)
    assert watch.admitted(DARK, 0.6)
    watch.now_s += 20
    assert all(watch.admitted(DARK, 1 / FPS))
    assert watch.state() == (False, False)


def test_a_lens_that_is_covered_in_front_of_a_person_is_noticed() -> None:
    watch = Watch()
    watch.admitted(ROOM, 3, [track(1)])
    watch.admitted(DARK, JUDGE_PEOPLE_S + UNUSABLE_S + 0.5)  # the network sees no person in the dark
    assert not any(watch.admitted(DARK, 1))
    watch.admitted(DARK, BLIND_S)
    assert watch.state() == (False, True)


def test_a_camera_that_starts_in_the_dark_shows_its_first_frames() -> None:
    assert Watch().admitted(DARK, 5)[:FPS] == [True] * FPS


def test_after_darkness_idle_mode_begins_again_with_its_wait() -> None:
    watch = Watch()
    watch.admitted(ROOM, 2 * AFTER_S)
    assert watch.state() == (True, False)
    watch.admitted(DARK, 3)
    assert watch.state() == (False, False)
    assert all(watch.admitted(ROOM, AFTER_S)[2:])


def test_a_person_who_comes_in_very_slowly_passes_the_gate_often() -> None:
    scene = open_scene("slow", width=640, height=480, painted=SIZE, seed=2)
    inside = next(n for n in range(1200) if scene.truth(n)[0].visible.sum() > 8)
    watch = Watch()
    watch.admitted([painted(scene, n) for n in range(inside - 240, inside - 150)], 6)
    assert watch.gate.idle
    answers = watch.admitted([painted(scene, n) for n in range(inside - 150, inside)], 10)
    assert sum(answers) > 30, "far more than the five checks of these seconds"


def sequence_of_first_id(after_s: float, visitor: Visitor, frames: int) -> tuple[int, int]:
    """The frame in which the visitor first has an ID, and how many frames the networks saw until then."""
    _, pipeline = configured(msgspec.convert({"idle": {"after_s": after_s}, "inference": {"threads": 1}}, Config))

    def pictures() -> Iterator[Frame]:
        for n in range(frames):
            yield Frame(painted(visitor, n), 640, 480, n, n / FPS, 0.0)

    seen = updates(pipeline, ListSource(pictures()))
    return next((one.frame.sequence, n) for n, one in enumerate(seen) if any(person.id for person in one.people))


def test_a_person_who_walks_in_gets_an_id_as_soon_as_without_idle_mode() -> None:
    visitor = Visitor(360, wait=75)
    always, all_frames = sequence_of_first_id(0, visitor, 150)
    idle, few_frames = sequence_of_first_id(2.0, visitor, 150)
    assert idle - always <= 0.3 * FPS
    assert few_frames < all_frames - 30, "idle mode was on"
