"""Which frames the strip of an event keeps."""

import pytest

from edge.report.strips import BEFORE_S, Strip, Strips
from edge.rules.values import Event, State
from tests.support.people import observation, person

STEP_S = 0.1


def event(rule: str, type_: str, id_: str = "e") -> Event:
    return Event(rule, type_, id_, 0, 0.0, 0.0, 0.0, person=1)


class Player:
    def __init__(self) -> None:
        self.strips = Strips()
        self.number = 0

    def play(self, seconds: float, step_s: float = STEP_S) -> None:
        for _ in range(round(seconds / step_s)):
            self.number += 1
            self._at_s = getattr(self, "_at_s", 50.0) + step_s
            self.strips.frame(observation(self.number, person(1), at_s=round(self._at_s, 3)), State(people=1))

    def begin(self, rule: str, type_: str) -> Strip:
        strip = self.strips.begin(event(rule, type_))
        assert strip is not None
        return strip


def offsets(strip: Strip) -> list[float]:
    return [panel.offset_s for panel in strip.panels]


def test_a_fall_has_eight_frames_from_before_to_its_end() -> None:
    player = Player()
    player.play(5)
    strip = player.begin("fall", "suspected")
    player.play(20)
    player.strips.end(event("fall", "cleared"))
    player.play(1)
    assert offsets(strip) == pytest.approx([-2.4, -1.2, -0.8, -0.4, 0.0, 1.0, 2.5, 20.0])


def test_a_fall_that_ends_early_keeps_the_order_of_time() -> None:
    player = Player()
    player.play(5)
    strip = player.begin("fall", "suspected")
    player.play(1.5)
    player.strips.end(event("fall", "dismissed"))
    player.play(5)
    assert offsets(strip) == pytest.approx([-2.4, -1.2, -0.8, -0.4, 0.0, 1.0, 1.5, 2.5])


@pytest.mark.parametrize("rule", ["gesture", "line", "zone"])
def test_other_events_have_three_frames(rule: str) -> None:
    player = Player()
    player.play(5)
    strip = player.begin(rule, "begun")
    player.play(5)
    assert offsets(strip) == pytest.approx([-0.8, 0.0, 0.8])


def test_presence_has_no_strip() -> None:
    player = Player()
    player.play(1)
    assert player.strips.begin(event("presence", "arrived")) is None


def test_a_frame_is_shown_once_and_missing_ones_are_left_out() -> None:
    player = Player()
    player.play(8, step_s=2.0)
    strip = player.begin("fall", "suspected")
    player.play(8, step_s=2.0)
    assert offsets(strip) == [-2.0, 0.0]


def test_frames_before_a_gap_belong_to_nothing_after_it() -> None:
    player = Player()
    player.play(2)
    before = player.begin("line", "crossed_in")
    player.strips.lost()
    player.play(0.1)
    after = player.begin("line", "crossed_out")
    player.play(2)
    assert offsets(before) == pytest.approx([-0.8, 0.0])
    assert offsets(after) == pytest.approx([0.0, 0.8])


def test_only_recent_frames_are_kept() -> None:
    player = Player()
    player.play(60)
    assert len(player.strips._recent) <= BEFORE_S / STEP_S + 2
    player.begin("line", "crossed_in")
    player.play(60)
    assert player.strips._open == {}
