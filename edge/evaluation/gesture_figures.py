"""Compare the gestures that were reported in a clip with the true ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip, Gesture
from edge.evaluation.people_matching import Matching
from edge.rules.values import Event

EARLY_S = 0.3  # before a gesture is complete, it may be recognised already
LATE_S = 1.0  # after it ended


@dataclass(slots=True)
class GestureFigures:
    """A true gesture, and whether it was reported."""

    name: str
    on_s: float
    optional: bool
    found_s: float | None = None
    delay_s: float | None = None  # from its beginning


@dataclass(frozen=True, slots=True)
class FalseGesture:
    """A reported gesture that did not happen, that another person made, or that was reported before."""

    name: str
    at_s: float
    person: int | None


@dataclass(frozen=True, slots=True)
class ClipGestures:
    """All that was reported about gestures in a clip."""

    gestures: list[GestureFigures] = field(default_factory=list)
    false: list[FalseGesture] = field(default_factory=list)


def measure_gestures(clip: Clip, played: Sequence[Played], matching: Matching | None) -> ClipGestures | None:
    """None if the gestures in the clip are not known."""
    if clip.gestures is None:
        return None
    result = ClipGestures([GestureFigures(one.name, one.on_s, one.optional) for one in clip.gestures])
    for one in played:
        for event in one.outcome.events:
            if event.rule != "gesture" or event.type == "ended":
                continue
            possible = [n for n, true in enumerate(clip.gestures) if _is_of(event, one.at_s, true, matching)]
            open_ = [n for n in possible if result.gestures[n].found_s is None]
            if open_:
                found = result.gestures[open_[0]]
                found.found_s, found.delay_s = one.at_s, round(one.at_s - found.on_s, 3)
            elif not any(clip.gestures[n].optional for n in possible):
                result.false.append(FalseGesture(event.type, one.at_s, event.person))
    return result


def _is_of(event: Event, at_s: float, true: Gesture, matching: Matching | None) -> bool:
    if event.type != true.name or not true.on_s - EARLY_S <= at_s <= true.off_s + LATE_S:
        return False
    if matching is None or true.person is None or event.person is None:
        return True
    return matching.owner(event.person, at_s) == true.person
