"""Add the figures of all clips up."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.evaluation.events_truth import RULES, RuleName
from edge.evaluation.expected_figures import RuleFigures
from edge.evaluation.fall_figures import ClipFalls, FallFigures
from edge.evaluation.gesture_figures import ClipGestures
from edge.evaluation.people_figures import PeopleFigures
from edge.evaluation.presence_figures import PresenceFigures

APART = ("slow", "deliberate", "bed")  # kinds of falls that are not counted in recall and precision
SHORT_S = 5.0  # a clip that ends sooner after the start of a fall may be too short to confirm it


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """All figures of a clip. None means not measured."""

    name: str
    duration_s: float
    frames: int
    people: PeopleFigures | None
    presence: PresenceFigures | None
    falls: ClipFalls | None
    gestures: ClipGestures | None
    expected: dict[RuleName, RuleFigures]  # rule -> its figures, for the rules that are measured
    networks: tuple[str, ...] = ()  # the models that saw the frames; none if a recording was played
    flaws: tuple[str, ...] = ()  # of the recording


def totals(clips: Sequence[ClipFigures]) -> dict[str, Any]:
    """The sums over all clips, and the rates from them. None means not measured."""
    people = [clip.people for clip in clips if clip.people is not None]
    falls = [clip for clip in clips if clip.falls is not None]
    gestures = [clip.gestures for clip in clips if clip.gestures is not None]
    presence = [clip.presence for clip in clips if clip.presence is not None]
    return {
        "clips": len(clips),
        "duration_s": round(sum(clip.duration_s for clip in clips), 3),
        "frames": sum(clip.frames for clip in clips),
        "people": _people(people) if people else None,
        "posture": _postures([counts for one in people if (counts := one.postures) is not None]),
        "present": _presence(presence) if presence else None,
        **{rule: _expected([clip.expected[rule] for clip in clips if rule in clip.expected]) for rule in RULES},
        "fall": _falls([one.falls for one in falls if one.falls], sum(one.duration_s for one in falls)),
        "gesture": _gestures(gestures) if gestures else None,
    }


def _people(parts: Sequence[PeopleFigures]) -> dict[str, Any]:
    total: dict[str, Any] = {
        name: _sum(getattr(one, name) for one in parts) for name in asdict(parts[0]) if name != "postures"
    }
    return {
        "clips": len(parts),
        **total,
        "too_many_share": _ratio(total["too_many"], total["frames"]),
        "too_few_share": _ratio(total["too_few"], total["frames"]),
        "ids_per_person": _ratio(total["ids"], total["people"]),
        "down_seen_share": _ratio(total["down_seen"], total["down_frames"]),
    }


def _postures(parts: Sequence[dict[str, dict[str, int]]]) -> dict[str, Any] | None:
    """The confusion matrix. People whose true posture is unknown do not count in the accuracy."""
    if not parts:
        return None
    confusion = {true: {name: sum(part[true][name] for part in parts) for name in parts[0][true]} for true in parts[0]}
    known = {true: row for true, row in confusion.items() if true != "unknown"}
    count = sum(sum(row.values()) for row in known.values())
    return {
        "count": count,
        "accuracy": _ratio(sum(row[true] for true, row in known.items()), count),
        "confusion": confusion,
    }


def _presence(parts: Sequence[PresenceFigures]) -> dict[str, Any]:
    total = {name: sum(getattr(one, name) for one in parts) for name in asdict(parts[0])}
    return {
        **total,
        "present_share": _ratio(total["present"], total["occupied"]),
        "absent_share": _ratio(total["absent"], total["empty"]),
    }


def _expected(parts: Sequence[RuleFigures]) -> dict[str, Any] | None:
    if not parts:
        return None
    expected = [one for part in parts for one in part.expected]
    found = [one for one in expected if one.found_s is not None]
    false = sum(len(part.false) for part in parts)
    return {
        "events": len(expected),
        "found": len(found),
        "recall": _ratio(len(found), len(expected)),
        "false": false,
        "precision": _ratio(len(found), len(found) + false),
    }


def _falls(parts: Sequence[ClipFalls], duration_s: float) -> dict[str, Any] | None:
    if not parts:
        return None
    every = [fall for part in parts for fall in part.falls]
    falls = [fall for fall in every if fall.kind == "fall"]
    found = [fall for fall in falls if fall.found]
    missed = [fall for fall in falls if not fall.found]
    false = sum(len(part.false_alarms) for part in parts)
    repeated = sum(fall.repeated for fall in falls)
    to_clear = [fall for fall in falls if fall.cleared is not None]
    return {
        "falls": len(falls),
        "found": len(found),
        "recall": _ratio(len(found), len(falls)),
        "suspected": sum(fall.suspected for fall in falls),
        "late": sum(fall.confirmed_s is not None for fall in missed),
        "missed_in_short_clips": sum(fall.left_s < SHORT_S for fall in missed),
        "wrong_person": sum(fall.wrong_person for fall in falls),
        "repeated": repeated,
        "false_alarms": false,
        "false_alarms_per_h": _ratio(false, duration_s / 3600),
        "false_suspicions": sum(part.false_suspicions for part in parts),
        "precision": _ratio(len(found), len(found) + false + repeated),
        **_delays([fall.delay_s for fall in found]),
        "to_clear": len(to_clear),
        "cleared": sum(bool(fall.cleared) for fall in to_clear),
        "clear_recall": _ratio(sum(bool(fall.cleared) for fall in to_clear), len(to_clear)),
        "cleared_early": sum(fall.cleared_early for fall in falls),
        "apart": {kind: _apart(fall for fall in every if fall.kind == kind) for kind in APART},
    }


def _apart(falls: Iterable[FallFigures]) -> dict[str, int]:
    alarms = [fall.confirmed_s is not None for fall in falls]
    return {"happened": len(alarms), "reported": sum(alarms)}


def _gestures(parts: Sequence[ClipGestures]) -> dict[str, Any]:
    wanted = [gesture for part in parts for gesture in part.gestures if not gesture.optional]
    found = [gesture for gesture in wanted if gesture.found_s is not None]
    false = sum(len(part.false) for part in parts)
    return {
        "gestures": len(wanted),
        "found": len(found),
        "recall": _ratio(len(found), len(wanted)),
        "false": false,
        "precision": _ratio(len(found), len(found) + false),
        **_delays([gesture.delay_s for gesture in found]),
    }


def _delays(values: Iterable[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {
        f"delay_{name}_s": round(float(np.percentile(known, q)), 3) if known else None
        for name, q in (("median", 50), ("p95", 95))
    }


def _sum(values: Iterable[int | None]) -> int | None:
    """The sum of the known values; None if none is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
