"""The readings for spark-lines."""

import json

from msgspec.structs import replace

from edge.mqtt.messages import FrameCounts, HealthLatency
from edge.web.history import KEPT, History
from tests.web.sensors import HEALTH


def test_readings_are_listed_oldest_first_and_unknown_ones_are_null() -> None:
    history = History()
    history.add(HEALTH)
    history.add(None)
    later = FrameCounts(processed=1, idle=0, dropped=8, unreadable=0)
    history.add(
        replace(
            HEALTH, fps=7.5, frames=later, soc_temperature_c=None, latency_ms=HealthLatency(inference=None, total=None)
        )
    )
    assert json.loads(history.encoded()) == {
        "period_s": 5,
        "fps": [14.9, None, 7.5],
        "inference_ms": [10.4, None, None],
        "temperature_c": [51.2, None, None],
        "dropped": [None, None, 5],
    }


def test_the_history_ends_after_ten_minutes() -> None:
    history = History()
    for number in range(500):
        history.add(replace(HEALTH, fps=float(number)))
    shown = json.loads(history.encoded())
    assert shown["fps"] == [float(number) for number in range(500 - KEPT, 500)]
    assert KEPT * shown["period_s"] == 600
