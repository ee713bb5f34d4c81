"""Draw and publish snapshots: people, zones and lines on black."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from edge.config import Config, Line, Zone
from edge.errors import EdgeError, RequestError
from edge.mqtt import messages
from edge.mqtt.answers import SnapshotOut
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.types import Observation

log = logging.getLogger(__name__)

NOTES: dict[messages.Camera, str] = {
    "starting": "camera starts", "off": "camera off", "stalled": "camera silent", "blind": "nothing is visible",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """What the sensor sees now."""

    camera: messages.Camera
    frame: tuple[int, int]  # width and height, px
    seen: Observation | None  # None: unknown
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def content(self) -> object:
        """What a snapshot shows of it."""
        return self.camera, self.frame, self.seen and self.seen.people, self.zones, self.lines


class Snapshots:
    """Draws one snapshot at a time, in a thread, since it takes longer than a frame may wait."""

    def __init__(
        self,
        publisher: Publisher,
        topics: Topics,
        config: Config,
        *,
        is_off: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """While the camera `is_off`, no people are published."""
        self._is_off = is_off
        self._publisher = publisher
        self._topics = topics
        self._period_s = config.mqtt.snapshot_s
        self._monotonic = monotonic
        self._drawing: Future[SnapshotOut] | None = None  # the last one
        self._requested = False  # whether a request waits for it
        self._drawn: object = None  # its content
        self._drawn_s = float("-inf")
        self._failed = False

    def request(self, view: View) -> "Future[SnapshotOut]":
        """Draw and publish a snapshot. Raises RequestError, also through the Future."""
        if self._drawing is None or self._drawing.done():
            self._draw(view)
        elif self._requested:
            raise RequestError("snapshot", "another snapshot is being drawn", "try again in a second")
        self._requested = True
        assert self._drawing
        return self._drawing

    def tick(self, view: View) -> None:
        """Draw a snapshot if one is due and would differ from the last one; call this regularly."""
        if not self._period_s or self._monotonic() - self._drawn_s < self._period_s or view.camera == "starting":
            return
        if view.content != self._drawn and self._publisher.has_room() and (not self._drawing or self._drawing.done()):
            self._draw(view)

    def _draw(self, view: View) -> None:
        self._drawing, self._requested = Future(), False
        self._drawn, self._drawn_s = view.content, self._monotonic()
        threading.Thread(target=self._settle, args=(view, self._drawing), name="snapshot", daemon=True).start()

    def _settle(self, view: View, drawing: "Future[SnapshotOut]") -> None:
        try:
            drawing.set_result(self._publish(view))
        except EdgeError as exc:
            drawing.set_exception(exc)
        except Exception as exc:
            if not self._failed:
                self._failed = True
                log.exception("snapshots cannot be drawn; please report it with these lines")
            drawing.set_exception(RequestError("snapshot", f"it cannot be drawn ({exc})", "see the log of the service"))

    def _publish(self, view: View) -> SnapshotOut:
        from edge.drawing.snapshot import draw_snapshot  # noqa: PLC0415 - many sensors never need Pillow

        seen = view.seen
        people = seen.people if seen else ()
        drawn = draw_snapshot(view.frame, people, view.zones, view.lines, NOTES.get(view.camera, ""))
        with self._publisher.connection.lock:  # so that no people follow `setting/enabled`
            if seen and self._is_off():
                raise RequestError("snapshot", "the camera has just been switched off", "try again")
            published = self._publisher.publish(self._topics.snapshot_message(drawn.png))
        if not published:
            raise RequestError("snapshot", "the broker is too slow, or away", "try again later")
        return SnapshotOut(
            time=messages.timestamp(seen.wall_s if seen else time.time()),
            seq=seen.sequence if seen else None,
            camera=view.camera,
            people=len(people) if seen else None,
            width=drawn.width,
            height=drawn.height,
            bytes=len(drawn.png),
        )
