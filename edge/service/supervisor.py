"""Publish `info`, `health` and `state`, and report to systemd, when they are due."""

import time
from collections.abc import Callable
from typing import TypeAlias

from edge.camera.feed import stall_timeout_s
from edge.homeassistant.announcer import Announcer
from edge.inference.network import Selector
from edge.mqtt import messages
from edge.mqtt.publisher import Publisher
from edge.pipeline.gate import Gate
from edge.pipeline.seams import FrameSource, Update
from edge.pipeline.shutter import Shutter
from edge.recording.record import Recorder
from edge.service import health, info
from edge.service.open_events import OpenEvents
from edge.service.reporter import Reporter
from edge.service.sd_notify import Notifier
from edge.service.states import StateReporter
from edge.system.clock import RunningClock
from edge.types import CameraMode

STATUS_INTERVAL_S = 2.0
ROOM_POLL_S = 0.005
# What is published at once when it changes: the state of the camera, whether the sensor is idle, and whether pictures
# are watched.
_Reported: TypeAlias = tuple[messages.Camera, bool, bool]
# Why open events end, by the state of the camera.
NO_PICTURE = {"stalled": "camera stalled", "blind": "nothing can be seen", "off": "switched off"}


class Supervisor:
    """A sink that counts frames, and that does what is due at each `tick`.

    systemd gets READY after the first frame. It gets WATCHDOG with each frame, whether a network sees it or not, and
    while the daemon waits for a camera or for an Edge TPU to be opened again.
    """

    def __init__(  # noqa: PLR0913 - the parts of a sensor
        self,
        *,
        facts: info.Facts,
        source: FrameSource,
        selector: Selector,
        publisher: Publisher,
        reporter: Reporter,
        notifier: Notifier,
        states: StateReporter | None = None,
        open_events: OpenEvents | None = None,
        recorder: Recorder | None = None,
        announcer: Announcer | None = None,
        gate: Gate | None = None,
        shutter: Shutter | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without `states`, no state is published, as the frames of the source are unrelated."""
        self._facts = facts
        self._source = source
        self._selector = selector
        self._publisher = publisher
        self._reporter = reporter
        self._notifier = notifier
        self._states = states
        self._open_events = open_events
        self._recorder = recorder
        self._announcer = announcer
        self._gate = gate
        self._shutter = shutter
        self._monotonic = monotonic
        self._heartbeat_s = facts.config.mqtt.heartbeat_s
        self._stall_timeout_s = stall_timeout_s(facts.config.camera)
        # A stall counts only time in which this process ran.
        self._clock = RunningClock(monotonic)
        self._last_frame_s = 0.0  # on that clock
        self._reported: _Reported = ("starting", False, False)  # as in the last health message
        # How many frames were processed when the camera was last blind, and when it was last switched off:
        self._blind_at: int | None = None
        self._off_at = 0
        self._connects = 0  # the number of connections when health was last published
        self.informed = False  # whether `info` has been published
        self._mode: CameraMode | None = None
        self._selected = selector.selected
        self._ready = False
        self._refusal = ""  # why the last reload was refused
        self._people = 0
        now_s = monotonic()
        self._meter = health.Meter(now_s)
        self._next_status_s = self._next_ping_s = now_s
        self._next_health_s = now_s + self._heartbeat_s

    @property
    def frames(self) -> int:
        """The number of processed frames."""
        return self._meter.processed

    @property
    def camera(self) -> messages.Camera:
        """The state of the camera. Unless it is "ok", the state of the room is unknown."""
        return self._condition()[0]

    def publish(self, update: Update) -> None:
        """Count a frame; publish `info` with the first one, and when the camera runs in another mode."""
        now_s = self._monotonic()
        self._meter.count(update, now_s)
        self._last_frame_s = self._clock.now_s()
        self._people = len(update.people)
        if self._states:
            self._states.publish(update)
        if self._facts.frame is None or self._mode != self._source.mode:
            self._facts.frame, self._mode = update.frame, self._source.mode
            self.publish_info()
        self._ping(now_s)

    def clear_falls(self, reason: str) -> int:
        """Clear all confirmed falls, also in the state; returns how many."""
        count = self._open_events.clear_falls(reason) if self._open_events else 0
        if count and self._states:
            self._states.clear_falls()
        return count

    def tick(self) -> None:
        """Do what is due; call this regularly, with or without frames."""
        now_s = self._monotonic()
        self._count_idle(now_s)
        if not self._ready and (self._meter.processed or self._source.off) and self._publisher.connection.was_tried():
            self._ready = True
            self._notifier.send("READY=1", self._status(now_s))
            self._next_status_s = now_s + STATUS_INTERVAL_S
            if not self.informed:
                self.publish_info()
            self.publish_health()
        if self._ready and now_s >= self._next_status_s:
            self._notifier.send(self._status(now_s))
            self._next_status_s = now_s + STATUS_INTERVAL_S
        if self._selector.selected is not self._selected:
            self._selected = self._selector.selected
            self._next_health_s = now_s
            if self.informed:
                self.publish_info()
        # The waits for camera and Edge TPU have their own time limits, so the watchdog need not watch them.
        if self._ready and (self._source.waiting or self._selector.recovering or self._source.off):
            self._ping(now_s)
        if self._shutter:
            self._shutter.tick()
        now = self._now()
        self._report_state(now[0])
        connection = self._publisher.connection
        is_new = self._ready and connection.connects != self._connects  # the broker may have lost the last health
        is_heard = connection.connected or self._publisher.tap is not None
        if is_heard and (is_new or now != self._reported or now_s >= self._next_health_s):
            self.publish_health()
        if self._announcer and self._announcer.tick():
            self._publisher.repeat_retained()
            self.publish_health()
        self._publisher.send_kept()

    def end(self, reason: str) -> None:
        """End open events, and publish that the state of the room is unknown from now on."""
        if self._open_events:
            self._open_events.stop(reason)
        if self._states:
            self._states.end()

    def publish_health(self) -> None:
        health.trim_memory()
        self._reported = self._now()
        self._next_health_s = self._monotonic() + self._heartbeat_s
        self._connects = self._publisher.connection.connects
        self._reporter.health(self._health(self._reported), self._heartbeat_s)
        if self._shutter:  # from now on, pictures may be seen
            self._shutter.show(watched=self._reported[2])

    def health(self) -> messages.Health:
        """How the sensor is doing now."""
        return self._health(self._now())

    def _health(self, now: "_Reported") -> messages.Health:
        camera, idle, pictures = now
        return health.assemble(
            meter=self._meter,
            source=self._source,
            publisher=self._publisher,
            recorder=self._recorder,
            state=self._selector.selected.state,
            camera=camera,
            idle=idle,
            pictures=pictures,
            now_s=self._monotonic(),
        )

    def publish_info(self) -> None:
        """Publish `info`. Not before the first frame: until then, the problem of the last run may still exist.

        A camera that is switched off has no problem.
        """
        self.informed = True
        self._reporter.info(info.assemble(self._facts))

    def wait_for_room(self, interrupted: Callable[[], bool]) -> None:
        """Wait until the broker can take a message. This is no hang, so keep pinging the watchdog."""
        while not self._publisher.has_room() and not interrupted():
            self._ping(self._monotonic())
            self.tick()
            time.sleep(ROOM_POLL_S)

    def reloading(self) -> None:
        """Report to systemd that a new configuration is being checked; READY follows, perhaps after the restart."""
        self._notifier.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reload_refused(self, reason: str) -> None:
        """Report to systemd, with the reason in the status line, that the old configuration stays in use."""
        self._refusal = f"; new configuration refused: {reason}"
        self._notifier.send("READY=1", self._status(self._monotonic()))

    def _report_state(self, camera: messages.Camera) -> None:
        """Publish the state if it is due. Before it becomes unknown, open events end."""
        if self._open_events and camera in NO_PICTURE:
            self._open_events.end(NO_PICTURE[camera])
        if self._states:
            self._states.tick(known=camera == "ok")

    def _count_idle(self, now_s: float) -> None:
        """Count the frames that no network has seen since the last call."""
        passed_over = self._gate.passed_over if self._gate else None
        if not passed_over:
            return
        while passed_over:
            self._meter.count_idle(passed_over.popleft())
        self._last_frame_s = self._clock.now_s()
        self._ping(now_s)

    def _now(self) -> "_Reported":
        return *self._condition(), self._shutter is not None and self._shutter.watched

    def _condition(self) -> tuple[messages.Camera, bool]:
        """The state of the camera, and whether the sensor is idle."""
        if self._source.off:
            self._off_at = self._meter.processed
            return "off", False
        if self._meter.processed == self._off_at:
            return "starting", False
        if self._is_stalled():
            return "stalled", False
        if self._gate is None:
            return "ok", False
        if self._gate.blind:
            self._blind_at = self._meter.processed
        # Until a network has seen a frame again, the state is that of the time before.
        return "blind" if self._blind_at == self._meter.processed else "ok", self._gate.idle

    def _is_stalled(self) -> bool:
        """Whether the camera keeps the sensor waiting, and not the network or the broker."""
        silent_s = self._clock.now_s() - self._last_frame_s  # every tick reads the clock, as RunningClock requires
        return bool(self._meter.processed) and self._source.waiting and silent_s > self._stall_timeout_s

    def _ping(self, now_s: float) -> None:
        if self._notifier.watchdog_interval_s and now_s >= self._next_ping_s:
            self._notifier.send("WATCHDOG=1")
            self._next_ping_s = now_s + self._notifier.watchdog_interval_s

    def _status(self, now_s: float) -> str:
        people = f"{self._people} {'person' if self._people == 1 else 'people'}"
        connection = self._publisher.connection
        broker = "online" if connection.connected else f"broker: {connection.failure or 'connecting'}"
        camera, idle = self._condition()
        seen = {
            "stalled": "the camera is silent",
            "blind": "nothing can be seen",
            "off": "the camera is switched off",
        }.get(camera, people)
        seen += ", idle" if idle else ""
        return f"STATUS={self._meter.fps(now_s):.1f} fps, {seen}, {broker}{self._refusal}"
