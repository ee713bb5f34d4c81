"""Which frames a network sees while no person is in view."""

import numpy as np

from edge.pipeline.idle import ABSENT_S, AWAKE_S, CANDIDATE_S, Idle
from edge.types import Floats

FPS = 10
ROOM: Floats = np.full((58, 78), 90, np.float32)
CHANGED = ROOM.copy()
CHANGED[20:26, 30:34] = 40


class Watch:
    """A camera and a network that answers at once, ten frames per second."""

    def __init__(self, *, after_s: float = 5.0, check_s: float = 2.0) -> None:
        self.idle = Idle(after_s=after_s, check_s=check_s)
        self.now_s = 100.0
        self.reduced = 0  # pictures that were reduced

    def shown(
        self, seconds: float, cells: Floats = ROOM, *, people: bool = False, poses: bool | None = None
    ) -> list[float]:
        """The times since the start of this span at which a network saw a frame; it found these people or poses."""

        def reduce() -> Floats:
            self.reduced += 1
            return cells

        start_s, times = self.now_s, list[float]()
        for _ in range(round(seconds * FPS)):
            if not self.idle.skips(reduce, self.now_s):
                times.append(round(self.now_s - start_s, 3))
                self.idle.observe(people=people, poses=people if poses is None else poses, now_s=self.now_s)
            self.now_s += 1 / FPS
        return times

    def is_active(self) -> bool:
        return self.idle.active


def idling(watch: Watch) -> Watch:
    watch.shown(8)
    assert watch.is_active()
    return watch


def test_every_frame_is_shown_until_idle_begins_and_then_one_every_check() -> None:
    watch = Watch(after_s=5.0, check_s=2.0)
    assert len(watch.shown(5)) == 5 * FPS
    assert not watch.is_active()
    times = watch.shown(8)
    assert watch.is_active()
    np.testing.assert_allclose(np.diff(times), 2.0, atol=0.11)


def test_a_change_is_shown_at_once_and_for_a_second() -> None:
    watch = idling(Watch(check_s=3.0))
    watch.shown(0.5)
    assert watch.shown(0.1, CHANGED) == [0.0]
    times = watch.shown(3)
    assert times[: round(AWAKE_S * FPS) - 1] == [n / FPS for n in range(round(AWAKE_S * FPS) - 1)]
    assert len(times) <= round(AWAKE_S * FPS) + 1


def test_a_person_found_by_a_check_ends_idle_mode() -> None:
    watch = idling(Watch(after_s=5.0))
    (first, *others) = watch.shown(6, people=True)
    assert others == [round(first + (n + 1) / FPS, 3) for n in range(len(others))], "every frame from then on"
    assert not watch.is_active()
    assert len(watch.shown(4.9)) == 49, "for `after_s` after the last person"
    watch.shown(5)
    assert watch.is_active()


def test_while_a_person_is_in_view_no_picture_is_compared() -> None:
    watch = Watch()
    watch.shown(1, people=True)
    watch.reduced = 0
    watch.shown(10, people=True)
    assert watch.reduced == 0


def test_a_pose_that_gets_no_id_prolongs_the_look_for_some_seconds_only() -> None:
    watch = idling(Watch())
    watch.shown(2.0, poses=False)
    first, *_ = times = watch.shown(20, poses=True)
    looked_s = CANDIDATE_S + AWAKE_S
    assert len([one for one in times if first <= one < first + looked_s - 0.2]) >= round((looked_s - 0.2) * FPS) - 1
    late = [one for one in times if one > first + looked_s + 0.2]
    assert len(late) <= 7, "one at each check"
    watch.shown(2.5, poses=False)
    assert len(watch.shown(4, poses=True)) < 5, "a coat that is taken for a person now and then"
    watch.shown(ABSENT_S + 2.5, poses=False)
    assert len(watch.shown(4, poses=True)) > 2 * FPS, "another pose is looked at again"


def test_0_seconds_switch_idle_mode_off() -> None:
    watch = Watch(after_s=0)
    assert len(watch.shown(100)) == 1000
    assert watch.reduced == 0
    assert not watch.is_active()


def test_a_clock_that_goes_back_starts_the_wait_again() -> None:
    watch = idling(Watch(after_s=5.0))
    watch.now_s = 3.0
    assert len(watch.shown(4.9)) == 49
    assert not watch.is_active()
    watch.shown(5)
    assert watch.is_active()


def test_restart_shows_every_frame_again() -> None:
    watch = idling(Watch(after_s=5.0))
    watch.idle.restart()
    assert len(watch.shown(4.9)) == 49


def test_pictures_of_a_fast_camera_are_compared_a_dozen_times_a_second_at_most() -> None:
    idle, reduced = Idle(after_s=1.0, check_s=3.0), 0

    def reduce() -> Floats:
        nonlocal reduced
        reduced += 1
        return ROOM

    for n in range(60 * 10):
        idle.skips(reduce, n / 60)
    assert 8 * 10 < reduced < 12 * 10
