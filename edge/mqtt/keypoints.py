"""The payload of `keypoints`, from the results of one frame."""

from edge.mqtt import messages
from edge.pipeline.seams import Update


def keypoints_out(update: Update, now_s: float) -> messages.Keypoints:
    """The message that is published at `now_s`, on the clock of time.monotonic()."""
    return messages.Keypoints(
        v=messages.SCHEMA_VERSION,
        seq=update.frame.sequence,
        time=messages.timestamp(update.seen.wall_s),
        frame=messages.size_out(update.frame),
        latency_ms=messages.FrameLatency(
            inference=round(update.inference_s * 1e3, 2), total=round((now_s - update.started_s) * 1e3, 2)
        ),
        poses=tuple(map(messages.pose_out, update.seen.people)),
    )
