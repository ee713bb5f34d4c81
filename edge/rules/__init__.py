"""Rules derive events from tracked people and time, one file per rule. A rule does no I/O and reads no clock."""

from collections.abc import Sequence
from typing import Any, Protocol

from edge.types import Frame, Track


class Rule(Protocol):
    """Derives events from tracks and frame times only; it may keep state between frames."""

    def update(self, people: list[Track], frame: Frame) -> Sequence[Any]: ...  # events


class Rules:
    """All enabled rules, run in order."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)

    def update(self, people: list[Track], frame: Frame) -> list[Any]:
        """The events of this frame, in the order of the rules."""
        return [event for rule in self._rules for event in rule.update(people, frame)]
