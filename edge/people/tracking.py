"""Track people from frame to frame: SORT with COCO's keypoint similarity (OKS) instead of box overlap.

Each track predicts its pose with a Kalman filter; each new pose is assigned to the track whose prediction it resembles
most. A pose that resembles no track can still continue a nearby one: a falling person changes shape within a few
frames, and a hidden person may have slowed down. After two people cross, only direction, posture and size tell which
is which.
"""

import math
from itertools import combinations, count
from typing import NamedTuple

import numpy as np

from edge.people.evidence import Evidence, first_evidence, may_start
from edge.people.motion import AREA_ROOT, POSITION_NOISE, Measurement, TrackState, initial_state, measure
from edge.skeleton import OKS_SIGMAS
from edge.types import Array, Floats, Pose, Track

# All lengths are relative to a person's size, the diagonal of the box around the visible keypoints.
SIZE_NOISE = 0.1  # standard deviation of the logarithm of a size
HORIZONTAL_WEIGHT = 0.2  # of differences along x in OKS: a person who turns gets narrower but not lower
MIN_SIMILARITY = 0.08
CHANGED_S = 0.25  # a track that no pose resembled for so long has changed shape, and starts again from its pose
MIN_COMMON = 4  # keypoints; with fewer in common, two people are similar by chance
# The farthest that a pose of another shape may be from the prediction: in standard deviations, and in sizes.
MAX_DISTANCE_SD, MAX_DISTANCE = 6.0, 1.0
# Distances, in sizes, at which a match needs no comparison. Either no other track or pose is within APART, and the pose
# is within SLACK and MAX_DISTANCE_SD; or no other one is within NEAR, and the pose is within EXPECTED.
APART, SLACK = 0.6, 0.3
NEAR, EXPECTED = 0.35, 0.1
LAST_PLACE = 0.6  # sizes; a lost person is taken to be this near the place where last seen

_TOLERANCES = np.square(2 * AREA_ROOT * OKS_SIGMAS) / np.array(((HORIZONTAL_WEIGHT,), (1.0,)), np.float32)  # (2, 17)


class Tracker:
    """Gives people IDs that follow them from frame to frame."""

    def __init__(self, *, min_hits: int = 3, max_age_s: float = 2.0, second: bool = False) -> None:
        """A track needs `min_hits` detections and evidence for an ID, and ends `max_age_s` after its last detection.

        `second` says whether poses carry the opinion of a second network.
        """
        self._second = second
        self._min_hits = min_hits
        self._max_age_s = max_age_s
        self._states: list[TrackState] = []
        self._ids = count(1)
        self._now_s = -math.inf

    @property
    def lost(self) -> list[Track]:
        """Tracks with an ID that have not ended, but were not detected in the last update."""
        tracks = [state.track for state in self._states]
        return [track for track in tracks if track.id is not None and track.last_seen_s < self._now_s]

    def update(self, poses: list[Pose], now_s: float) -> list[Track]:
        """The tracks of these poses, in the same order. Weak poses that continue no track are left out.

        `now_s` is the frame's `monotonic_s`. If it is earlier than before, all tracks end.
        """
        if now_s < self._now_s:
            self._states = []
        self._now_s = now_s
        recent = [state for state in self._states if now_s - state.track.last_seen_s <= self._max_age_s]
        predictions = [state.predicted(now_s) for state in recent]
        measurements = [measure(pose) for pose in poses]
        matches = _match(predictions, measurements)
        matches |= _near_last_place(recent, measurements, matches)
        self._states = []
        for i, measurement in enumerate(measurements):
            match = matches.get(i)
            if match is not None:
                self._states.append(self._continued(predictions[match.state], measurement, match, now_s))
            elif may_start(measurement.pose):
                self._states.append(self._started(measurement, now_s))
        tracks = [state.track for state in self._states]
        matched = {match.state for match in matches.values()}
        self._states += [state for j, state in enumerate(recent) if j not in matched]
        return tracks

    def _continued(self, state: TrackState, measurement: Measurement, match: "_Match", now_s: float) -> TrackState:
        evidence = state.evidence.after(measurement.pose, measurement.x, measurement.y, measurement.size_px, now_s)
        track, evidence = self._judged(state.track.id, state.track.first_seen_s, evidence, measurement, now_s)
        if match.similarity or now_s - state.similar_s < CHANGED_S:
            return state.corrected(track, evidence, measurement, match.shift, match.similarity)
        return initial_state(track, evidence, measurement)

    def _started(self, measurement: Measurement, now_s: float) -> TrackState:
        x, y = measurement.x, measurement.y
        evidence = first_evidence(x, y, now_s).after(measurement.pose, x, y, measurement.size_px, now_s)
        track, evidence = self._judged(None, now_s, evidence, measurement, now_s)
        return initial_state(track, evidence, measurement)

    def _judged(
        self, id_: int | None, first_seen_s: float, evidence: Evidence, measurement: Measurement, now_s: float
    ) -> tuple[Track, Evidence]:
        """The track with an ID if the evidence is enough, and the evidence with the verdict."""
        evidence, rejected = evidence.judged(now_s, self._min_hits, second=self._second)
        if id_ is None and rejected is None:
            id_ = next(self._ids)
        return Track(id_, measurement.pose, first_seen_s, now_s, rejected), evidence


class _Match(NamedTuple):
    """The track that a pose belongs to."""

    state: int  # its index
    shift: Floats  # (2,) from the prediction to the pose, px
    similarity: float  # of the pose and the prediction, 0..1


def _match(states: list[TrackState], measurements: list[Measurement]) -> dict[int, _Match]:
    """The match of each measurement, by its index. Measurements of new people have none."""
    matches = _unambiguous(states, measurements)
    matched = {match.state for match in matches.values()}
    others = [j for j in range(len(states)) if j not in matched]
    poses = [i for i in range(len(measurements)) if i not in matches]
    if others and poses:
        similarity, nearness, shift = _compare([states[j] for j in others], [measurements[i] for i in poses])
        has_id = np.array([[states[j].track.id is not None] for j in others])
        for i, j in _assign(np.where(similarity > 0, 1 + similarity + has_id, nearness)).items():
            matches[poses[i]] = _Match(others[j], shift[j, i].astype(np.float32), float(similarity[j, i]))
    return matches


def _near_last_place(
    states: list[TrackState], measurements: list[Measurement], matches: dict[int, _Match]
) -> dict[int, _Match]:
    """The matches of poses of MultiPose that no person explains with lost people who were last seen there.

    A person who falls stops where the floor is, and not where the prediction leads. In its place, MultiPose sees the
    lying person too faintly to start a new track.
    """
    taken = {match.state for match in matches.values()}
    lost = [j for j, state in enumerate(states) if j not in taken and state.track.id is not None]
    known = {i for i, match in matches.items() if states[match.state].track.id is not None}
    found: dict[int, _Match] = {}
    for i, one in enumerate(measurements):
        if i in known or not one.pose.by_multipose or not lost:
            continue
        distance, j = min(
            (math.hypot(one.x - states[j].x, one.y - states[j].y) / max(one.size_px, states[j].size_px), j)
            for j in lost
        )
        if distance < LAST_PLACE:
            found[i] = _Match(j, np.zeros(2, np.float32), 0.0)  # without similarity, the shift has no weight
            lost.remove(j)
    return found


def _unambiguous(states: list[TrackState], measurements: list[Measurement]) -> dict[int, _Match]:
    """The matches that have no rival nearby: the usual case."""
    if not states:
        return {}
    distances = [[math.hypot(m.x - s.x, m.y - s.y) / max(m.size_px, s.size_px) for s in states] for m in measurements]
    matches: dict[int, _Match] = {}
    for i, (measurement, row) in enumerate(zip(measurements, distances, strict=True)):
        distance = min(row)
        j = row.index(distance)
        rivals = row[:j] + row[j + 1 :] + [other[j] for other in distances if other is not row]
        if _is_unambiguous(distance, min(rivals, default=math.inf), states[j]):
            common = (measurement.pose.visible & states[j].known).nonzero()[0]
            if len(common):
                shift = (measurement.pose.xy - states[j].xy)[common].sum(axis=0) / np.float32(len(common))
                matches[i] = _Match(j, shift, 1.0)
    return matches


def _is_unambiguous(distance: float, next_best: float, state: TrackState) -> bool:
    """Whether only this track explains the pose: others are too far away, or the pose is almost where expected."""
    if next_best < APART:
        return distance < EXPECTED and next_best > NEAR
    return distance < min(SLACK + MAX_DISTANCE_SD * math.sqrt(state.variance[0]), MAX_DISTANCE, APART)


def _compare(states: list[TrackState], measurements: list[Measurement]) -> tuple[Array, Array, Array]:
    """Compare the predictions of J tracks with I poses.

    Returns similarity (J, I): 0..1, and 0 if the pose cannot be the track's; nearness (J, I): 1 at the same place, 0 or
    less if it is too far away; and the shift (J, I, 2) from the prediction to the pose, px.
    """
    expected = np.array([state.xy for state in states])[:, None]  # (J, 1, 17, 2)
    poses = np.array([m.pose.xy for m in measurements])[None]  # (1, I, 17, 2)
    common = np.array([state.known for state in states])[:, None] & np.array([m.pose.visible for m in measurements])
    shared = common.sum(axis=2)  # (J, I) keypoints
    size = np.maximum(np.array([state.size_px for state in states])[:, None], [m.size_px for m in measurements])

    # Position: the median, because a limb may belong to another person.
    apart = poses - expected
    shift = _median(apart, common, shared)
    distance = np.hypot(shift[..., 0], shift[..., 1]) / size
    variance = np.array([state.variance[0] for state in states])[:, None] + POSITION_NOISE**2
    same_place = 1 / (1 + np.square(distance) / variance / 2)

    # Posture: OKS after removing the shift.
    apart = np.square((apart - shift[:, :, None]) / size[..., None, None]) / _TOLERANCES.T
    oks = (np.exp(apart.sum(axis=3) / -2) * common).sum(axis=2) / np.maximum(shared, MIN_COMMON)

    # Size, from the keypoints that both have.
    ratio = _spread(expected, common, shared) / _spread(poses, common, shared)
    same_size = np.exp(-np.square(np.log(ratio) / SIZE_NOISE) / 2)

    similarity = oks**2 * same_size * same_place
    limit = np.minimum(MAX_DISTANCE_SD * np.sqrt(variance), MAX_DISTANCE)
    nearness = np.where(shared > 0, 1 - distance / limit, -1)
    return np.where((similarity >= MIN_SIMILARITY) & (distance < MAX_DISTANCE), similarity, 0), nearness, shift


def _median(values: Array, common: Array, shared: Array) -> Array:
    """The median (J, I, 2) of values (J, I, 17, 2) where `common` (J, I, 17); very large if nothing is common."""
    ordered = np.sort(np.where(common[..., None], values, np.inf), axis=2)
    lower, upper = np.maximum(shared - 1, 0) // 2, np.minimum(shared // 2, common.shape[2] - 1)
    j, i = np.arange(shared.shape[0])[:, None], np.arange(shared.shape[1])  # np.take_along_axis is slower
    middle = (ordered[j, i, lower] + ordered[j, i, upper]) / 2
    return np.where(shared[..., None] > 0, middle, 1e6)


def _spread(xy: Array, common: Array, shared: Array) -> Array:
    """The standard deviation (J, I) of keypoints (J or 1, I or 1, 17, 2) where `common` (J, I, 17); never 0."""
    count = np.maximum(shared, 1)[..., None]
    mean = (xy * common[..., None]).sum(axis=2) / count
    squares = np.square(xy - mean[:, :, None]) * common[..., None]
    spread: Array = np.sqrt((squares.sum(axis=(2, 3)) + 1) / count[..., 0])
    return spread


def _assign(score: Array) -> dict[int, int]:
    """Assign poses to tracks (J, I) for a high sum of scores; never where a score is 0 or less. Pose -> track.

    Greedy assignment swaps people who cross, so pairs then exchange partners as long as that raises the sum. Exchanges
    among three or more pairs are not tried, because hardly ever so many people are close to each other.
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
