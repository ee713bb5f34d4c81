"""A sink that logs the poses that are not reported as people, with the reason."""

import logging

from edge.pipeline.seams import Update

log = logging.getLogger(__name__)


class RejectedLog:
    """Logs at level debug, whenever the reasons change."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def publish(self, update: Update) -> None:
        reasons = sorted(rejected.reason for rejected in update.rejected)
        if reasons != self._reasons:
            self._reasons = reasons
            for rejected in update.rejected:
                left, top, right, bottom = map(round, rejected.pose.box)
                log.debug(
                    "frame %d: pose with score %.2f at %d,%d %dx%d is not a person: %s",
                    update.frame.sequence, rejected.pose.score, left, top, right - left, bottom - top, rejected.reason,
                )  # fmt: skip
