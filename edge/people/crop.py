"""Where to look in the next frame: around the person whom a network for one person has just seen.

MoveNet's published way: the closer the picture is around the person, the more pixels of it they have.
"""

from edge.skeleton import INDEX
from edge.types import Crop, Pose

SURE = 0.2  # confidence of a keypoint that counts
TORSO, BODY = 1.9, 1.2  # times as far from the hips as any of their keypoints are the edges
LEAST_PX = 8.0  # from the hips to the edges: nobody is so small

_SHOULDERS = [INDEX["LEFT_SHOULDER"], INDEX["RIGHT_SHOULDER"]]
_HIPS = [INDEX["LEFT_HIP"], INDEX["RIGHT_HIP"]]


def crop_around(pose: Pose, width: int, height: int) -> Crop | None:
    """The square of a frame of `width` x `height` that this person is in, with room to move.

    None is the whole frame: no shoulder or no hip is sure, or the person fills it anyway.
    """
    sure = pose.confidence >= SURE
    if not (sure[_SHOULDERS].any() and sure[_HIPS].any()):
        return None
    centre = pose.xy[_HIPS].mean(axis=0).clip(0, (width, height))
    away = abs(pose.xy - centre)
    x, y = centre.tolist()
    half = max(TORSO * float(away[_SHOULDERS + _HIPS].max()), BODY * float(away[sure].max()))
    half = min(half, max(x, width - x, y, height - y))  # beyond the edges of the frame there is nothing
    if not LEAST_PX <= half < max(width, height) / 2:
        return None
    return Crop(x - half, y - half, 2 * half)
