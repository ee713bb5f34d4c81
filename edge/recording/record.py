"""Record what the sensor observes. Updates contain no pictures, so recordings cannot either."""

import logging
import os
import queue
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, TypeAlias

from edge import __version__
from edge.mqtt.messages import Size, timestamp
from edge.pipeline.seams import Update
from edge.recording.files import Files
from edge.recording.format import FORMAT_VERSION, Cleared, End, Gap, Header, Resumed, encode, frame_line
from edge.rules.rules import Saved
from edge.types import Observation

log = logging.getLogger(__name__)

MAX_WAITING = 300  # frames that wait for a slow disk; 20 s at 15 fps
MAX_UNUSED = 100  # changes of the rules between two frames
RETRY_S = 10.0  # between two attempts while the folder cannot be written

_Item: TypeAlias = Observation | End | Cleared | dict[str, Any]  # a frame, the end of open events, or other rules


class Recorder:
    """A sink that writes every observation into files.

    A thread writes, so that a slow disk never holds up a frame. While the disk cannot keep up, is full or is read-only,
    frames are dropped, and a `gap` in the recording says how many.
    """

    def __init__(  # noqa: PLR0913 - the last two are for tests
        self,
        folder: Path,
        max_bytes: int,
        *,
        device: str,
        rules: dict[str, Any],
        max_waiting: int = MAX_WAITING,
        retry_s: float = RETRY_S,
    ) -> None:
        """`rules` are the tables of the configuration from which the rules were built."""
        self._folder = folder
        self._files = Files(folder, device, max_bytes)
        self._device, self._rules = device, rules
        self._max_waiting = max_waiting
        self._retry_s = retry_s
        self._run_id = os.urandom(8).hex()
        self._part = 0
        self._unused: deque[dict[str, Any]] = deque(maxlen=MAX_UNUSED)  # earlier rules that are in no header yet
        self._frame: Size | None = None  # of the open file
        self._seen: Observation | None = None  # the last one that was written
        self._resumed = b""  # the lines at the beginning of the first file, if events were resumed
        self._missing = 0  # frames before the next one that is written
        self._next_try_s: float | None = None  # while the folder cannot be written
        # Missing frames, and what follows them; None ends the thread.
        self._waiting: queue.SimpleQueue[tuple[int, _Item] | None] = queue.SimpleQueue()
        self._not_queued = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="recording", daemon=True)
        self._thread.start()

    def publish(self, update: Update) -> None:
        """Record the observation of an update."""
        if self._waiting.qsize() >= self._max_waiting:
            self._not_queued += 1
            self.dropped += 1
            return
        self._waiting.put((self._not_queued, update.seen))
        self._not_queued = 0

    def end(self, reason: str, *, stopped: bool = False) -> None:
        """Record that open events end after the last frame. Without frames, nothing is recorded."""
        self._waiting.put((0, End(reason=reason, stopped=stopped)))

    def clear_falls(self, reason: str) -> None:
        """Record that confirmed falls end after the last frame."""
        self._waiting.put((0, Cleared(reason=reason)))

    def resume(self, saved: Saved) -> None:
        """Record what was resumed; call this before the first frame."""
        self._resumed = encode(Resumed(falls=saved.falls, events=saved.events))

    def reconfigure(self, rules: dict[str, Any]) -> None:
        """Start another file with the next frame, if these tables of the rules differ from those before."""
        self._waiting.put((0, rules))

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is waiting, for at most `timeout_s`. May be called more than once."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _write_all(self) -> None:
        while (item := self._waiting.get()) is not None:
            missing, entry = item
            self._missing += missing
            if isinstance(entry, dict):
                self._use(entry)
                continue
            if self._next_try_s is not None and time.monotonic() < self._next_try_s:
                self._drop(entry)
                continue
            try:
                if isinstance(entry, Observation):
                    self._write(entry)
                elif self._seen:
                    self._append(encode(entry), self._seen)
                elif isinstance(entry, Cleared):
                    self._resumed += encode(entry)
            except OSError as exc:
                self._failed(exc)
                self._drop(entry)
        try:
            self._files.close()
        except OSError as exc:
            self._failed(exc)

    def _use(self, rules: dict[str, Any]) -> None:
        if rules == self._rules:
            return
        if self._frame is None:  # the rules changed twice, and both changes may end events
            self._unused.append(self._rules)
        self._rules, self._frame = rules, None

    def _write(self, seen: Observation) -> None:
        """Raises OSError."""
        content = encode(frame_line(seen))
        if self._missing:
            content = encode(Gap(frames=self._missing)) + content
        self._append(content, seen)
        self._seen = seen
        if self._next_try_s is not None:
            self._next_try_s = None
            log.info("recording into %s again; %d frames are missing", self._folder, self._missing)
        elif self._missing:
            log.warning("%s is too slow to record everything; %d frames are missing", self._folder, self._missing)
        self._missing = 0

    def _append(self, content: bytes, seen: Observation) -> None:
        """Write to the open file, or to another one if it is full. Raises OSError."""
        size = Size(width=seen.width, height=seen.height)
        if size == self._frame and self._files.has_room(content):
            self._files.append(content)
            return
        resumed = b"" if self._part else self._resumed
        first, *others = (
            encode(self._header(rules, self._part + number, seen, size))
            for number, rules in enumerate((*self._unused, self._rules))
        )
        self._files.start(b"".join((first, resumed, *others, content)))
        self._part += 1 + len(others)
        self._unused.clear()
        self._frame = size

    def _drop(self, entry: "Observation | End | Cleared") -> None:
        if isinstance(entry, Observation):
            self._missing += 1
            self.dropped += 1

    def _header(self, rules: dict[str, Any], part: int, seen: Observation, frame: Size) -> Header:
        return Header(
            v=FORMAT_VERSION,
            version=__version__,
            device=self._device,
            run=self._run_id,
            part=part,
            time=timestamp(seen.wall_s),
            frame=frame,
            rules=rules,
        )

    def _failed(self, exc: OSError) -> None:
        """Log the error once, and start another file after a while."""
        if self._next_try_s is None:
            remedy = "recording continues as soon as the folder is writable"
            log.error("recording.folder: cannot write to %s (%s); %s", self._folder, exc.strerror or exc, remedy)
        self._frame = None
        self._next_try_s = time.monotonic() + self._retry_s
