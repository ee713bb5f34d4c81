"""Who is who from frame to frame: SORT, with COCO's keypoint similarity (OKS) in the place of overlapping boxes.

Everyone is predicted to go on as they went (a Kalman filter of constant velocity), and every pose goes to the person
whose prediction it is most like. A pose that is like nobody may still be somebody near by: who falls has another shape
a moment later, and who was hidden may have slowed down. Nobody has a face here: when two people cross, it is where
they were heading, how they are held and how tall they are that tells them apart afterwards.
"""

import math
from dataclasses import dataclass, replace
from itertools import combinations, count

import numpy as np
import numpy.typing as npt

from edge.skeleton import OKS_SIGMAS
from edge.types import Array, Floats, Pose, Track

# All lengths are relative to a person's size, the diagonal of the box around the keypoints: of a painted person who
# stands, sits, falls or lies, the square root of the area in the picture is always 0.45 to 0.55 of it.
AREA_ROOT = 0.45
SHRINK_S = 2.0  # a size grows at once and shrinks slowly: parts of people are hidden more often than people are small

# The Kalman filter. People change their pace by about half their size per second within half a second.
PLACE_NOISE = 0.02
PACE = 0.6  # of people who were not seen before
PACE_CHANGE = 0.7  # variance of the velocity gained in a second
COAST_S = 1.0  # after that long out of sight, people are expected to stand

SIZE_NOISE = 0.1  # of the logarithm
# Who turns around gets narrower and no lower: of the differences along x this share counts.
ACROSS = 0.2
LEAST_LIKENESS = 0.08
CHANGED_S = 0.25
FEWEST = 4  # keypoints; with fewer in common, two people are alike by chance
REACH_HZ, REACH = 1.5, 1.0  # how far away somebody of another shape may be who was not seen for so long, and at most

_TOLERANCES = np.square(2 * AREA_ROOT * OKS_SIGMAS) / np.array(((ACROSS,), (1.0,)), np.float32)  # (2, 17) variances


@dataclass(frozen=True, slots=True, eq=False)
class _Person:
    """Somebody's track, and where they are expected."""

    track: Track
    hits: int  # how often they were seen
    size_px: float
    xy: Floats  # (17, 2)
    known: npt.NDArray[np.bool_]  # (17,) the keypoints that were ever visible; hidden ones move with the others
    velocity: Floats  # (2,) px/s
    alike_s: float
    variance: tuple[float, float, float]  # of the place, of place and velocity together, of the velocity; per size²

    def predicted(self, now_s: float) -> "_Person":
        """Going on as before."""
        gap_s = now_s - self.track.last_seen_s
        place, both, speed = self.variance
        variance = (
            place + 2 * both * gap_s + speed * gap_s**2 + PACE_CHANGE * gap_s**3 / 3,
            both + speed * gap_s + PACE_CHANGE * gap_s**2 / 2,
            speed + PACE_CHANGE * gap_s,
        )
        return replace(self, xy=self.xy + self.velocity * min(gap_s, COAST_S), variance=variance)

    def seen(self, track: Track, away: Floats, likeness: float) -> "_Person":
        """Corrected by a pose that is `away` (2,) px from the prediction.

        The less it is like the prediction, the less is learnt from it: while two people overlap, the network gives
        poses that are half the one and half the other.
        """
        place, both, speed = self.variance
        noise = place + PLACE_NOISE**2 / max(likeness, 1e-9)
        gain, gain_hz = place / noise, both / noise
        pose = track.pose
        moved = np.where((pose.visible & self.known)[:, None], pose.xy - self.xy, away)
        new = (pose.visible & ~self.known)[:, None]
        gap_s = track.last_seen_s - self.track.last_seen_s
        return _Person(
            track,
            self.hits + 1,
            max(_size_px(pose), self.size_px * math.exp(-gap_s / SHRINK_S)),
            np.where(new, pose.xy - (1 - gain) * away, self.xy + gain * moved),
            self.known | pose.visible,
            self.velocity + gain_hz * away,
            track.last_seen_s if likeness else self.alike_s,
            ((1 - gain) * place, (1 - gain) * both, speed - gain_hz * both),
        )


def _arrived(track: Track, hits: int) -> _Person:
    """Somebody of whose motion nothing is known."""
    pose = track.pose
    velocity = np.zeros(2, np.float32)
    return _Person(track, hits, _size_px(pose), pose.xy, pose.visible, velocity, track.last_seen_s, (PLACE_NOISE**2, 0.0, PACE**2))


def _size_px(pose: Pose) -> float:
    seen = pose.xy[pose.visible]
    if not len(seen):
        return 1.0
    width, height = (seen.max(axis=0) - seen.min(axis=0)).tolist()
    return max(math.hypot(width, height), 1.0)


class Tracker:
    """Gives everyone a number, by the poses of one frame after the other."""

    def __init__(self, *, min_hits: int = 3, max_age_s: float = 2.0) -> None:
        self._min_hits = min_hits
        self._max_age_s = max_age_s
        self._people: list[_Person] = []
        self._ids = count(1)
        self._now_s = -math.inf

    @property
    def lost(self) -> list[Track]:
        """Those with an id whom the last update did not see, but who are not given up."""
        return [p.track for p in self._people if p.track.id is not None and p.track.last_seen_s < self._now_s]

    def update(self, poses: list[Pose], now_s: float) -> list[Track]:
        """The tracks of these poses, in the same order. `now_s` is when the frame was taken; if it is earlier than
        before, everybody is forgotten.
        """
        recent = self._people if now_s >= self._now_s else []
        people = [p.predicted(now_s) for p in recent if now_s - p.track.last_seen_s <= self._max_age_s]
        likeness, near, away = _compared(people, poses, now_s)
        named = np.array([p.track.id is not None for p in people], np.bool_)
        pairs = _assigned(np.where(likeness > 0, 1 + likeness + named[:, None], near))
        seen = []
        for i, pose in enumerate(poses):
            j = pairs.get(i)
            if j is None:
                seen.append(_arrived(Track(self._id(None, 1), pose, now_s, now_s), 1))
                continue
            person = people[j]
            hits = person.hits + 1
            track = Track(self._id(person.track.id, hits), pose, person.track.first_seen_s, now_s)
            if likeness[j, i] > 0 or now_s - person.alike_s < CHANGED_S:
                seen.append(person.seen(track, away[j, i], float(likeness[j, i])))
            else:
                seen.append(_arrived(track, hits))
        matched = {id(people[j]) for j in pairs.values()}
        unseen = [p for p, q in zip([p for p in recent if now_s - p.track.last_seen_s <= self._max_age_s], people) if id(q) not in matched]
        self._people = seen + unseen
        self._now_s = now_s
        return [p.track for p in seen]

    def _id(self, given: int | None, hits: int) -> int | None:
        return next(self._ids) if given is None and hits >= self._min_hits else given


def _compared(people: list[_Person], poses: list[Pose], now_s: float) -> tuple[Array, Array, Array]:
    """Compare J people, as they are predicted, with I poses.

    Returns likeness (J, I): 0..1, 0 where it cannot be them; nearness (J, I): 1 at the same place, not more than 0
    where it is too far away; and how far away (J, I, 2) the pose is, px.
    """
    if not people or not poses:
        nothing = np.zeros((len(people), len(poses)))
        return nothing, nothing, nothing
    one = np.stack([p.xy for p in people])[:, None]  # (J, 1, 17, 2)
    other = np.stack([p.xy for p in poses])[None]  # (1, I, 17, 2)
    common = np.stack([p.known for p in people])[:, None] & np.stack([p.visible for p in poses])
    count_ = common.sum(axis=2)
    weights = common[..., None] / np.maximum(count_, 1)[..., None, None]  # (J, I, 17, 1)
    size = np.maximum(np.array([p.size_px for p in people])[:, None], [_size_px(p) for p in poses])
    away = other - one
    place = _median(away, common, count_)
    distance = np.hypot(place[..., 0], place[..., 1]) / size

    shape = np.square((away - place[:, :, None]) / size[..., None, None]) / _TOLERANCES.T
    oks = (np.exp(shape.sum(axis=3) / -2) * common).sum(axis=2) / np.maximum(count_, FEWEST)
    spread = [np.square((xy - (xy * weights).sum(axis=2, keepdims=True))*weights**.5).sum(axis=(2, 3)) for xy in (one, other)]
    grown = np.log((spread[1] + 1) / (spread[0] + 1)) / 2
    variance = np.array([p.variance[0] for p in people])[:, None] + PLACE_NOISE**2
    likeness = oks**2 * np.exp(-np.square(grown / SIZE_NOISE) / 2) / (1 + np.square(distance) / variance / 2)
    gap_s = np.array([now_s - p.alike_s for p in people])[:, None]
    near = np.where(count_ > 0, 1 - distance / np.minimum(REACH_HZ * gap_s + 1e-9, REACH), -1)
    return np.where((likeness >= LEAST_LIKENESS) & (distance < REACH), likeness, 0), near, place


def _median(values: Array, common: Array, count_: Array) -> Array:
    """The median of values (J, I, 17, 2) where `common` (J, I, 17)."""
    ordered = np.sort(np.where(common[..., None], values, np.inf), axis=2)
    upper = np.minimum(count_ // 2, 16)[..., None, None]
    lower = (np.maximum(count_ - 1, 0) // 2)[..., None, None]
    middle = np.take_along_axis(ordered, lower, 2) + np.take_along_axis(ordered, upper, 2)
    return np.where(count_[..., None] > 0, middle[:, :, 0] / 2, 1e6)


def _assigned(score: Array) -> dict[int, int]:
    rows = score.tolist()
    best = sorted(((s, j, i) for j, row in enumerate(rows) for i, s in enumerate(row) if s > 0), reverse=True)
    pairs: dict[int, int] = {}
    taken = set()
    for _, j, i in best:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    better = True
    while better:
        better = False
        for i, k in combinations(pairs, 2):
            a, b = pairs[i], pairs[k]
            if min(rows[b][i], rows[a][k]) > 0 and rows[b][i] + rows[a][k] > rows[a][i] + rows[b][k] + 1e-9:
                pairs[i], pairs[k] = b, a
                better = True
    return pairs
