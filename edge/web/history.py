"""The readings of the last ten minutes, for spark-lines."""

from collections import deque

import msgspec

from edge.mqtt.messages import Health

PERIOD_S = 5
KEPT = 120  # ten minutes


class _Reading(msgspec.Struct, frozen=True):
    """What was measured in one period; None = unknown."""

    fps: float | None = None
    inference_ms: float | None = None
    temperature_c: float | None = None
    dropped: int | None = None


class History:
    """One reading per PERIOD_S."""

    def __init__(self) -> None:
        self._readings: deque[_Reading] = deque(maxlen=KEPT)
        self._dropped: int | None = None  # frames, when the last reading was taken

    def add(self, health: Health | None) -> None:
        """Add a reading; None if the sensor did not answer."""
        if health is None:
            self._readings.append(_Reading())
            return
        inference = health.latency_ms.inference
        dropped = None if self._dropped is None else health.frames.dropped - self._dropped
        self._dropped = health.frames.dropped
        self._readings.append(
            _Reading(health.fps, None if inference is None else inference.median, health.soc_temperature_c, dropped)
        )

    def encoded(self) -> bytes:
        """JSON with one list per reading, oldest first."""
        columns = {name: [getattr(one, name) for one in self._readings] for name in _Reading.__struct_fields__}
        return msgspec.json.encode({"period_s": PERIOD_S, **columns})
