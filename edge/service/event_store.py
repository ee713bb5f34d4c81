"""Keep open events in a file, so that the next run of the service can resume or end them."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge.rules.episode import Episode
from edge.rules.rules import Saved
from edge.system.files import read_text
from edge.system.state_dir import set_aside, state_file, write_state
from edge.types import Observation

log = logging.getLogger(__name__)

RETRY_S = 60.0  # after which a file that could not be written is written again, even without a change
LARGEST = 1_000_000  # bytes
LONGEST_OFF_S = 86_400.0  # time between two boots that counts, because the wall clock may be wrong
CLOCK_JUMP_S = 10.0  # a greater correction of the wall clock is saved
MOVED = 0.25  # heights; a person on the floor who moved farther is saved
RULES, LAST_PHASES = {"presence", "zone", "fall", "gesture"}, {"left", "ended", "dismissed", "cleared"}
LATEST_WALL_S = 7.3e9  # year 2200


class _File(msgspec.Struct, frozen=True):
    v: Literal[1]
    device: str
    boot: str  # the kernel's ID of this boot; times are on its clock
    monotonic_s: float  # of the last frame, or of this file if there was none
    wall_s: float  # of the same moment
    saved: Saved


_decode = msgspec.json.Decoder(_File).decode


@dataclass(frozen=True, slots=True)
class Clocks:
    """What says how much time has passed since the file was written."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    boot: Callable[[], str] = lambda: read_text(Path("/proc/sys/kernel/random/boot_id"))


class EventStore:
    """A thread writes the file, because an SD card may take a second. The main thread calls all methods."""

    def __init__(self, device_id: str, clocks: Clocks | None = None) -> None:
        self._path = state_file("open_events", device_id)
        self._device_id = device_id
        self._clocks = clocks or Clocks()
        self._boot = self._clocks.boot()
        self._last: tuple[Saved, float] | None = (Saved(), math.nan)  # in the file, with the offset of the clocks
        self._waiting: deque[bytes] = deque(maxlen=1)  # the newest content, if it is not written yet
        self._changed, self._closing = threading.Event(), threading.Event()
        self._failed_s: float | None = None  # when the file could last not be written
        self._thread = threading.Thread(target=self._write_all, name="open events", daemon=True)
        self._thread.start()

    def load(self) -> Saved:
        """The open events of the last run, with times on the clock of this boot. Sets a damaged file aside."""
        try:
            if self._path.is_file() and self._path.stat().st_size > LARGEST:
                raise ValueError("it is too large")  # noqa: TRY301 - handled like other damage
            file = _decode(self._path.read_bytes())
            self._check(file)
        except (FileNotFoundError, NotADirectoryError):
            return Saved()
        except (OSError, ValueError, RecursionError) as exc:  # msgspec's errors are ValueErrors
            self._set_aside(exc)
            return Saved()
        self._last = None  # even the same content is written again, with the times of this boot
        return self._shifted(file)

    def save(self, saved: Saved, seen: Observation | None) -> None:
        """Write the file, if it has another content. `seen` is the last frame; None before the first one."""
        clocks = self._clocks
        monotonic_s, wall_s = (seen.monotonic_s, seen.wall_s) if seen else (clocks.monotonic(), clocks.wall())
        offset_s = wall_s - monotonic_s
        is_saved = self._last and _same(self._last[0], saved) and not abs(self._last[1] - offset_s) > CLOCK_JUMP_S
        if is_saved and (self._failed_s is None or clocks.monotonic() - self._failed_s < RETRY_S):
            return
        self._last = saved, offset_s
        file = _File(1, self._device_id, self._boot, monotonic_s, wall_s, saved)
        self._waiting.append(msgspec.json.encode(file))
        self._changed.set()

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is waiting, for at most `timeout_s`. May be called more than once."""
        self._closing.set()
        self._changed.set()
        self._thread.join(timeout_s)

    def _write_all(self) -> None:
        is_closing = False
        while not is_closing:
            self._changed.wait()
            self._changed.clear()
            is_closing = self._closing.is_set()
            while self._waiting:
                self._write(self._waiting.popleft())

    def _write(self, content: bytes) -> None:
        try:
            write_state(self._path, content)
        except OSError as exc:
            if self._failed_s is None:
                remedy = "make the folder writable, or open falls will not outlast a restart"
                log.warning("%s: cannot be written (%s); %s", self._path, exc.strerror or exc, remedy)
            self._failed_s = self._clocks.monotonic()
        else:
            self._failed_s = None

    def _check(self, file: _File) -> None:
        """Raises ValueError for content that this program does not write."""
        if file.device != self._device_id:
            raise ValueError(f"it belongs to the device {file.device!r}")
        episodes = [one.episode for one in file.saved.events] + [one.episode for one in file.saved.falls]
        if any(one.rule not in RULES or not 0 <= one.started_wall_s <= LATEST_WALL_S for one in episodes) or any(
            one.last not in LAST_PHASES for one in file.saved.events
        ):
            raise ValueError("its events are not valid")

    def _set_aside(self, exc: Exception) -> None:
        kept = set_aside(self._path)
        log.warning("%s: cannot be used (%s); open events of the last run are lost, see %s", self._path, exc, kept)

    def _shifted(self, file: _File) -> Saved:
        """The events with their times on the clock of this boot.

        Within a boot, the clock goes on. From one to the next, the wall clock says how much time has passed, and it
        may have jumped.
        """
        now_s = self._clocks.monotonic()
        if file.boot == self._boot and self._boot:
            passed_s = max(now_s - file.monotonic_s, 0.0)
        else:
            passed_s = min(max(self._clocks.wall() - file.wall_s, 0.0), LONGEST_OFF_S)
        offset_s = now_s - passed_s - file.monotonic_s

        def shifted(episode: Episode) -> Episode:
            return replace(episode, started_s=episode.started_s + offset_s)

        return Saved(
            tuple(
                replace(one, episode=shifted(one.episode), down_since_s=one.down_since_s + offset_s)
                for one in file.saved.falls
            ),
            tuple(replace(one, episode=shifted(one.episode)) for one in file.saved.events),
        )


def _same(one: Saved, other: Saved) -> bool:
    """Whether the difference does not matter after a restart."""
    return _names(one) == _names(other) and all(
        math.dist(before.place, now.place) <= MOVED * (now.height_px or math.inf)
        for before, now in zip(one.falls, other.falls, strict=True)
    )


def _names(saved: Saved) -> Any:
    falls = [(one.episode.id, one.episode.person, one.still_down) for one in saved.falls]
    return falls, [(one.episode.id, one.last) for one in saved.events]
