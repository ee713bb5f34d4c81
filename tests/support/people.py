"""Observed people with the keypoints that a test gives."""

from collections.abc import Mapping

from edge.skeleton import INDEX
from edge.types import Observation, Person, Point, box_around

STANDING: Mapping[str, tuple[float, float]] = {
    "NOSE": (100, 20), "LEFT_EYE": (103, 17), "RIGHT_EYE": (97, 17), "LEFT_EAR": (107, 20), "RIGHT_EAR": (93, 20),
    "LEFT_SHOULDER": (118, 50), "RIGHT_SHOULDER": (82, 50), "LEFT_ELBOW": (124, 85), "RIGHT_ELBOW": (76, 85),
    "LEFT_WRIST": (126, 118), "RIGHT_WRIST": (74, 118), "LEFT_HIP": (112, 120), "RIGHT_HIP": (88, 120),
    "LEFT_KNEE": (112, 170), "RIGHT_KNEE": (88, 170), "LEFT_ANKLE": (112, 220), "RIGHT_ANKLE": (88, 220),
}  # fmt: skip


def person(
    id_: int | None,
    keypoints: Mapping[str, tuple[float, float]] = STANDING,
    *,
    at: tuple[float, float] = (0, 0),
    scale: float = 1.0,
    confidence: float = 0.9,
) -> Person:
    """A person with these keypoints, scaled and then moved by `at` px; the others are not visible."""
    points: list[Point | None] = [None] * len(INDEX)
    for part, (x, y) in keypoints.items():
        points[INDEX[part]] = Point(round(x * scale + at[0], 1), round(y * scale + at[1], 1), confidence)
    return Person(id_, confidence, box_around([point[:2] for point in points if point]), tuple(points))


def observation(
    sequence: int,
    *people: Person,
    at_s: float = 0.0,
    wall_s: float = 1_795_370_400.0,
    size: tuple[int, int] = (640, 480),
) -> Observation:
    return Observation(sequence, at_s, wall_s, *size, people)
