"""Which network looks at the next frame where there are two, on the Edge TPU and on the CPU; and why.

The Edge TPU is tried in a process of its own first, at the start and every `probe_s` while the CPU does the work: its
library may hang or crash. When it fails in the middle it is opened once more, and then the CPU takes over, with the
very same frame. Without a network for the CPU, its error is raised instead. When it hangs, the program has to end, as
what hangs is in it; that counts like a crash. The reason is always at hand for the wire.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.errors import AbsentError, AcceleratorError, EdgeError
from edge.inference import coral
from edge.inference.catalogue import ModelFile
from edge.inference.crashes import CRASHES, SKIP_S, WITHIN_S, Crashes
from edge.pipeline import Network

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model of the catalogue, ready for frames."""

    model: ModelFile
    network: Network


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is in use, and why."""

    loaded: Loaded
    reason: str


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
                f"the Edge TPU is left alone until {_utc(skip_s)}, as this program died {CRASHES} times within "
                f"{WITHIN_S / 60:g} minutes while it was in use; check its power supply, and that libedgetpu is as new "
                f"as the runtime; to try it sooner, reboot, or delete {self.crashes.path} and restart the daemon"
            )
        with _all_foreseen():
            self.check()

    def opened(self) -> Loaded:
        """Load it; if this process dies from now on, that will be counted. Raises what `tried` does."""
        self.crashes.begin()
        try:
            with _all_foreseen():
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
        error = AcceleratorError(coral.unforeseen(exc))
        log.exception("%s", error)
        raise error from exc


class Failover:
    """Says which network is to be used, and goes from the Edge TPU to the CPU and back: the `Choice` of a Pipeline.

    `network` and `failed` are for the inference thread; `state` is replaced as a whole, and may be read by any.
    """

    def __init__(
        self, first: Loaded, reason: str, *, cpu: Loaded | None = None, accelerator: Accelerator | None = None,
        probe_s: float = 0,
    ) -> None:  # fmt: skip
        """Begin with `first`. With `cpu`, that takes over when the Edge TPU fails."""
        self.state = State(first, reason)
        self._why = reason
        self._cpu = cpu
        self._accelerator = accelerator
        self._probe_s = probe_s
        self._opened_again_s = float("-inf")
        self._since = _utc()  # the CPU is in use, if it is
        self._lost = ""  # how the Edge TPU failed in the middle
        self._found: State | None = None  # is used from the next frame on
        self._settled = threading.Event()
        self._closed = threading.Event()

    def try_accelerator(self, timeout_s: float, stopping: threading.Event) -> None:
        """Begin to try the Edge TPU, now and every `probe_s`, and wait for what comes of it, but not too long."""
        self.state = State(self.state.loaded, f"{self._on_cpu()}, while the Edge TPU is being tried")
        self._probe(0)
        deadline_s = time.monotonic() + timeout_s
        while not (self._settled.wait(0.05) or stopping.is_set() or time.monotonic() > deadline_s):
            pass
        self.network()

    def network(self) -> Network:
        """The network for the next frame."""
        if self._found is not None:
            self.state, self._found = self._found, None
            log.info("%s is used from now on: %s", *_told(self.state))
        return self.state.loaded.network

    def failed(self, error: AcceleratorError) -> None:
        """The Edge TPU failed: from now on, another network is used. Raises AcceleratorError if there is none."""
        accelerator, now_s = self._accelerator, time.monotonic()
        if accelerator is None:
            raise error
        # Stands for ever if it hangs from here on.
        self.state = State(self.state.loaded, f"{self._why}; it failed at {_utc()}: {error}")
        self.state.loaded.network.runtime.close()
        if now_s - self._opened_again_s >= self._probe_s:
            self._opened_again_s = now_s
            log.warning("%s; it is opened again", error)
            try:
                again = accelerator.opened()
            except EdgeError as exc:
                error = AcceleratorError(f"{error}; it could not be opened again: {exc}")
            else:
                self.state = State(again, f"{self._why}; it was opened again at {_utc()}, because {error}")
                return
        accelerator.crashes.end()
        if self._cpu is None:
            self.state = self._ended(error)
            raise error
        self._since, self._lost = _utc(), f"{error}"
        self._fall_back(self._lost)
        self._lost += "; now: "
        self._probe(self._probe_s)

    def hung(self, for_s: float) -> None:
        """The network has not come back for so long. Raises AcceleratorError if it is that of the Edge TPU."""
        if self.state.loaded.network.runtime.backend == "cpu":
            return
        error = AcceleratorError(coral.silent(for_s))
        self.state = self._ended(error)
        if self._accelerator is not None:
            self._accelerator.crashes.close(crashed=True)
        raise error

    def close(self) -> None:
        """End in good order, as far as the record of crashes is concerned. Any number of times is fine."""
        self._closed.set()
        if self._accelerator is not None:
            self._accelerator.close()

    def _probe(self, wait_s: float) -> None:
        # A daemon, because what it tries may hang. The process that it started ends with it.
        threading.Thread(target=self._try, args=(wait_s,), name="probe", daemon=True).start()

    def _try(self, wait_s: float) -> None:
        """Try the Edge TPU again and again until it is there."""
        assert self._accelerator is not None
        assert self._cpu is not None
        while not self._closed.wait(wait_s):
            wait_s = self._probe_s
            try:
                self._accelerator.tried()
                if self._closed.is_set():
                    return
                # Stands for ever if that hangs here, after it worked in the other process.
                self.state = State(
                    self._cpu,
                    f"{self._on_cpu()}, because {self._lost}the Edge TPU is there, but still being opened, since "
                    f"{_utc()}; if that takes more than a minute, plug it in anew and restart the sensor",
                )
                loaded = self._accelerator.opened()
            except EdgeError as exc:
                usual = isinstance(exc, AbsentError) and not self._lost  # as on most machines
                self._fall_back(
                    f"{self._lost}{str(exc).removeprefix('model.name: ')}{self._crashed()}",
                    logging.INFO if usual else logging.WARNING,
                )
                self._settled.set()
                continue
            self._found = State(loaded, f"{self._why}; it is there and works{self._crashed()}")
            self._settled.set()
            return

    def _crashed(self) -> str:
        """A note of crashes that are too few to do anything about."""
        assert self._accelerator is not None
        count = self._accelerator.crashes.of_late
        if not count or self._accelerator.crashes.skip_s:
            return ""
        times = "once" if count == 1 else f"{count} times"
        # With the time, since this is told for as long as the Edge TPU works.
        last = _utc(-self._accelerator.crashes.last_ago_s)
        return (f"; but this program died {times} while the Edge TPU was in use, last at {last}: after {CRASHES} times "
                f"within {WITHIN_S / 60:g} minutes that is left alone for {SKIP_S / 60:g} minutes")  # fmt: skip

    def _on_cpu(self) -> str:
        return f"{self._why}; on the CPU since {self._since}"

    def _ended(self, error: AcceleratorError) -> State:
        return State(self.state.loaded, f"{self._why}; the daemon ended at {_utc()}, because {error}")

    def _fall_back(self, problem: str, level: int = logging.WARNING) -> None:
        assert self._cpu is not None
        assert self._accelerator is not None
        again = "" if self._accelerator.crashes.skip_s else f"; it is tried again every {self._probe_s:g} s"
        state = State(self._cpu, f"{self._on_cpu()}, because {problem}{again}")
        if state.reason != self.state.reason:
            self.state = state
            log.log(level, "%s is used: %s", *_told(state))


def _told(state: State) -> tuple[str, str]:
    return {"cpu": "the CPU", "edgetpu": "the Edge TPU"}[state.loaded.network.runtime.backend], state.reason


def _utc(later_s: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=later_s)).strftime("%Y-%m-%d %H:%M UTC")
