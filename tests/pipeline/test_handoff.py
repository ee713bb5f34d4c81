import queue
import threading
from time import monotonic

import pytest

from edge.pipeline.handoff import Handoff
from tests.support.waiting import LONG_S


def test_values_come_one_at_a_time_and_in_order() -> None:
    handoff: Handoff[int] = Handoff()
    begun: list[int] = []

    def put_all() -> None:
        for value in range(100):
            begun.append(value)
            handoff.put(value)

    giver = threading.Thread(target=put_all, daemon=True)
    giver.start()
    for value in range(100):
        assert handoff.get(5) == value
        assert begun[-1] <= value + 2, "put waits while one value is not taken"
    giver.join(LONG_S)


def test_put_waits_until_the_previous_value_is_taken() -> None:
    handoff: Handoff[str] = Handoff()
    handoff.put("first")
    giver = threading.Thread(target=handoff.put, args=("second",), daemon=True)
    giver.start()
    giver.join(0.1)
    assert giver.is_alive()
    assert handoff.get(5) == "first"
    giver.join(LONG_S)
    assert not giver.is_alive()
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
