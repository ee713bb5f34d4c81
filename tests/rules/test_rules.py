from collections.abc import Sequence

from edge.rules import Rules
from edge.types import Frame, Track
from tests.support.fakes import blank_frame


class Counting:
    """A rule that has one event a frame."""

    def __init__(self, name: str) -> None:
        self._name = name

    def update(self, people: list[Track], frame: Frame) -> Sequence[str]:
        return [f"{self._name} {frame.sequence} {len(people)}"]


def test_every_rule_sees_every_frame_in_order() -> None:
    rules = Rules([Counting("a"), Counting("b")])
    assert rules.update([], blank_frame(3)) == ["a 3 0", "b 3 0"]


def test_without_rules_there_are_no_events() -> None:
    assert Rules().update([], blank_frame(0)) == []
