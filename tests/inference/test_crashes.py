import json
import logging
from pathlib import Path

import pytest

from edge.inference import crashes
from edge.inference.crashes import CRASHES, SKIP_S, WITHIN_S, Crashes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time since the machine was started, to be set."""
    now = [1000.0]
    monkeypatch.setattr(crashes, "_now_s", lambda: now[0])
    return now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state/edge-tpu-test.json"


def die(path: Path) -> None:
    """A process that uses it and does not come to its end."""
    Crashes(path).begin()


def test_three_in_ten_minutes_are_enough_for_an_hour(path: Path, clock: list[float]) -> None:
    for count in range(CRASHES):
        assert Crashes(path).skip_s == 0
        assert Crashes(path).of_late == count
        die(path)
        clock[0] += WITHIN_S / CRASHES
    assert Crashes(path).skip_s == SKIP_S
    clock[0] += SKIP_S - 1
    assert Crashes(path).skip_s == 1
    clock[0] += 1
    assert Crashes(path).skip_s == 0
    die(path)
    assert Crashes(path).skip_s == 0, "the old ones are too long ago"


def test_seldom_is_no_reason(path: Path, clock: list[float]) -> None:
    for _ in range(2 * CRASHES):
        die(path)
        clock[0] += WITHIN_S
        assert Crashes(path).skip_s == 0


def test_an_orderly_end_is_no_crash(path: Path) -> None:
    for _ in range(2 * CRASHES):
        running = Crashes(path)
        running.begin()
        running.begin()
        running.end()
        running.end()
    assert Crashes(path).of_late == 0


def test_a_power_cut_is_no_crash_and_a_boot_forgives(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(CRASHES):
        die(path)
    assert Crashes(path).skip_s > 0
    die(path)
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("another one\n")
    monkeypatch.setattr(crashes, "_BOOT_ID", boot_id)
    assert (Crashes(path).skip_s, Crashes(path).of_late) == (0, 0)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b'{"boot_id": 7}', b'{"boot_id": "x", "crashes_s": ["soon"]}', b"\0" * 99]
)
def test_a_damaged_record_is_told_and_replaced(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    running = Crashes(path)
    assert "cannot be used" in caplog.text
    running.begin()
    assert json.loads(path.read_bytes())["in_use"] is True
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_record_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        running = Crashes(tmp_path / "file/folder/record.json")
        running.begin()
        running.end()
    assert "cannot be written" in caplog.text


def test_where_it_is() -> None:
    assert crashes.place("door", {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a/edge-tpu-door.json")
    assert crashes.place("door", {"XDG_STATE_HOME": "/s"}) == Path("/s/edge-pose/edge-tpu-door.json")
    assert crashes.place("door", {"XDG_STATE_HOME": "relative"}).parts[-3:] == (
        "state",
        "edge-pose",
        "edge-tpu-door.json",
    )


def test_who_has_closed_it_has_the_last_word(path: Path) -> None:
    """Another thread may come to open the Edge TPU, or to let go of it, while the process ends."""
    stopped = Crashes(path)
    stopped.begin()
    stopped.close()
    stopped.begin()
    assert Crashes(path).of_late == 0
    hung = Crashes(path)
    hung.begin()
    hung.close(crashed=True)
    hung.close()
    hung.end()
    assert Crashes(path).of_late == 1
