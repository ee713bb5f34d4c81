"""Waving: a hand that swings evenly from side to side.

A sinusoid is fitted to the path of the wrist by least squares. Two tests protect against unsteady keypoints, at any
frame rate: the sinusoid must explain more than noise as large as that of the nose would, and it must fit well compared
with what it leaves over (F-test).
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from edge.types import Array

WINDOW_S = 2.5
CYCLES = 1.75  # the hand has changed direction three times
FREQUENCIES_HZ = np.arange(0.8, 3.3, 0.2)
FARTHEST = 0.5  # torso lengths; a single wrong frame must not count for more
NOISE = 0.03  # torso lengths; the standard deviation of a wrist at rest is assumed to be at least this
SHARE = 0.4  # of the variance that the sinusoid must explain: the rest is noise, or a movement in one direction
PAUSE_S = 1.0  # a hand that has not waved for this long has stopped
PERIOD_S = 0.1  # between two fits


@dataclass(frozen=True, slots=True)
class Swing:
    """The sinusoid that fits the path of a hand best."""

    frequency_hz: float
    amplitude: float  # torso lengths: half of the way from side to side
    noise: float  # probability that noise explains as much
    shape: float  # probability that noise fits a sinusoid as well

    def reaches(self, other: "Swing") -> bool:
        """Whether this is as clear a movement as `other`."""
        return self.amplitude >= other.amplitude and self.noise <= other.noise and self.shape <= other.shape


BEGINS, GOES_ON = Swing(0, 0.07, 1e-5, 0.03), Swing(0, 0.05, 1e-2, 0.2)


class Waving:
    """Follows the place of a hand from left to right, relative to the shoulder, in torso lengths."""

    def __init__(self) -> None:
        self.swing: Swing | None = None  # the last one, while the hand waves
        self._path: deque[tuple[float, float, float]] = deque()  # times, places of the wrist and of the nose
        self._fitted_s = 0.0
        self._waved_s = 0.0

    def reset(self) -> None:
        """The hand is down, or was not seen for a while."""
        self.swing = None
        self._path.clear()

    def update(self, wrist: float, nose: float | None, now_s: float) -> None:
        self._path.append((now_s, wrist, np.nan if nose is None else nose))
        while now_s - self._path[0][0] > WINDOW_S:
            self._path.popleft()
        if now_s - self._fitted_s < PERIOD_S:
            return
        self._fitted_s = now_s
        swing = fit(np.array(self._path))
        if swing and swing.reaches(GOES_ON if self.swing else BEGINS):
            self.swing, self._waved_s = swing, now_s
        self.pause(now_s)

    def pause(self, now_s: float) -> None:
        """Note a frame that does not show where the hand is."""
        if now_s - self._waved_s >= PAUSE_S:
            self.swing = None


def fit(path: Array) -> Swing | None:
    """The best sinusoid on a straight line through a path; None if there is no clear one.

    `path` is (N, 3): time, s, and places of wrist and nose, torso lengths; a nose that is not visible is NaN.
    """
    times, wrist = path[:, 0] - path[:, 0].mean(), path[:, 1] - np.median(path[:, 1])
    wrist = wrist.clip(-FARTHEST, FARTHEST)
    long_s = times[-1] - times[0]
    frequencies = FREQUENCIES_HZ[FREQUENCIES_HZ * long_s >= 1]
    freedom = len(times) - 5  # a line has two parameters, a sinusoid three
    if freedom < 1 or not len(frequencies):
        return None
    phases = 2 * np.pi * np.multiply.outer(frequencies, times)
    line = np.stack([np.ones_like(times), times], axis=-1)
    lines = np.broadcast_to(line, (len(frequencies), *line.shape))
    waves = np.concatenate([lines, np.cos(phases)[..., None], np.sin(phases)[..., None]], axis=-1)
    (total,), _ = _solve(line[None], wrist)
    rests, weights = _solve(waves, wrist)
    best = int(rests.argmin())
    explained = total - rests[best]
    if explained <= SHARE * wrist.var() * len(wrist) or frequencies[best] * long_s < CYCLES:
        return None
    variance = max(_variance(line, path[:, 2]), NOISE**2)
    return Swing(
        float(frequencies[best]),
        float(np.hypot(*weights[best, 2:])),
        noise=float(np.exp(-explained / (2 * variance))),
        shape=float((rests[best] / total) ** (freedom / 2)),
    )


def _variance(line: Array, nose: Array) -> float:
    """The variance of the nose around a straight line; 0 if it was hardly seen."""
    seen = ~np.isnan(nose)
    if seen.sum() < 4:
        return 0.0
    (rest,), _ = _solve(line[None, seen], nose[seen])
    return float(rest / (seen.sum() - 2))


def _solve(bases: Array, values: Array) -> tuple[Array, Array]:
    """Least squares for several bases (B, N, K): the sums of squared residuals (B,), and the weights (B, K)."""
    weights = np.linalg.pinv(bases) @ values
    rest = values - np.einsum("bnk,bk->bn", bases, weights)
    return (rest**2).sum(axis=1), weights
