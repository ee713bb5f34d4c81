"""Who is who from frame to frame: SORT, with COCO's keypoint similarity (OKS) in the place of overlapping boxes.

Everyone is predicted to go on as they went (a Kalman filter of constant velocity), and every pose goes to the person
whose prediction it is most like. A pose that is like nobody may still be somebody near by: who falls has another shape
a moment later, and who was hidden may have slowed down. Nobody has a face here: when two people cross, it is where
they were heading, how they are held and how tall they are that tells them apart afterwards.
"""

import math
from itertools import combinations, count
from typing import NamedTuple

import numpy as np

from edge.people.motion import PLACE_NOISE, Person, Seen, arrived, diagonals, measured
from edge.skeleton import OKS_SIGMAS
from edge.types import Array, Floats, Pose, Track

# All lengths are relative to a person's size, the diagonal of the box around the keypoints: of a painted person who
# stands, sits, falls or lies, the square root of the area in the picture is always 0.45 to 0.55 of it.
AREA_ROOT = 0.45
SIZE_NOISE = 0.1  # of the logarithm
ACROSS = 0.2  # how much differences along x count: who turns around gets narrower and no lower
LEAST_LIKENESS = 0.08
CHANGED_S = 0.25  # who did not look as expected for so long has another shape now
FEWEST = 4  # keypoints; with fewer in common, two people are alike by chance
# How far away somebody of another shape may be: in standard deviations of the place, but never farther than that.
REACH_SD, REACH = 6.0, 1.0
ALONE, ALONE_REACH = 0.6, 0.3  # within that distance there is nobody else; and how far off they may be themselves
BESIDE, EXPECTED = 0.35, 0.1  # the same for somebody whom others stand beside

_TOLERANCES = np.square(2 * AREA_ROOT * OKS_SIGMAS) / np.array(((ACROSS,), (1.0,)), np.float32)  # (2, 17) variances


class Tracker:
    """Gives everyone a number, by the poses of one frame after the other."""

    def __init__(self, *, min_hits: int = 3, max_age_s: float = 2.0) -> None:
        self._min_hits = min_hits
        self._max_age_s = max_age_s
        self._people: list[Person] = []
        self._ids = count(1)
        self._now_s = -math.inf

    @property
    def lost(self) -> list[Track]:
        """Those with an id whom the last update did not see, but who are not given up."""
        return [p.track for p in self._people if p.track.id is not None and p.track.last_seen_s < self._now_s]

    def update(self, poses: list[Pose], now_s: float) -> list[Track]:
        """The tracks of these poses, in the same order.

        `now_s` is when the frame was taken. If it is earlier than before, everybody is forgotten.
        """
        if now_s < self._now_s:
            self._people = []
        self._now_s = now_s
        recent = [p for p in self._people if now_s - p.track.last_seen_s <= self._max_age_s]
        people = [p.predicted(now_s) for p in recent]
        seen = measured(poses)
        matches = _matches(people, seen)
        self._people = [
            self._updated(people[match.person], one, match, now_s) if match else self._new(one, now_s)
            for one, match in zip(seen, map(matches.get, range(len(seen))), strict=True)
        ]
        found = [person.track for person in self._people]
        taken = {match.person for match in matches.values()}
        self._people += [p for j, p in enumerate(recent) if j not in taken]
        return found

    def _updated(self, person: Person, seen: Seen, match: "_Match", now_s: float) -> Person:
        hits = person.hits + 1
        track = Track(self._id(person.track.id, hits), seen.pose, person.track.first_seen_s, now_s)
        if match.likeness or now_s - person.alike_s < CHANGED_S:
            return person.seen(track, seen, match.away, match.likeness, sure=match.sure)
        return arrived(track, seen, hits)

    def _new(self, seen: Seen, now_s: float) -> Person:
        return arrived(Track(self._id(None, 1), seen.pose, now_s, now_s), seen, 1)

    def _id(self, given: int | None, hits: int) -> int | None:
        return next(self._ids) if given is None and hits >= self._min_hits else given


class _Match(NamedTuple):
    """Who a pose is."""

    person: int
    away: Floats  # (2,) how far they are from where they were expected, px
    likeness: float  # how much they look as expected, 0..1
    sure: bool = False  # nobody else can be meant


def _matches(people: list[Person], seen: list[Seen]) -> dict[int, _Match]:
    """Number of the pose -> who it is. Poses of newcomers are left out."""
    matches = _alone(people, seen)
    taken = {match.person for match in matches.values()}
    others = [j for j in range(len(people)) if j not in taken]
    poses = [i for i in range(len(seen)) if i not in matches]
    if others and poses:
        likeness, near, away = _compared([people[j] for j in others], [seen[i] for i in poses])
        named = np.array([[people[j].track.id is not None] for j in others])
        for i, j in _assigned(np.where(likeness > 0, 1 + likeness + named, near)).items():
            matches[poses[i]] = _Match(others[j], away[j, i].astype(np.float32), float(likeness[j, i]))
    return matches


def _alone(people: list[Person], seen: list[Seen]) -> dict[int, _Match]:
    """Those about whom there is no doubt, because nobody else is near: most people, most of the time."""
    if not people:
        return {}
    apart = [[math.hypot(one.x - p.x, one.y - p.y) / max(one.size_px, p.size_px) for p in people] for one in seen]
    matches: dict[int, _Match] = {}
    for i, (one, row) in enumerate(zip(seen, apart, strict=True)):
        distance = min(row)
        j = row.index(distance)
        rivals = row[:j] + row[j + 1 :] + [other[j] for other in apart if other is not row]
        if _is_sure(distance, min(rivals, default=math.inf), people[j]):
            common = (one.pose.visible & people[j].known).nonzero()[0]
            if len(common):
                away = (one.pose.xy - people[j].xy)[common].sum(axis=0) / np.float32(len(common))
                matches[i] = _Match(j, away, 1.0, sure=True)
    return matches


def _is_sure(distance: float, next_best: float, person: Person) -> bool:
    """Whether nobody else can be meant: farther away than anyone moves, or beside somebody who is where expected."""
    if next_best < ALONE:
        return distance < EXPECTED and next_best > BESIDE
    return distance < min(ALONE_REACH + REACH_SD * math.sqrt(person.variance[0]), REACH, ALONE)


def _compared(people: list[Person], seen: list[Seen]) -> tuple[Array, Array, Array]:
    """Compare J people, where they are expected, with I poses.

    Returns likeness (J, I): 0..1, 0 where it cannot be them; nearness (J, I): 1 at the same place, not more than 0
    where it is too far away; and how far away (J, I, 2) the pose is, px.
    """
    expected = np.array([person.xy for person in people])[:, None]  # (J, 1, 17, 2)
    poses = np.array([one.pose.xy for one in seen])[None]  # (1, I, 17, 2)
    common = np.array([person.known for person in people])[:, None] & np.array([one.pose.visible for one in seen])
    shared = common.sum(axis=2)  # (J, I) keypoints
    size = np.maximum(np.array([person.size_px for person in people])[:, None], [one.size_px for one in seen])

    # Are they in the same place? The median, because a limb that is somebody else's must not count.
    apart = poses - expected
    away = _median(apart, common, shared)
    distance = np.hypot(away[..., 0], away[..., 1]) / size
    variance = np.array([person.variance[0] for person in people])[:, None] + PLACE_NOISE**2
    same_place = 1 / (1 + np.square(distance) / variance / 2)

    # Are they held alike, wherever they are?
    apart = np.square((apart - away[:, :, None]) / size[..., None, None]) / _TOLERANCES.T
    oks = (np.exp(apart.sum(axis=3) / -2) * common).sum(axis=2) / np.maximum(shared, FEWEST)

    # Are they equally large? Measured by the keypoints that both have.
    sizes = (_spread(xy, common, shared) for xy in (expected, poses))
    grown = np.log(next(sizes) / next(sizes)) + _blurred(people, expected[:, 0])[:, None]
    same_size = np.exp(-np.square(grown / SIZE_NOISE) / 2)

    likeness = oks**2 * same_size * same_place
    nearness = np.where(shared > 0, 1 - distance / np.minimum(REACH_SD * np.sqrt(variance), REACH), -1)
    return np.where((likeness >= LEAST_LIKENESS) & (distance < REACH), likeness, 0), nearness, away


def _blurred(people: list[Person], expected: Floats) -> Floats:
    """By how much people (J,) are larger than expected (J, 17, 2), of the logarithm; less than 0 if they are smaller.

    While they overlap, poses that are half the one and half the other make what is expected of both alike: of the
    larger one too little, and of the smaller one too much. How large they are was seen when nobody else could be meant.
    """
    larger = np.zeros(len(people), np.float32)
    known = [j for j, person in enumerate(people) if person.stature and person.stature.steady]
    if len(known) > 1:
        sizes = [stature.size_px for stature in (people[j].stature for j in known) if stature]
        larger[known] = np.log(np.array(sizes, np.float32) / diagonals(expected[known]))
    # No more than both ways: who is smaller than before, and nobody larger, crouches.
    both = max(min(float(larger.max()), -float(larger.min())), 0.0)
    return larger.clip(-both, both)


def _median(values: Array, common: Array, shared: Array) -> Array:
    """The median (J, I, 2) of values (J, I, 17, 2) where `common` (J, I, 17); very large where nothing is."""
    ordered = np.sort(np.where(common[..., None], values, np.inf), axis=2)
    lower, upper = np.maximum(shared - 1, 0) // 2, np.minimum(shared // 2, common.shape[2] - 1)
    j, i = np.arange(shared.shape[0])[:, None], np.arange(shared.shape[1])  # np.take_along_axis is slower
    middle = (ordered[j, i, lower] + ordered[j, i, upper]) / 2
    return np.where(shared[..., None] > 0, middle, 1e6)


def _spread(xy: Array, common: Array, shared: Array) -> Array:
    """The standard deviation (J, I) of keypoints (J or 1, I or 1, 17, 2) where `common`; never 0."""
    count = np.maximum(shared, 1)[..., None]
    mean = (xy * common[..., None]).sum(axis=2) / count
    squares = np.square(xy - mean[:, :, None]) * common[..., None]
    spread: Array = np.sqrt((squares.sum(axis=(2, 3)) + 1) / count[..., 0])
    return spread


def _assigned(score: Array) -> dict[int, int]:
    """Pair poses with people (J, I) for a high sum of scores; those of 0 and less never. Returns pose -> person.

    Greedy, and then pairs change partners as long as that is better: greedy alone swaps people who cross, and more than
    two who all have to change at once do not occur among the few that are close to each other.
    """
    rows = score.tolist()
    best = sorted(((one, j, i) for j, row in enumerate(rows) for i, one in enumerate(row) if one > 0), reverse=True)
    pairs: dict[int, int] = {}
    for _, j, i in best:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    better = True
    while better:
        better = False
        for i, k in combinations(pairs, 2):
            a, b = pairs[i], pairs[k]
            gain = rows[b][i] + rows[a][k] - rows[a][i] - rows[b][k]
            if min(rows[b][i], rows[a][k]) > 0 and gain > 1e-9:
                pairs[i], pairs[k] = b, a
                better = True
    return pairs
