"""What happens around the frames: messages, heartbeats, and what systemd is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.camera.feed import stall_timeout_s
from edge.config import Config
from edge.inference.fallback import Failover
from edge.mqtt import messages
from edge.mqtt.messages import Topics
from edge.mqtt.publisher import Publisher
from edge.pipeline.pipeline import FrameSource, Result
from edge.service import health
from edge.service.info import Profile
from edge.service.sd_notify import Notifier
from edge.types import CameraMode

STATUS_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Sensor:
    """Everything that a running sensor is made of."""

    config: Config
    failover: Failover
    source: FrameSource
    broker: Publisher
    topics: Topics
    profile: Profile


class Daemon:
    """Turns results into messages, and the clock into heartbeats."""

    def __init__(self, sensor: Sensor, notifier: Notifier, *, interrupted: Callable[[], bool]) -> None:
        """`interrupted` tells whether a signal has come, for which waiting has to end."""
        self._sensor = sensor
        self._notifier = notifier
        self._interrupted = interrupted
        now_s = time.monotonic()
        self._meter = health.Meter(now_s)
        self._stall_s = stall_timeout_s(sensor.config.camera)
        self._stalled = False
        self._mode: CameraMode | None = None
        self._frame_age_ms: float | None = None
        self._ready = False
        self._refusal = ""  # why the configuration of the last reload was not taken
        self._people = 0
        self._state = sensor.failover.state
        self._next_keypoints_s = self._next_status_s = self._next_ping_s = now_s
        self._next_report_s = now_s + sensor.config.mqtt.heartbeat_s

    @property
    def frames(self) -> int:
        """How many were processed."""
        return self._meter.processed

    def wait_for_broker(self) -> None:
        """A file does not run away: wait until what is published will be heard. That is no hang, so systemd is told."""
        while not self._sensor.broker.has_room() and not self._interrupted():
            self._ping(time.monotonic())
            self.tick(time.monotonic())
            time.sleep(0.005)

    def frame_done(self, result: Result) -> None:
        """Publish a frame's keypoints, at most as often as configured."""
        now_s = time.monotonic()
        self._meter.count(now_s, result.inference_s * 1e3, (now_s - result.started_s) * 1e3)
        self._people = len(result.people)
        frame = result.frame
        self._frame_age_ms = round((result.started_s - frame.monotonic_s) * 1e3, 1) if frame.dated else None
        if self._meter.processed == 1 or self._mode != self._sensor.source.mode:
            self._sensor.profile.frame, self._mode = frame, self._sensor.source.mode
            self._introduce()
        if now_s >= self._next_keypoints_s:
            message = self._sensor.topics.keypoints_message(self._keypoints(result, now_s))
            if not self._sensor.source.live:
                self.wait_for_broker()
            self._sensor.broker.publish(message)
            if rate_hz := self._sensor.config.mqtt.max_rate_hz:
                # From the due time, not from now, or every frame that is a little late would lower the rate.
                self._next_keypoints_s = max(self._next_keypoints_s + 1 / rate_hz, now_s - 1 / rate_hz)
        self._ping(now_s)

    def tick(self, now_s: float) -> None:
        """What is due by the clock, frames or not."""
        if not self._ready and self._meter.processed and self._sensor.broker.connection.was_tried():
            self._ready = True
            self._notifier.send("READY=1", self._status(now_s))
            self._next_status_s = now_s + STATUS_INTERVAL_S
            self.report(now_s)
        if self._ready and now_s >= self._next_status_s:
            self._notifier.send(self._status(now_s))
            self._next_status_s = now_s + STATUS_INTERVAL_S
        if self._sensor.failover.state is not self._state:
            self._state = self._sensor.failover.state
            self._next_report_s = now_s
            if self._meter.processed:
                self._introduce()
        if self._ready and self._sensor.source.waiting:
            self._ping(now_s)
        changed = self._stalled != self._is_stalled(now_s)
        if (changed or now_s >= self._next_report_s) and self._sensor.broker.connection.connected:
            self._stalled = self._is_stalled(now_s)
            self.report(now_s)

    def report(self, now_s: float) -> None:
        """Publish the health of the daemon."""
        health.give_memory_back()
        self._next_report_s = now_s + self._sensor.config.mqtt.heartbeat_s
        self._sensor.broker.publish(
            self._sensor.topics.health_message(self._health(now_s), self._sensor.config.mqtt.heartbeat_s)
        )

    def _introduce(self) -> None:
        """Say in `info` who we are: not before the first frame, for until then a problem that was told may go on."""
        self._sensor.broker.publish_retained(self._sensor.profile.message())

    def _is_stalled(self, now_s: float) -> bool:
        last_s = self._meter.last_frame_s
        late = last_s is not None and now_s - last_s > self._stall_s
        return late and self._sensor.source.waiting  # else it is the network or the broker who keeps frames waiting

    def reloading(self) -> None:
        """Tell systemd that a new configuration is looked at; READY follows, of this process or of its successor."""
        self._notifier.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def refused(self, reason: str) -> None:
        """Tell systemd, and whoever asks for the status, that the old configuration goes on."""
        self._refusal = f"; new configuration refused: {reason}"
        self._notifier.send("READY=1", self._status(time.monotonic()))

    def _ping(self, now_s: float) -> None:
        if self._notifier.watchdog_interval_s and now_s >= self._next_ping_s:
            self._notifier.send("WATCHDOG=1")
            self._next_ping_s = now_s + self._notifier.watchdog_interval_s

    def _status(self, now_s: float) -> str:
        people = f"{self._people} {'person' if self._people == 1 else 'people'}"
        broker = (
            "online"
            if self._sensor.broker.connection.connected
            else f"broker: {self._sensor.broker.connection.failure or 'connecting'}"
        )
        seen = "the camera is silent" if self._is_stalled(now_s) else people
        return f"STATUS={self._meter.fps(now_s):.1f} fps, {seen}, {broker}{self._refusal}"

    def _keypoints(self, result: Result, now_s: float) -> messages.Keypoints:
        frame = result.frame
        return messages.Keypoints(
            v=messages.SCHEMA_VERSION,
            seq=frame.sequence,
            time=messages.timestamp(frame.wall_s),
            frame=messages.size_out(frame),
            latency_ms=messages.FrameLatency(
                inference=round(result.inference_s * 1e3, 2), total=round((now_s - result.started_s) * 1e3, 2)
            ),
            poses=tuple(map(messages.pose_out, result.people)),
        )

    def _health(self, now_s: float) -> messages.Health:
        meter, last_s, state = self._meter, self._meter.last_frame_s, self._sensor.failover.state
        age_s = None if last_s is None else now_s - last_s
        stalled = self._is_stalled(now_s)
        return messages.Health(
            v=messages.SCHEMA_VERSION,
            time=messages.timestamp(time.time()),
            uptime_s=round(now_s - meter.started_s, 1),
            fps=round(meter.fps(now_s), 2),
            latency_ms=messages.HealthLatency(
                inference=None if stalled else meter.inference(), total=None if stalled else meter.total()
            ),
            frames=messages.FrameCounts(
                processed=meter.processed,
                dropped=self._sensor.source.dropped,
                unreadable=self._sensor.source.unreadable,
            ),
            messages_dropped=self._sensor.broker.dropped,
            connects=self._sensor.broker.connection.connects,
            last_frame_age_s=None if age_s is None else round(age_s, 3),
            frame_age_ms=None if stalled else self._frame_age_ms,
            camera="starting" if age_s is None else "stalled" if stalled else "ok",
            camera_reopened=self._sensor.source.reopened,
            backend=state.loaded.network.runtime.backend,
            backend_reason=state.reason,
            soc_temperature_c=health.soc_temperature_c(),
            throttled=health.throttled(),
            rss_mb=health.rss_mb(),
        )
