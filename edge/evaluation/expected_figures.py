"""Compare the events of the rules presence, zone and line with those that the truth lists."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip, RuleName

WITHIN_S = 2.0  # between the listed and the reported time


@dataclass(slots=True)
class ExpectedFigures:
    """A listed event, and when it was reported."""

    type: str
    zone: str | None
    at_s: float
    found_s: float | None = None


@dataclass(frozen=True, slots=True)
class FalseEvent:
    """A reported event that is not listed."""

    type: str
    zone: str | None
    at_s: float
    person: int | None


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """All events of one rule in a clip."""

    expected: list[ExpectedFigures] = field(default_factory=list)
    false: list[FalseEvent] = field(default_factory=list)


def measure_expected(clip: Clip, played: Sequence[Played]) -> dict[RuleName, RuleFigures]:
    """The figures of each rule whose events the truth lists."""
    return {rule: _measure(clip, rule, played) for rule in clip.events}


def _measure(clip: Clip, rule: RuleName, played: Sequence[Played]) -> RuleFigures:
    result = RuleFigures([ExpectedFigures(one.type, one.zone, one.at_s) for one in clip.events[rule]])
    for one in played:
        for event in one.outcome.events:
            if event.rule != rule:
                continue
            possible = [
                expected
                for expected in result.expected
                if (expected.type, expected.zone, expected.found_s) == (event.type, event.zone, None)
                and abs(expected.at_s - one.at_s) <= WITHIN_S
            ]
            if possible:
                min(possible, key=lambda expected: abs(expected.at_s - one.at_s)).found_s = one.at_s
            else:
                result.false.append(FalseEvent(event.type, event.zone, one.at_s, event.person))
    return result
