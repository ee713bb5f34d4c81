"""Work of other threads is done in the main thread."""

import threading
from concurrent.futures import Future
from functools import partial

import pytest

from edge.errors import ConfigError, RequestError
from edge.service.calls import MAX_WAITING, Calls
from tests.support.waiting import LONG_S


def test_work_is_done_in_the_thread_that_ticks_and_in_order() -> None:
    calls, done = Calls(), list[tuple[int, str]]()

    def note(number: int) -> int:
        done.append((number, threading.current_thread().name))
        return number

    def submit() -> None:
        futures.extend(calls.submit(partial(note, number)) for number in range(3))

    futures = list["Future[int]"]()
    thread = threading.Thread(target=submit, name="web")
    thread.start()
    thread.join(LONG_S)
    assert done == []
    calls.tick()
    here = threading.current_thread().name
    assert done == [(0, here), (1, here), (2, here)]
    assert [future.result(0) for future in futures] == [0, 1, 2]


def test_an_error_reaches_the_thread_that_asked() -> None:
    calls = Calls()

    def refuse() -> None:
        raise ConfigError("zones.hall.points", "the points enclose no area", "use corners that are not on one line")

    refused, after = calls.submit(refuse), calls.submit(lambda: 7)
    calls.tick()
    with pytest.raises(ConfigError) as exc:
        refused.result(0)
    assert exc.value.key == "zones.hall.points"
    assert after.result(0) == 7


def test_an_unexpected_error_is_logged_and_does_not_end_the_sensor(caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls()
    broken, after = calls.submit(lambda: 1 // 0), calls.submit(lambda: 7)
    calls.tick()
    with pytest.raises(RequestError):
        broken.result(0)
    assert after.result(0) == 7
    assert "ZeroDivisionError" in caplog.text


def test_work_that_was_cancelled_is_not_done() -> None:
    calls, done = Calls(), list[int]()
    cancelled = calls.submit(lambda: done.append(1))
    assert cancelled.cancel()
    calls.tick()
    assert done == []


def test_work_that_work_submits_waits_for_the_next_tick() -> None:
    calls, done = Calls(), list[int]()
    calls.submit(lambda: calls.submit(lambda: done.append(1)))
    calls.tick()
    assert done == []
    calls.tick()
    assert done == [1]


def test_too_much_work_is_refused() -> None:
    calls = Calls()
    futures = [calls.submit(lambda: 1) for _ in range(MAX_WAITING + 1)]
    with pytest.raises(RequestError):
        futures[-1].result(0)
    calls.tick()
    assert all(future.result(0) == 1 for future in futures[:-1])
    assert not calls.submit(lambda: 1).done()


def test_closing_refuses_what_waits_and_what_comes_later() -> None:
    calls = Calls()
    cancelled, waiting = calls.submit(lambda: 1), calls.submit(lambda: 1)
    cancelled.cancel()
    calls.close()
    calls.close()
    for future in (waiting, calls.submit(lambda: 1)):
        with pytest.raises(RequestError):
            future.result(0)
