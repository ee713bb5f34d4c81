"""The 17 COCO keypoints: their names, the lines between them, and the spread of human annotations."""

from typing import Any

import numpy as np

from edge.types import Floats

PARTS = {
    0: "NOSE",
    1: "LEFT_EYE",
    2: "RIGHT_EYE",
    3: "LEFT_EAR",
    4: "RIGHT_EAR",
    5: "LEFT_SHOULDER",
    6: "RIGHT_SHOULDER",
    7: "LEFT_ELBOW",
    8: "RIGHT_ELBOW",
    9: "LEFT_WRIST",
    10: "RIGHT_WRIST",
    11: "LEFT_HIP",
    12: "RIGHT_HIP",
    13: "LEFT_KNEE",
    14: "RIGHT_KNEE",
    15: "LEFT_ANKLE",
    16: "RIGHT_ANKLE",
}  # left and right from the person's point of view
KEYPOINT_COUNT = len(PARTS)
INDEX = {name: index for index, name in PARTS.items()}

# Lines to draw between keypoints. PoseNet's own tree is `edge.decode.bottom_up.EDGES`.
BONES = (
    (0, 1), (0, 2), (1, 3), (2, 4),
    (5, 6), (5, 7), (7, 9), (6, 8), (8, 10),
    (5, 11), (6, 12), (11, 12),
    (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip

# Standard deviation of human annotators per keypoint, relative to the person's size (COCO's OKS).
OKS_SIGMAS: Floats = np.array(
    [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89], np.float32
) / np.float32(1000)


class KeyPoint:
    """One keypoint of one person, in pixels of the decoder's input picture.

    `index` and `body_part` name it (see `PARTS`), `x` grows to the right, `y` downwards, `confidence` is 0..1.
    """

    __slots__ = ("body_part", "confidence", "index", "x", "y")

    def __init__(self, index: int, pos: Any, v: float) -> None:
        """`pos` is (y, x): row before column, as decoders return positions. `v` is the confidence."""
        y, x = pos
        self.index = int(index)
        self.body_part = PARTS.get(self.index)
        self.x = float(x)
        self.y = float(y)
        self.confidence = float(v)

    def point(self) -> tuple[int, int]:
        """(column, row) in whole pixels, as drawing functions expect them."""
        return int(self.x), int(self.y)

    def to_string(self) -> str:
        return f"part: {self.body_part} location: {(self.x, self.y)} confidence: {self.confidence}"

    def __repr__(self) -> str:
        return f"<KeyPoint {self.body_part} ({self.x:.1f}, {self.y:.1f}) {self.confidence:.2f}>"
