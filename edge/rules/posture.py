"""Classify postures from the geometry of bodies.

What counts is how much of a body's length stands upright in the picture, compared with the same person standing: that
works from every side, and for a body that lies along the view as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.geometry import Position
from edge.rules.body import LEG, NECK, THIGH, TORSO, Body, Stature
from edge.rules.values import Posture, Subject

FORGET_S = 10.0  # how long the size and the posture of an absent person are kept
SMOOTHING_S = 0.25  # time constant of the votes of single frames
BENT_S = 10.0  # how long a person bends over at most
STILL = 0.12  # a person whose face and shoulders moved less, in heights, keeps the posture when too little is visible

# Limits of vertical lengths, as shares of the same lengths of a standing person.
UPRIGHT_TORSO = 0.75  # with more, the torso is upright
FLAT_TORSO = 0.55  # with less, the torso lies
LOW_TORSO, LOW_TOTAL = 0.75, 0.55  # with less of both, the person lies along the view of a camera mounted high
BENT_LEGS, BENT_THIGH = 0.62, 0.7  # with more, a person with a flat torso bends or kneels
SITTING_LOWERED, LOWERED_WEIGHT = 0.93, 12.0
SITTING_THIGH, SITTING_LEGS, SITTING_TOTAL = 0.63, 0.77, 0.83  # halfway between people who sit and who stand


@dataclass(slots=True)
class _Known:
    """What is known of a person from earlier frames."""

    stature: Stature = field(default_factory=Stature)
    votes: dict[Posture, float] = field(default_factory=dict)
    posture: Posture = "unknown"
    body: Body | None = None  # that showed this posture
    upright_s: float = -math.inf  # when the torso was last upright
    upright_hips_y: float = 0.0
    seen_s: float = -math.inf


class PostureClassifier:
    """Classifies each person's posture, smoothed over a few frames."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def update(self, people: Sequence[Subject], now_s: float) -> list[Posture]:
        """The postures of people, in the same order."""
        postures = [_posture(self._known.setdefault(one.id, _Known()), one.body, now_s) for one in people]
        if len(self._known) > len(people):
            self._known = {id_: one for id_, one in self._known.items() if now_s - one.seen_s < FORGET_S}
        return postures


def _posture(known: _Known, body: Body, now_s: float) -> Posture:
    height_px = known.stature.update(body, now_s)
    seen = classify(body, height_px, known.stature.standing) if height_px else None
    if seen is None and height_px and known.body and _is_still(body, known.body, height_px):
        seen = known.posture
    elif seen == "lying" and height_px and now_s - known.upright_s < BENT_S and _only_bent(body, known, height_px):
        seen = "unknown"
    if height_px and body.hips and body.torso and -body.torso[1] > UPRIGHT_TORSO * TORSO * height_px:
        known.upright_s, known.upright_hips_y = now_s, body.hips[1]
    if seen is not None and seen != "unknown":
        known.posture, known.body = seen, body
    seen = seen or "unknown"
    decay = math.exp(-max(now_s - known.seen_s, 0.0) / SMOOTHING_S)
    known.seen_s = now_s
    known.votes = {posture: vote * decay for posture, vote in known.votes.items()}
    known.votes[seen] = known.votes.get(seen, 0.0) + 1 - decay
    return max(known.votes, key=known.votes.__getitem__)


def classify(body: Body, height_px: float, standing: tuple[Position, float] | None = None) -> Posture | None:
    """The posture that one frame shows, of a person who is `height_px` high while standing; None if too little shows.

    It is "unknown" if enough is visible, but the posture is none of the others. `standing` is `Stature.standing`.
    """
    torso = -body.torso[1] / (height_px * TORSO) if body.torso else None
    thigh = _drop(body.hips, body.knees, height_px * THIGH)
    legs = _drop(body.hips, body.feet, height_px * LEG)
    total = _drop(body.shoulders, body.feet, height_px * (TORSO + LEG))
    if total is None:
        total = _drop(body.head, body.feet, height_px * (NECK + TORSO + LEG))
    if torso is not None and torso < FLAT_TORSO:
        is_bent = (thigh or 0) > BENT_THIGH if legs is None else legs > BENT_LEGS
        return "unknown" if is_bent else "lying"
    if total is not None and total < LOW_TOTAL and (torso is None or torso < LOW_TORSO):
        return "lying"
    limits = ((thigh, SITTING_THIGH), (legs, SITTING_LEGS), (total, SITTING_TOTAL))
    signs = [value / limit - 1 for value, limit in limits if value is not None]
    if not signs:
        return None
    lowered = _lowered(body, standing, height_px)
    if lowered is not None:
        signs.append(LOWERED_WEIGHT * (lowered / SITTING_LOWERED - 1))
    return "standing" if sum(signs) > 0 else "sitting"


def _only_bent(body: Body, known: _Known, height_px: float) -> bool:
    """Whether a person whose legs are hidden seems to lie, but the hips are as high as with an upright torso before."""
    if body.knees or body.feet or not body.hips:
        return False
    return body.hips[1] - known.upright_hips_y < STILL * height_px


def _lowered(body: Body, standing: tuple[Position, float] | None, height_px: float) -> float | None:
    """How high the shoulders are above feet that are where they were when the person stood, as a share of then.

    Seen from a camera mounted high, a person who sits in front of it looks like a smaller one who stands.
    """
    if not (standing and body.feet and body.shoulders):
        return None
    feet, reach_px = standing
    if math.dist(body.feet, feet) > STILL * height_px or reach_px <= 0:
        return None
    return (body.feet[1] - body.shoulders[1]) / reach_px


def _drop(upper: Position | None, lower: Position | None, length_px: float) -> float | None:
    """How far a point is below another one, as a share of a length; None if one of them is not visible."""
    return (lower[1] - upper[1]) / length_px if lower and upper else None


def _is_still(body: Body, before: Body, height_px: float) -> bool:
    """Whether the upper body is where it was."""
    pairs = [
        (now, then) for now, then in ((body.head, before.head), (body.shoulders, before.shoulders)) if now and then
    ]
    return bool(pairs) and all(math.dist(now, then) < STILL * height_px for now, then in pairs)
