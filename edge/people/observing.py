"""Round tracked people to what is reported of them."""

import numpy as np

from edge.types import Frame, Observation, Person, Point, Track, box_around


def observe(people: list[Track], frame: Frame) -> Observation:
    """What the sensor reports of `frame`."""
    return Observation(
        frame.sequence,
        round(frame.monotonic_s, 3),
        round(frame.wall_s, 3),
        frame.width,
        frame.height,
        tuple(map(rounded, people)),
    )


def rounded(track: Track) -> Person:
    """The track's visible keypoints, rounded to 0.1 px and 0.001 of confidence, and the box around them."""
    pose = track.pose
    seen = pose.visible.nonzero()[0]
    # float32 would become 97.5999984741211 instead of 97.6.
    xy = pose.xy[seen].astype(np.float64).round(1).tolist()
    confidences = pose.confidence[seen].astype(np.float64).round(3).tolist()
    keypoints: list[Point | None] = [None] * len(pose.visible)
    for k, (x, y), confidence in zip(seen.tolist(), xy, confidences, strict=True):
        keypoints[k] = Point(x, y, confidence)
    return Person(track.id, round(pose.score, 3), box_around(xy), tuple(keypoints))
