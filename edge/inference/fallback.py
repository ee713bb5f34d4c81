"""Which network looks at the next frame where there are two, on the Edge TPU and on the CPU; and why.

The Edge TPU is tried in a process of its own first, at the start and every `probe_s` while the CPU does the work: its
library may hang or crash. When it fails in the middle it is opened once more, and then the CPU takes over, with the
very same frame; also when that takes long, until it is open. Without a network for the CPU, its error is raised
instead. When it hangs while it computes, the program has to end, as what hangs is in it; that counts like a crash. The
reason is always at hand for the wire.
"""

import logging
import threading
import time
from dataclasses import dataclass

from edge.errors import AbsentError, AcceleratorError, EdgeError
from edge.inference import edgetpu
from edge.inference.accelerator import Accelerator, Loaded, utc
from edge.inference.crashes import CRASHES, SKIP_S, WITHIN_S
from edge.pipeline.pipeline import Network

log = logging.getLogger(__name__)

SLOW_S = 3.0  # then the Edge TPU is said not to answer
REOPEN_S = 1.0  # how long a frame waits for an Edge TPU that failed, before the CPU takes it


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is in use, and why."""

    loaded: Loaded
    reason: str


class Failover:
    """Says which network is to be used, and goes from the Edge TPU to the CPU and back: the `Choice` of a Pipeline.

    `network` and `failed` are for the inference thread, `slow` and `hung` for the one that watches it; `state` may be
    read by any.
    """

    def __init__(
        self, first: Loaded, reason: str, *, cpu: Loaded | None = None, accelerator: Accelerator | None = None,
        probe_s: float = 0,
    ) -> None:  # fmt: skip
        """Begin with `first`. With `cpu`, that takes over when the Edge TPU fails."""
        self._slow: tuple[State, State] | None = None  # which of them is slow, and what to tell instead
        self._why = reason
        self._cpu = cpu
        self._accelerator = accelerator
        self._probe_s = probe_s
        self._opened_again_s = float("-inf")
        self._since = utc()  # the CPU is in use, if it is
        self._lost = ""  # how the Edge TPU failed in the middle, before what is wrong with it now
        self._found: State | None = None  # is used from the next frame on
        self._settled = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()  # for who tells the state while it is opened again
        on_edge_tpu = accelerator is not None and cpu is None
        self._state = State(first, reason + self._crashed() if on_edge_tpu else reason)  # replaced as a whole

    @property
    def state(self) -> State:
        """What is in use, and why."""
        state, slow = self._state, self._slow
        return slow[1] if slow is not None and slow[0] is state else state

    def try_accelerator(self, timeout_s: float, stopping: threading.Event) -> None:
        """Begin to try the Edge TPU, now and every `probe_s`, and wait for what comes of it, but not too long."""
        self._state = State(self._state.loaded, f"{self._on_cpu()}, while the Edge TPU is being tried")
        self._probe(0)
        deadline_s = time.monotonic() + timeout_s
        while not (self._settled.wait(0.05) or stopping.is_set() or time.monotonic() > deadline_s):
            pass
        self.network()

    def network(self) -> Network:
        """The network for the next frame."""
        if self._found is not None:
            self._state, self._found = self._found, None
            log.info("%s is used from now on: %s", *_told(self._state))
        return self._state.loaded.network

    def failed(self, error: AcceleratorError) -> None:
        """The Edge TPU failed: from now on, another network is used. Raises AcceleratorError if there is none."""
        if self._accelerator is None:
            raise error
        lost = self._state.loaded
        # Stands for ever if it hangs from here on, and there is no CPU.
        self._state = State(lost, f"{self._why}; it failed at {utc()}: {error}")
        if self._cpu is None:
            try:
                self._found = self._again(lost, error)
            except AcceleratorError as exc:
                self._state = self._ended(exc)
                raise
            self.network()
            return
        self._since = utc()
        self._settled.clear()
        threading.Thread(target=self._reopen, args=(lost, error), name="reopening", daemon=True).start()
        if not self._settled.wait(REOPEN_S):
            with self._lock:
                if not self._settled.is_set():
                    self._state = State(self._cpu, f"{self._on_cpu()}, because {error}; it is {_opening(' again')}")
                    log.warning("%s is used: %s", *_told(self._state))
        self.network()

    def _reopen(self, lost: Loaded, error: AcceleratorError) -> None:
        """Open again what failed, and if that fails as well, go on trying."""
        try:
            self._found = self._again(lost, error)
        except AcceleratorError as exc:
            with self._lock:
                self._fall_back(str(exc))
                self._settled.set()
            self._lost = f"{error}; now: "
            self._try(self._probe_s)
        else:
            self._settled.set()

    def _again(self, lost: Loaded, error: AcceleratorError) -> State:
        """Let go of what failed, and open it again, but not too often. Raises AcceleratorError, and is done with it."""
        assert self._accelerator is not None
        lost.network.runtime.close()
        now_s = time.monotonic()
        if now_s - self._opened_again_s >= self._probe_s:
            self._opened_again_s = now_s
            log.warning("%s; it is opened again", error)
            try:
                again = self._accelerator.opened()
            except EdgeError as exc:
                error = AcceleratorError(f"{error}; it could not be opened again: {exc}")
            else:
                return State(again, f"{self._why}; it was opened again at {utc()}, because {error}")
        self._accelerator.crashes.end()
        raise error

    def slow(self, for_s: float, hung_s: float) -> None:
        """The network has been at work for so long: if it is that of the Edge TPU, say so in time, and take it back."""
        state = self._state
        if for_s < SLOW_S or state.loaded.network.runtime.backend == "cpu":
            self._slow = None
        elif self._slow is None or self._slow[0] is not state:
            reason = f"{self._why}; it has not answered since {utc(-for_s)}; {hung_s:g} s after that, the daemon ends"
            self._slow = state, State(state.loaded, reason)
            log.warning("the Edge TPU has not answered for %g s", SLOW_S)

    def hung(self, for_s: float) -> None:
        """The network has not come back for so long. Raises AcceleratorError if it is that of the Edge TPU."""
        if self._state.loaded.network.runtime.backend == "cpu":
            return
        error = AcceleratorError(edgetpu.silent(for_s))
        self._state = self._ended(error)
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
                self._state = State(
                    self._cpu,
                    f"{self._on_cpu()}, because {self._lost}the Edge TPU is there, but {_opening()}",
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
        last = utc(-self._accelerator.crashes.last_ago_s)
        return (f"; but this program died {times} while the Edge TPU was in use, last at {last}; if it dies {CRASHES} "
                f"times within {WITHIN_S / 60:g} minutes, that is left alone for {SKIP_S / 60:g} minutes")  # fmt: skip

    def _on_cpu(self) -> str:
        return f"{self._why}; on the CPU since {self._since}"

    def _ended(self, error: AcceleratorError) -> State:
        return State(self._state.loaded, f"{self._why}; the daemon ended at {utc()}, because {error}")

    def _fall_back(self, problem: str, level: int = logging.WARNING) -> None:
        assert self._cpu is not None
        assert self._accelerator is not None
        again = "" if self._accelerator.crashes.skip_s else f"; it is tried again every {self._probe_s:g} s"
        state = State(self._cpu, f"{self._on_cpu()}, because {problem}{again}")
        if state.reason != self._state.reason:
            self._state = state
            log.log(level, "%s is used: %s", *_told(state))


def _told(state: State) -> tuple[str, str]:
    return {"cpu": "the CPU", "edgetpu": "the Edge TPU"}[state.loaded.network.runtime.backend], state.reason


def _opening(again: str = "") -> str:
    return (f"still being opened{again}, since {utc()}; if that takes more than a minute, plug it in anew and restart "
            "the sensor")  # fmt: skip
