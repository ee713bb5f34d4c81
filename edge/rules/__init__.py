"""Rules: from people and time to events, one file per rule. A rule has no I/O and no clock of its own."""

from collections.abc import Sequence
from typing import Any, Protocol

from edge.types import Frame, Track


class Rule(Protocol):
    """A pure function of tracks and time, with the memory that it needs."""

    def update(self, people: list[Track], frame: Frame) -> Sequence[Any]: ...  # events


class Rules:
    """Every rule that is switched on, asked in this order."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)

    def update(self, people: list[Track], frame: Frame) -> list[Any]:
        """The events that the people of this frame cause."""
        return [event for rule in self._rules for event in rule.update(people, frame)]
