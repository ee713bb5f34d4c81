"""Notice that something has entered or moved in the picture, without a network.

Each cell of the coarse picture has a running mean and a running mean deviation, as in background subtraction with one
Gaussian per pixel (Wren et al., Pfinder, 1997). A change is a small cluster of cells that differ from their mean by
much more than they usually do. Noise, a flickering lamp, a television and moving leaves only raise the deviation of
their cells. A change of the light over a wide area cancels, because cells are compared with their surroundings.
"""

import numpy as np
import numpy.typing as npt

from edge.types import Floats

MEMORY_S = 10.0  # time constant of means and deviations: a person who moves less than a cell in this time is missed
LEARNING_S = 1.0  # from the first picture until changes are reported
CONTRAST = 0.03  # a smaller change of brightness, relative to the surroundings, does not count
DEVIATIONS = 4.0  # neither does one below this many mean deviations of the cell
CLUSTER = 3  # cells within 3 x 3
SURROUNDINGS = 6  # cells, side of the squares in which brightness is relative
DARK = 24.0  # 0..255, added to brightness, so that noise in the dark gives no contrast


class ChangeMeter:
    """Compares each picture of a fixed camera with the earlier ones."""

    def __init__(self) -> None:
        self._mean: Floats | None = None  # of the contrast of each cell
        self._deviation: Floats | None = None
        self._pictures = 0
        self._started_s = self._last_s = 0.0

    def changed(self, cells: Floats, now_s: float) -> bool:
        """Whether a picture, as from `coarse`, shows a change; also learn it. True during the first second."""
        contrast = _contrast(cells)
        mean, deviation = self._mean, self._deviation
        if mean is None or deviation is None or mean.shape != contrast.shape or now_s < self._last_s:
            self._mean, self._deviation = contrast, np.full_like(contrast, CONTRAST)
            self._pictures, self._started_s, self._last_s = 1, now_s, now_s
            return True
        self._pictures += 1
        # A plain average at first, then an exponential one.
        gain = np.float32(min(max(1 / self._pictures, (now_s - self._last_s) / MEMORY_S), 1))
        self._last_s = now_s
        contrast -= mean
        mean += gain * contrast
        difference = np.abs(contrast, out=contrast)
        limit = DEVIATIONS * deviation + CONTRAST
        exceeding = difference > limit
        # A cell learns at most three times its limit, so that one flash does not blind it.
        deviation += gain * (np.minimum(difference, 3 * limit) - deviation)
        return now_s - self._started_s < LEARNING_S or _largest_cluster(exceeding) >= CLUSTER


def _contrast(cells: Floats) -> Floats:
    """The logarithm of the brightness of each cell relative to the mean of its square of cells."""
    light: Floats = np.log(cells + np.float32(DARK))
    starts = [np.arange(0, side, SURROUNDINGS) for side in light.shape]
    sides = [np.minimum(SURROUNDINGS, side - start) for side, start in zip(light.shape, starts, strict=True)]
    means = np.add.reduceat(np.add.reduceat(light, starts[0], axis=0), starts[1], axis=1)
    means /= np.outer(sides[0], sides[1]).astype(np.float32)
    light -= means.repeat(sides[0], axis=0).repeat(sides[1], axis=1)
    return light


def _largest_cluster(cells: npt.NDArray[np.bool_]) -> int:
    """The largest number of cells that are set within any 3 x 3 cells."""
    if np.count_nonzero(cells) < CLUSTER:
        return 0
    padded = np.pad(cells.view(np.uint8), 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return int((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]).max())
