"""Notice that nothing can be seen in the picture: the lens is covered, the room is dark, or all of it is overexposed.

Only edges that are at least three cells of the coarse picture long count. Noise has about the same strength all
over a part of the picture, and edges stand out from it, whether the noise comes from the sensor, is a fixed pattern, or
comes from compression. Vignetting and light that leaks around a cover are too smooth for edges.
"""

import numpy as np

from edge.pipeline.coarse import coarse
from edge.types import Floats, Image

# All strengths of edges are in levels of 0..255.
EDGE = 5.0  # a weaker edge does not count. With a tenth of the normal contrast, PoseNet misses most people
NOISES = 5.0  # neither does an edge below this many standard deviations of its part of the picture
# An edge also counts above STRONG and above GRAINS standard deviations of single pixels: tiles have edges everywhere.
STRONG, GRAINS = 20.0, 2.0
PARTS = 4  # along each side of the picture
# A part darker than this counts with at most this share of edges: a small lamp in the dark does not light a room.
DARK, DARK_SHARE = 24.0, 0.02
QUANTILE, IN_DEVIATIONS = 0.7, 1.036  # of the magnitude of normally distributed values
# Shares of cells with an edge. Rooms have more than 4 %, and about 1 % at a fifth of their contrast.
BLIND_BELOW, SEEING_FROM = 0.005, 0.007
MEAN_S = 0.5  # time constant of the mean over pictures, in which noise that changes disappears
OTHER = 12.0  # a picture that differs from the mean by more than this on average starts a new mean
UNUSABLE_S = 1.0  # without enough edges, until pictures count as unusable
BLIND_S = 10.0  # without enough edges, until the camera counts as blind
# A longer gap between two pictures counts as this much: what happened in it is unknown. So three pictures in a row
# without enough edges are needed before they count as unusable.
LONGEST_GAP_S = 0.5


class Blindness:
    """Judges the pictures of a camera one after the other."""

    def __init__(self) -> None:
        self._mean: Floats | None = None
        self.sees = True  # whether the last picture had enough edges
        self._unseeing_s = 0.0  # since the first picture without enough edges
        self._last_s = 0.0

    def update(self, image: Image, now_s: float, cells: Floats | None = None) -> None:
        """Judge a picture. `cells` is the same picture as from `coarse`."""
        cells = coarse(image) if cells is None else cells
        passed_s, self._last_s = now_s - self._last_s, now_s
        if self._mean is None or self._mean.shape != cells.shape or np.abs(cells - self._mean).mean() > OTHER:
            self._mean = cells.copy()
        else:
            self._mean += np.float32(1 - np.exp(-max(passed_s, 0) / MEAN_S)) * (cells - self._mean)
        saw = self.sees
        self.sees = share_of_edges(self._mean, _grain(image)) >= (BLIND_BELOW if saw else SEEING_FROM)
        if self.sees or saw or passed_s < 0:  # the clock may go back
            self._unseeing_s = 0.0
        else:
            self._unseeing_s += min(passed_s, LONGEST_GAP_S)

    @property
    def unusable(self) -> bool:
        """Whether nothing could be seen for UNUSABLE_S: what pictures do not show now proves nothing."""
        return self._unseeing_s >= UNUSABLE_S

    @property
    def blind(self) -> bool:
        """Whether nothing could be seen for BLIND_S."""
        return self._unseeing_s >= BLIND_S


def share_of_edges(cells: Floats, grain: float) -> float:
    """The share of cells with an edge; 1 if there are too few cells to judge.

    `cells` is a picture as from `coarse`, and `grain` the standard deviation of its pixels.
    """
    if min(cells.shape) < 4 * PARTS:
        return 1.0
    shares = np.zeros(PARTS * PARTS)
    for across, one in ((True, cells), (False, cells.T)):
        bend = one[:, :-2] - 2 * one[:, 1:-1] + one[:, 2:]
        strength = np.abs(bend[:-2] + bend[1:-1] + bend[2:]) / 3
        parts = _parts(strength if across else strength.T)
        noise = np.quantile(parts, QUANTILE, axis=1, keepdims=True) / IN_DEVIATIONS
        shares += np.mean(parts > np.clip(NOISES * noise, EDGE, max(STRONG, GRAINS * grain)), axis=1) / 2
    dark = np.median(_parts(cells), axis=1) < DARK
    return float(np.where(dark, np.minimum(shares, DARK_SHARE), shares).mean())


def _parts(values: Floats) -> Floats:
    """The values in each part of the picture, (PARTS * PARTS, n); what is left over at the edges is left out."""
    height, width = (side // PARTS for side in values.shape)
    parts = values[: PARTS * height, : PARTS * width].reshape(PARTS, height, PARTS, width)
    return parts.transpose(0, 2, 1, 3).reshape(PARTS * PARTS, height * width)


def _grain(image: Image) -> float:
    """The standard deviation of single pixels, from green pixels three columns apart in some rows."""
    green = image[::32, :, 1].astype(np.int16)
    if green.shape[1] < 4:
        return 0.0
    return float(np.quantile(np.abs(green[:, 3:] - green[:, :-3]), QUANTILE)) / IN_DEVIATIONS / 2**0.5
