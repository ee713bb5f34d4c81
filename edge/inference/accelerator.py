"""How to get at the Edge TPU: tried in another process first, and opened in this one while crashes are counted."""

import faulthandler
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.errors import AcceleratorError, EdgeError
from edge.inference import edgetpu
from edge.inference.crashes import CRASHES, WITHIN_S, Crashes
from edge.models.catalogue import ModelFile
from edge.pipeline.pipeline import Network

log = logging.getLogger(__name__)

FROZEN_S = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model of the catalogue, ready for frames."""

    model: ModelFile
    network: Network


@dataclass(frozen=True, slots=True, eq=False)
class Accelerator:
    """How to get at the Edge TPU. `check` and `load` raise AcceleratorError or ModelError."""

    check: Callable[[], None]  # tries it without any danger for this process, and may take long
    load: Callable[[], Loaded]  # into this process
    crashes: Crashes

    def tried(self) -> None:
        """Check it, unless it is to be left alone. Raises AcceleratorError, ModelError, and nothing else."""
        if skip_s := self.crashes.skip_s:
            raise AcceleratorError(
                f"the Edge TPU is left alone until {utc(skip_s)}, as this program died {CRASHES} times within "
                f"{WITHIN_S / 60:g} minutes while it was in use; check its power supply, and that libedgetpu is as new "
                f"as the runtime; to try it sooner, reboot, or delete {self.crashes.path} and restart the daemon"
            )
        with _all_foreseen():
            self.check()

    def opened(self) -> Loaded:
        """Load it; if this process dies from now on, that will be counted. Raises what `tried` does."""
        self.crashes.begin()
        try:
            with _all_foreseen(), _ended_if_frozen():
                return self.load()
        except EdgeError:
            self.crashes.end()
            raise

    def close(self) -> None:
        """The process ends in good order, as far as the record of crashes is concerned."""
        self.crashes.close()


@contextmanager
def _all_foreseen() -> Iterator[None]:
    """Any error becomes an EdgeError: those of a library, or of ours, must not end a thread without anybody hearing."""
    try:
        yield
    except EdgeError:
        raise
    except Exception as exc:
        error = AcceleratorError(edgetpu.unforeseen(exc))
        log.exception("%s", error)
        raise error from exc


@contextmanager
def _ended_if_frozen() -> Iterator[None]:
    """While the block runs, the process ends with exit code 1 once no thread of Python has run for FROZEN_S.

    The runtimes keep the GIL while a library prepares the model, so if that hangs, nothing of ours can act on it.
    """
    done = threading.Event()

    def beat() -> None:
        while not done.is_set():
            faulthandler.dump_traceback_later(FROZEN_S, exit=True, file=2)
            done.wait(1)
        faulthandler.cancel_dump_traceback_later()

    beating = threading.Thread(target=beat, name="beat", daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()


def utc(later_s: float = 0) -> str:
    """The time for people to read, now or so much later."""
    return (datetime.now(UTC) + timedelta(seconds=later_s)).strftime("%Y-%m-%d %H:%M UTC")
