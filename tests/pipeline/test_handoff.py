import queue
import threading
from time import monotonic

import pytest

from edge.pipeline.handoff import Handoff
from tests.support.waiting import LONG_S


def test_values_come_one_at_a_time_and_in_order() -> None:
    handoff: Handoff[int] = Handoff()
    started: list[int] = []

    def put_all() -> None:
        for value in range(100):
            started.append(value)
            handoff.put(value)

    producer = threading.Thread(target=put_all, daemon=True)
    producer.start()
    for value in range(100):
        assert handoff.get(5) == value
        assert started[-1] <= value + 2, "put waits while one value is not taken"
    producer.join(LONG_S)


def test_put_waits_until_the_previous_value_is_taken() -> None:
    handoff: Handoff[str] = Handoff()
    handoff.put("first")
    producer = threading.Thread(target=handoff.put, args=("second",), daemon=True)
    producer.start()
    producer.join(0.1)
    assert producer.is_alive()
    assert handoff.get(5) == "first"
    producer.join(LONG_S)
    assert not producer.is_alive()
    assert handoff.get(5) == "second"


@pytest.mark.parametrize("timeout_s", [0, 0.1])
def test_get_raises_when_no_value_comes_in_time(timeout_s: float) -> None:
    handoff: Handoff[None] = Handoff()
    started_s = monotonic()
    with pytest.raises(queue.Empty):
        handoff.get(timeout_s)
    assert monotonic() - started_s >= timeout_s
    handoff.put(None)
    assert handoff.get(timeout_s) is None
