"""MoveNet MultiPose: several people, each found by the centre of the body (CenterNet, Zhou et al. 2019).

The network has six output maps with a cell for every 4 px. `center` is high at the centres of bodies. The cell of a
centre has the box of the body and a guess of its keypoints. `kpt_heatmap` and `kpt_offset` locate each keypoint near
its guess.

The steps and constants are those of the decoder in Google's graph, and so are the keypoints, with one difference: the
confidence of a keypoint says how well it fits this body. Google uses the candidate body that it fits best, so a wrist
that belongs to a neighbour gets full confidence.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from edge.decode.family import Decoding, Family, Options, Shapes, Size
from edge.decode.heatmaps import argmax2d, sigmoid
from edge.skeleton import KEYPOINT_COUNT
from edge.types import Array, Decoded, Floats, RawOutputs

STRIDE = 4  # px between cells
MAX_PEOPLE = 6  # centres that Google's graph decodes; the maps hold more

# Scores are lower than PoseNet's. Things that resemble a person reach 0.345; people at the edge of the picture or in
# unusual poses reach only 0.1.
KEYPOINT_CONFIDENCE, START_SCORE, KEEP_SCORE = 0.15, 0.35, 0.1

# Output -> channels. Vectors are in cells, y before x; those of keypoints are y and x of each keypoint in turn.
_CHANNELS = {
    "center": 1,  # logits
    "box_scale": 2,  # height and width of the body's box
    "box_offset": 2,  # from the cell to the centre of the box
    "kpt_regress": 2 * KEYPOINT_COUNT,  # from the cell to the guess of each keypoint
    "kpt_heatmap": KEYPOINT_COUNT,  # logits
    "kpt_offset": 2 * KEYPOINT_COUNT,  # from the cell to the keypoint
}
_REACH = 2  # a centre is the highest of its neighbours up to this many cells away
_PLATEAU = 1.0132789611816406e-06  # or is lower than the highest by less than this
_SPREAD = 0.300048828125  # twice the variance of the weights around a guess, in cells, per cell of the shorter side
_COUNTED = 0.126953125  # keypoints above this confidence count in the score


def decode_multipose(outputs: RawOutputs, max_poses: int = MAX_PEOPLE) -> Decoded:
    """Decode the best `max_poses` poses with a score of at least `KEEP_SCORE`.

    outputs: six tensors (h, w, channels), by the names in `_CHANNELS`. The score of a pose is the confidence of its
    centre times the mean confidence of its keypoints above 0.127.
    """
    center = outputs["center"]
    centres = sigmoid(center.real(center.data[..., 0]))
    found = []
    for row, column in _peaks(centres, max(max_poses, MAX_PEOPLE)):
        keypoints, confidences = _keypoints(outputs, row, column)
        counted = confidences[confidences > _COUNTED]
        score = float(centres[row, column] * counted.sum()) / max(len(counted), 1)
        if score >= KEEP_SCORE:
            found.append((score, keypoints, confidences))
    found = sorted(found, key=lambda pose: -pose[0])[:max_poses]
    return Decoded(
        np.array([keypoints for _, keypoints, _ in found], np.float32).reshape(-1, KEYPOINT_COUNT, 2),
        np.array([confidences for _, _, confidences in found], np.float32).reshape(-1, KEYPOINT_COUNT),
        np.array([score for score, _, _ in found], np.float32),
    )


def _peaks(centres: Array, count: int) -> Iterator[tuple[int, int]]:
    """The (row, column) of the `count` highest centres, highest first, equal ones in raster order.

    centres: (h, w) confidences. No pose scores higher than its centre, so lower centres than `KEEP_SCORE` are left out.
    """
    height, width = centres.shape
    padded = np.pad(centres, _REACH)
    rows = np.maximum.reduce([padded[shift : shift + height] for shift in range(2 * _REACH + 1)])
    highest = np.maximum.reduce([rows[:, shift : shift + width] for shift in range(2 * _REACH + 1)])
    cells = np.flatnonzero((centres >= KEEP_SCORE) & (highest - centres < _PLATEAU))
    cells = cells[np.argsort(-centres.reshape(-1)[cells], kind="stable")][:count]
    for cell in cells.tolist():
        yield divmod(cell, width)


def _keypoints(outputs: RawOutputs, row: int, column: int) -> tuple[Floats, Floats]:
    """Keypoints (17, 2) as (y, x) in input px, and confidences (17,), of the body with its centre in this cell."""
    scale, offset, regress = (
        outputs[name].real(outputs[name].data[row, column]) for name in ("box_scale", "box_offset", "kpt_regress")
    )
    cell = np.array((row, column), np.float32)
    heatmap, offsets = outputs["kpt_heatmap"], outputs["kpt_offset"]
    size = heatmap.data.shape[:2]
    middle, half = cell + offset, np.maximum(scale, 0) / 2
    # The cells of the box are first..last - 1 in each direction.
    first, last = (np.ceil(np.clip(edge, 0, size)).astype(int) for edge in (middle - half, middle + half))
    if not (first < last).all():
        return np.zeros((KEYPOINT_COUNT, 2), np.float32), np.zeros(KEYPOINT_COUNT, np.float32)
    guesses = cell + regress.reshape(KEYPOINT_COUNT, 2)
    # The weight around a guess is a Gaussian of the distance: the product of one along y and one along x.
    spread = np.float32(_SPREAD * min(size))
    along_y, along_x = (
        np.exp(-np.square(np.arange(first[axis], last[axis], dtype=np.float32)[:, None] - guesses[:, axis]) / spread)
        for axis in (0, 1)
    )
    inside = heatmap.real(heatmap.data[first[0] : last[0], first[1] : last[1]])
    weighted = sigmoid(inside) * along_y[:, None] * along_x
    rows, columns = argmax2d(weighted)
    kinds = np.arange(KEYPOINT_COUNT)
    confidences = weighted[rows, columns, kinds]
    rows, columns = rows + first[0], columns + first[1]
    moved = [offsets.real(offsets.data[rows, columns, 2 * kinds + axis]) for axis in (0, 1)]
    keypoints = np.stack((rows + moved[0], columns + moved[1]), axis=1) * np.float32(STRIDE)
    return keypoints.astype(np.float32), confidences


def _recognises(shapes: Shapes) -> bool:
    return all(len(shapes.get(name, ())) == 3 and shapes[name][2] == count for name, count in _CHANNELS.items())


def _open(_shapes: Shapes, _input_size: Size, options: Options) -> Decoding:
    most = 1 if options.mode == "single" else options.max_poses
    return Decoding(
        partial(decode_multipose, max_poses=most),
        keypoint_confidence=KEYPOINT_CONFIDENCE,
        start_score=START_SCORE,
        keep_score=KEEP_SCORE,
    )


FAMILY = Family(
    "movenet-multipose",
    outputs="center [h, w, 1] and kpt_heatmap [h, w, 17]",
    recognises=_recognises,
    open=_open,
    stride=lambda *_: STRIDE,
)
