"""Choose the part of the next frame to show to a network for one person: the area around the last pose.

This is MoveNet's published method. The closer the crop fits the person, the more pixels of them the network sees.
"""

from edge.skeleton import INDEX
from edge.types import Crop, Pose

MIN_CONFIDENCE = 0.2  # of a keypoint that counts
# Distance from the hips to the edges, relative to the farthest torso keypoint and to the farthest keypoint.
TORSO_MARGIN, BODY_MARGIN = 1.9, 1.2
MIN_HALF_PX = 8.0  # from the hips to the edges

_SHOULDERS = [INDEX["LEFT_SHOULDER"], INDEX["RIGHT_SHOULDER"]]
_HIPS = [INDEX["LEFT_HIP"], INDEX["RIGHT_HIP"]]


def crop_around(pose: Pose, width: int, height: int) -> Crop | None:
    """The square around this person in a frame of `width` x `height` px, with room to move.

    None means the whole frame: no shoulder or no hip is confident enough, or the person fills the frame.
    """
    confident = pose.confidence >= MIN_CONFIDENCE
    if not (confident[_SHOULDERS].any() and confident[_HIPS].any()):
        return None
    centre = pose.xy[_HIPS].mean(axis=0).clip(0, (width, height))
    away = abs(pose.xy - centre)
    x, y = centre.tolist()
    torso, body = float(away[_SHOULDERS + _HIPS].max()), float(away[confident].max())
    half = max(TORSO_MARGIN * torso, BODY_MARGIN * body)
    half = min(half, max(x, width - x, y, height - y))  # there is nothing beyond the edges of the frame
    if not MIN_HALF_PX <= half < max(width, height) / 2:
        return None
    return Crop(x - half, y - half, 2 * half)
