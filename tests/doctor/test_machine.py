"""Board, power, temperature, memory, disk and clock."""

import shutil
from pathlib import Path

import pytest

from edge.doctor import machine
from tests.support.commands import Commands


def test_a_machine_that_is_no_raspberry_pi_is_reported_as_such(tmp_path: Path) -> None:
    assert machine.NO_PI in machine.board(tmp_path).text


@pytest.mark.parametrize(
    ("flags", "level", "words"),
    [
        (0, "ok", []),
        (0x50005, "problem", ["now: under-voltage, throttled", "power supply"]),
        (0x50000, "warning", ["now: none; since boot: under-voltage, throttled", "power supply"]),
        (0x80008, "problem", ["soft temperature limit", "cool"]),
    ],
)
def test_throttling_now_is_a_problem_and_before_a_warning(flags: int, level: str, words: list[str]) -> None:
    found = machine.power("Raspberry Pi 4", flags, Commands())
    assert found.level == level
    assert all(word in found.text + found.fix for word in words)
    # A Pi 5's kernel does not have the flags.
    assert machine.power("Raspberry Pi 5", None, Commands(vcgencmd=f"throttled={flags:#x}\n")) == found


def test_power_is_unknown_if_the_firmware_does_not_report_it() -> None:
    assert machine.power("", None, Commands()).text == machine.NO_PI
    assert machine.power("Raspberry Pi 5", None, Commands()).level == "unknown"


@pytest.mark.parametrize(("celsius", "level"), [(None, "ok"), (55.1, "ok"), (81, "warning"), (85, "problem")])
def test_a_hot_machine_is_a_warning_and_a_very_hot_one_a_problem(celsius: float | None, level: str) -> None:
    assert machine.temperature(celsius).level == level


def test_little_memory_is_a_warning_and_hardly_any_a_problem(tmp_path: Path) -> None:
    assert machine.memory(tmp_path).level == "unknown"
    meminfo = tmp_path / "proc/meminfo"
    meminfo.parent.mkdir()
    for free_kb, level in ((400 << 10, "ok"), (100 << 10, "warning"), (20 << 10, "problem")):
        meminfo.write_text(f"MemTotal:  1048576 kB\nMemFree:  1 kB\nMemAvailable:  {free_kb} kB\n")
        assert machine.memory(tmp_path).level == level
        assert "of 1.0 GB" in machine.memory(tmp_path).text
    assert machine.memory(Path("/")).level != "unknown"


def test_little_disk_space_is_a_warning_and_hardly_any_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_mb = shutil.disk_usage(tmp_path).free >> 20
    monkeypatch.setattr(machine, "LOW_DISK_MB", free_mb / 2)
    assert [one.level for one in machine.disk(tmp_path)] == ["ok", "ok"]
    monkeypatch.setattr(machine, "LOW_DISK_MB", free_mb * 2)
    assert [one.level for one in machine.disk(tmp_path)] == ["warning", "warning"]
    monkeypatch.setattr(machine, "CRITICAL_DISK_MB", free_mb * 2)
    assert [one.level for one in machine.disk(tmp_path)] == ["problem", "problem"]


def test_a_clock_that_is_not_synchronised_is_a_warning() -> None:
    assert machine.clock(lambda: 2_000).level == "ok"
    assert machine.clock(lambda: 16_000_000).level == "warning"
    assert machine.clock_error_us() >= 0
