from pathlib import Path

import pytest

from edge.pipeline.seams import Update
from edge.service import health
from edge.service.health import Meter
from tests.support.fakes import blank_frame
from tests.support.pipelines import empty_update


def update(now_s: float, inference_ms: float, total_ms: float) -> Update:
    return empty_update(blank_frame(0), now_s - total_ms / 1e3, inference_ms / 1e3)


def test_the_frame_rate_is_that_of_the_last_seconds() -> None:
    meter = Meter(100.0)
    assert meter.fps(100.0) == 0
    for n in range(200):
        meter.count(update(101 + n / 20, 1, 2), 101 + n / 20)
    assert meter.fps(111.0) == pytest.approx(20, rel=0.05)
    assert meter.processed == 200
    assert meter.last_frame_s == pytest.approx(110.95)


def test_after_one_frame_the_frame_rate_is_0() -> None:
    meter = Meter(100.0)
    meter.count(update(100.01, 1, 2), 100.01)
    assert meter.fps(100.02) == 0


def test_the_frame_rate_falls_to_0_when_no_frames_come() -> None:
    meter = Meter(0.0)
    for n in range(100):
        meter.count(update(n / 20, 1, 2), n / 20)
    rates = [meter.fps(5 + second) for second in range(6)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0


def test_latencies_are_null_before_the_first_frame_and_quantiles_after_it() -> None:
    meter = Meter(0.0)
    assert meter.inference() is None
    for n in range(1, 101):
        meter.count(update(n, n, 2 * n), n)
    inference, total = meter.inference(), meter.total()
    assert inference is not None
    assert total is not None
    assert (inference.median, inference.p95) == pytest.approx((50.5, 96))
    assert (total.median, total.p95) == pytest.approx((101, 192))


def test_readings_that_the_kernel_does_not_report_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TEMPERATURE", "_THROTTLED"):
        monkeypatch.setattr(health, name, tmp_path / name)
    assert health.soc_temperature_c() is None
    assert health.throttled() is None
    (tmp_path / "_TEMPERATURE").write_text("48312\n")
    (tmp_path / "_THROTTLED").write_text("50005\n")  # under-voltage and throttled, now and before
    assert health.soc_temperature_c() == 48.3
    assert health.throttled() is True
    (tmp_path / "_THROTTLED").write_text("50000\n")  # only before
    assert health.throttled() is False
    for name in ("_TEMPERATURE", "_THROTTLED"):
        (tmp_path / name).write_text("nonsense\n")
    assert health.soc_temperature_c() is None
    assert health.throttled() is None


def test_freed_memory_is_returned_to_the_system() -> None:
    kept = [bytearray(b"x") * 4000 for _ in range(20_000)]
    full = health.rss_mb()
    last = kept[-1]  # keeps the end of the heap in use, so that `del` by itself returns little
    del kept
    health.trim_memory()
    after = health.rss_mb()
    assert full is not None
    assert after is not None
    assert after < full - 40
    assert len(last) == 4000


def test_rss_is_the_memory_of_this_process() -> None:
    before = health.rss_mb()
    ballast = bytearray(b"x") * (64 << 20)
    after = health.rss_mb()
    assert before is not None
    assert after is not None
    assert 40 < after - before < 90
    assert len(ballast) == 64 << 20
