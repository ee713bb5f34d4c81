"""Select the network for each frame, on the Edge TPU or on the CPU, and record the reason.

With `inference.device = "auto"` the CPU's network is loaded first, and a thread opens the Edge TPU. If the Edge TPU
fails, the same frame goes to the CPU, and the thread tries to open it again with growing pauses. With `"edgetpu"` there
is no CPU network: after a failure the Edge TPU is opened once more, and if that fails too, the error is raised.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from edge.errors import AbsentError, AcceleratorError, EdgeError, ModelError, ReasonCode
from edge.inference import edgetpu
from edge.inference.network import Network, Selected, State
from edge.types import Backend

log = logging.getLogger(__name__)

BACKOFF_S = 1.0  # before the first retry; doubled after each further one, up to inference.retry_s
OpenEdgeTpu: TypeAlias = Callable[[threading.Event], Network]  # gives up once the event is set; raises EdgeError


class OneNetwork:
    """A selector with a single network in this process."""

    recovering = False

    def __init__(self, network: Network, device: str) -> None:
        self.selected = Selected(network, _state(network.runtime.backend, ReasonCode.CONFIGURED, _setting(device)))

    def network(self) -> Network:
        return self.selected.network

    def failed(self, error: AcceleratorError) -> None:
        raise error

    def close(self) -> None:
        """Do nothing: there is no worker to end."""


class EdgeTpuOnly:
    """A selector for an Edge TPU without a fallback."""

    def __init__(self, open_edge_tpu: OpenEdgeTpu, device: str, retry_s: float) -> None:
        """Open the Edge TPU. Raises EdgeError."""
        self._open = _guarded(open_edge_tpu)
        self.recovering = False
        self._closed = threading.Event()
        self._setting = _setting(device)
        self._retry_s = retry_s
        self._restarted_s = float("-inf")
        network = self._open(self._closed)
        self.selected = Selected(network, _state("edgetpu", ReasonCode.CONFIGURED, self._setting))

    def network(self) -> Network:
        return self.selected.network

    def failed(self, error: AcceleratorError) -> None:
        """Open the Edge TPU again, at most once per `retry_s`. Raises the last error if that is not possible."""
        network = self.selected.network
        now_s = time.monotonic()
        try:
            if self._closed.is_set() or now_s - self._restarted_s < self._retry_s:
                raise error
            self._restarted_s = now_s
            self.recovering = True
            log.warning("%s; opening it again", error)
            self.selected = Selected(network, _state("edgetpu", error.code, f"{self._setting}; {error}"))
            network = self._open(self._closed)
        except EdgeError as exc:
            code = exc.code if isinstance(exc, AcceleratorError) else ReasonCode.NO_MODEL
            self.selected = Selected(network, _state("edgetpu", code, f"{self._setting}; the daemon ended: {exc}"))
            raise
        finally:
            self.recovering = False
        detail = f"{self._setting}; it was opened again after: {error}"
        self.selected = Selected(network, _state("edgetpu", ReasonCode.READY, detail))
        if self._closed.is_set():
            network.runtime.close()

    def close(self) -> None:
        self._closed.set()
        self.selected.network.runtime.close()


class Fallback:
    """A selector that uses the Edge TPU while it works, and the CPU otherwise.

    `network` and `failed` are for the inference thread; `selected` may be read by any thread.
    """

    recovering = False  # the CPU takes the frame at once

    def __init__(
        self,
        cpu: Network,
        open_edge_tpu: OpenEdgeTpu,
        device: str,
        retry_s: float,
        *,
        release_cpu: Callable[[], None] = lambda: None,
    ) -> None:
        """`release_cpu` is called when the Edge TPU takes over, and frees memory that `cpu` can do without."""
        self._cpu = cpu
        self._release_cpu = release_cpu
        self._open = _guarded(open_edge_tpu)
        self._setting = _setting(device)
        self._retry_s = retry_s
        self._backoff_s = min(BACKOFF_S, retry_s)
        self._failures = 0  # of an Edge TPU that had worked
        self._last_failure: EdgeError | None = None
        self._opened: Selected | None = None  # waits for the next frame
        self._tried = threading.Event()  # the first attempt succeeded or failed
        self._wanted = threading.Event()  # the Edge TPU is not in use and should be opened
        self._wanted.set()
        self._closed = threading.Event()
        starting = _state("cpu", ReasonCode.STARTING, f"{self._setting}; the Edge TPU is being opened")
        self.selected = Selected(cpu, starting)
        self._thread = threading.Thread(target=self._keep_open, name="edgetpu", daemon=True)

    def start(self, timeout_s: float, stopping: threading.Event) -> None:
        """Start to open the Edge TPU, and wait up to `timeout_s` for the first attempt to succeed or fail."""
        self._thread.start()
        deadline_s = time.monotonic() + timeout_s
        while not (self._tried.wait(0.05) or stopping.is_set() or time.monotonic() > deadline_s):
            pass
        self.network()

    def network(self) -> Network:
        """The network for the next frame."""
        if self._opened is not None:
            self.selected, self._opened = self._opened, None
            self._release_cpu()
            log.info("the Edge TPU is used from now on")
        return self.selected.network

    def failed(self, error: AcceleratorError) -> None:
        """The Edge TPU failed: the same frame and the next ones go to the CPU."""
        self.selected.network.runtime.close()
        self._failures += 1
        self._last_failure = error
        self._fall_back(error)
        self._wanted.set()

    def close(self) -> None:
        """End the worker, even if it is still starting. May be called more than once."""
        self._closed.set()
        self._wanted.set()
        for selected in (self._opened, self.selected):  # in this order, since `network` moves one to the other
            if selected is not None and selected.network is not self._cpu:
                selected.network.runtime.close()

    def _keep_open(self) -> None:
        """Open the Edge TPU whenever it is wanted, with growing pauses while that fails."""
        pause_s, opened_s = 0.0, 0.0
        while True:
            self._wanted.wait()
            if opened_s:  # it was in use and failed
                lasted = time.monotonic() - opened_s > self._retry_s
                pause_s = self._backoff_s if lasted or not pause_s else self._longer(pause_s)
            if self._closed.wait(pause_s):
                return
            try:
                network = self._open(self._closed)
            except EdgeError as exc:
                if self._closed.is_set():
                    return
                # The owner has to plug in a Coral or install a model first, so quick retries are pointless.
                needs_owner = isinstance(exc, (AbsentError, ModelError))
                pause_s = self._retry_s if needs_owner else self._longer(pause_s)
                opened_s = 0.0
                self._fall_back(exc)
            else:
                opened_s = time.monotonic()
                self._wanted.clear()
                self._opened = Selected(network, _state("edgetpu", ReasonCode.READY, self._ready_detail()))
                if self._closed.is_set():
                    network.runtime.close()
                    return
            self._tried.set()

    def _longer(self, pause_s: float) -> float:
        return min(max(2 * pause_s, self._backoff_s), self._retry_s)

    def _ready_detail(self) -> str:
        if not self._failures:
            return f"{self._setting}; the Edge TPU works"
        times = "once" if self._failures == 1 else f"{self._failures} times"
        return f"{self._setting}; the Edge TPU works; it failed {times} before, last: {self._last_failure}"

    def _fall_back(self, error: EdgeError) -> None:
        """Use the CPU and record why; a repeated reason is neither recorded nor logged again."""
        code = error.code if isinstance(error, AcceleratorError) else ReasonCode.NO_MODEL
        before = f"{self._last_failure}; now: " if self._last_failure not in (None, error) else ""
        reason = f"{before}{error}; tried again at least every {self._retry_s:g} s"
        detail = f"{self._setting}; on the CPU: {reason}"
        if detail != self.selected.state.detail:
            if isinstance(error, AbsentError) and not self._failures:  # as on most machines
                log.info("no Coral is attached, so the network runs on the CPU")
            elif not self._closed.is_set():  # closing fails the inference that is under way
                log.warning("the CPU is used: %s", reason)
            now = self.selected.state
            since_s = now.since_s if now.backend == "cpu" and now.code is not ReasonCode.STARTING else time.time()
            self.selected = Selected(self._cpu, State("cpu", code, detail, since_s))


def _guarded(open_edge_tpu: OpenEdgeTpu) -> OpenEdgeTpu:
    """Convert unexpected errors, such as too many open files: they must not end the thread that retries."""

    def guarded(cancelled: threading.Event) -> Network:
        try:
            return open_edge_tpu(cancelled)
        except EdgeError:
            raise
        except Exception as exc:
            log.exception("unexpected error while the Edge TPU was being opened")
            raise edgetpu.unexpected(exc) from exc

    return guarded


def _state(backend: Backend, code: ReasonCode, detail: str) -> State:
    return State(backend, code, detail, time.time())


def _setting(device: str) -> str:
    return f"inference.device = {device}"
