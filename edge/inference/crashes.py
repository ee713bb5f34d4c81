"""Count across starts how often this process died while it used the Edge TPU: a driver can take us along.

A mark is set while it is in use, and taken away at every orderly end. Who finds one at the start knows what happened.
Only what happened since the machine was started counts: a power cut leaves a mark as well, and resets the device.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

CRASHES, WITHIN_S = 3, 600.0
SKIP_S = 3600.0  # since the last one
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class _Record(msgspec.Struct, frozen=True):
    boot_id: str
    in_use: bool = False
    crashes_s: tuple[float, ...] = ()  # the last CRASHES, on a clock that starts with the machine


class Crashes:
    """The record in the file `path`. If it cannot be read or written, that is told and nothing is counted."""

    def __init__(self, path: Path) -> None:
        """Read the record, and count a crash if the process before this one left its mark."""
        self.path = path
        self._lock = threading.Lock()  # who opens it and who ends the process need not be one thread
        self._closed = False
        try:
            boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            boot_id = ""
        self._record = _Record(boot_id)
        try:
            record = msgspec.json.decode(path.read_bytes(), type=_Record)
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as exc:
            log.warning("%s: cannot be used (%s); crashes of the Edge TPU are counted from 0", path, exc)
            return
        if record.boot_id == boot_id:
            crashes_s = (*record.crashes_s, _now_s())[-CRASHES:] if record.in_use else record.crashes_s
            self._record = _Record(boot_id, crashes_s=crashes_s)
        if record.in_use and record.boot_id == boot_id:
            log.warning("the process before this one died while it used the Edge TPU")
        if record.in_use:
            self._write()

    @property
    def of_late(self) -> int:
        """How many there were in the last WITHIN_S seconds."""
        return sum(_now_s() - crash_s < WITHIN_S for crash_s in self._record.crashes_s)

    @property
    def last_ago_s(self) -> float:
        """How many seconds ago the last one was found."""
        return _now_s() - max(self._record.crashes_s, default=_now_s())

    @property
    def skip_s(self) -> float:
        """For how many seconds the Edge TPU is better left alone; 0 if it need not be."""
        crashes_s = self._record.crashes_s
        if len(crashes_s) < CRASHES or crashes_s[-1] - crashes_s[0] > WITHIN_S:
            return 0.0
        return max(crashes_s[-1] + SKIP_S - _now_s(), 0.0)

    def begin(self) -> None:
        """The Edge TPU is about to be used: whoever dies from now on, died of it."""
        with self._lock:
            if not self._closed:
                self._mark(in_use=True)

    def end(self) -> None:
        """It is not used any more. Any number of times is fine."""
        with self._lock:
            if not self._closed:
                self._mark(in_use=False)

    def close(self, *, crashed: bool = False) -> None:
        """The process ends in good order, whatever the Edge TPU is at, or else as one that `crashed`; the first counts.

        From here on, nothing changes any more.
        """
        with self._lock:
            if not self._closed and not crashed:
                self._mark(in_use=False)
            self._closed = True

    def _mark(self, *, in_use: bool) -> None:
        if self._record.in_use != in_use:
            self._record = msgspec.structs.replace(self._record, in_use=in_use)
            self._write()

    def _write(self) -> None:
        """All or nothing, also when the power fails."""
        temporary = self.path.with_name(f".{self.path.name}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(self._record))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as exc:
            log.warning("%s: cannot be written (%s), so a crash of the Edge TPU will not be counted; "
                        "check the folder's permissions", self.path, exc.strerror)  # fmt: skip


def place(device_id: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the record of this device is kept: under systemd in its folder for states, else in the user's."""
    folder = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if not folder:
        state = environ.get("XDG_STATE_HOME", "")
        home = state if os.path.isabs(state) else os.path.expanduser("~/.local/state")  # noqa: PTH111, PTH117 - Path.expanduser raises where there is no home
        folder = f"{home}/edge-pose"
    return Path(folder) / f"edge-tpu-{device_id}.json"


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
