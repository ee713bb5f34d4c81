"""What is recorded, and what happens when the disk is full, slow or read-only."""

import json
import logging
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.recording.files import FILES_PER_LIMIT, Files
from edge.recording.format import schema
from edge.recording.read import Flaw, observations
from edge.recording.record import Recorder
from tests.support.recordings import files, observed, record, update_of, walking
from tests.support.waiting import LONG_S, until

VALIDATOR = jsonschema.validators.validator_for(schema())(schema())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_file_has_a_header_and_a_line_per_frame(tmp_path: Path) -> None:
    (file,) = record(tmp_path / "new" / "folder", walking(3), rules={"presence": {"leave_s": 10.0}})
    assert file.name == "hall-000001.jsonl"
    header, *frames = lines(file)
    for line in (header, *frames):
        VALIDATOR.validate(line)
    assert header["line"] == "header"
    assert (header["v"], header["device"], header["part"]) == (1, "hall", 0)
    assert header["frame"] == {"width": 640, "height": 480}
    assert header["rules"] == {"presence": {"leave_s": 10.0}}
    assert [(frame["seq"], frame["monotonic_s"], frame["time"]) for frame in frames] == [
        (0, 100.0, "2026-11-22T18:00:00.000Z"),
        (1, 100.067, "2026-11-22T18:00:00.067Z"),
        (2, 100.134, "2026-11-22T18:00:00.134Z"),
    ]
    assert frames[0]["poses"][0]["keypoints"][0] == {
        "index": 0,
        "body_part": "NOSE",
        "x": 100.0,
        "y": 20.1,
        "confidence": 0.123,
    }


def test_only_the_owner_can_read_recordings(tmp_path: Path) -> None:
    (file,) = record(tmp_path / "recordings", walking(1))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_files_are_rotated_and_stay_within_the_limit_over_restarts(tmp_path: Path) -> None:
    limit = 200_000
    numbers: list[int] = []
    for _ in range(3):
        found = record(tmp_path, walking(100), max_bytes=limit)
        numbers += [int(path.stem[-6:]) for path in found if int(path.stem[-6:]) not in numbers]
        assert sum(path.stat().st_size for path in found) <= limit
        assert all(path.stat().st_size <= limit / FILES_PER_LIMIT for path in found)
    assert numbers == list(range(1, len(numbers) + 1)), "numbers are not used twice"
    kept = [int(path.stem[-6:]) for path in files(tmp_path)]
    assert kept == numbers[-len(kept) :], "the oldest are deleted"
    assert 8 <= len(kept) <= 10
    assert [seen.sequence for seen in observations(files(tmp_path)[-1])][-1] == 99


def test_a_lower_limit_deletes_what_is_too_much(tmp_path: Path) -> None:
    before = record(tmp_path, walking(100), max_bytes=1_000_000)
    after = record(tmp_path, walking(1), max_bytes=50_000)
    assert after[-1] not in before
    assert sum(path.stat().st_size for path in after) <= 50_000


def test_files_of_others_are_not_touched(tmp_path: Path) -> None:
    others = ["hall-door-000001.jsonl", "hall-1.txt", "notes", "door-000009.jsonl"]
    for name in others:
        (tmp_path / name).write_bytes(bytes(100_000))
    compressed = tmp_path / "hall-000004.jsonl.gz"
    compressed.write_bytes(bytes(30_000))
    names = {path.name for path in record(tmp_path, walking(50), max_bytes=50_000)}
    assert names >= set(others)
    assert compressed.name not in names, "files that were compressed by hand count and are deleted, too"


def test_a_frame_of_another_size_starts_a_file(tmp_path: Path) -> None:
    found = record(tmp_path, [observed(0), observed(1, width=320), observed(2, width=320)])
    assert [[(seen.sequence, seen.width) for seen in observations(path)] for path in found] == [
        [(0, 640)], [(1, 320), (2, 320)],
    ]  # fmt: skip


def test_recording_goes_on_after_the_owner_has_deleted_everything(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    recorder = Recorder(folder, 1_000_000, device="hall", rules={})
    recorder.publish(update_of(observed(0)))
    until(lambda: folder.exists() and len(list(observations(files(folder)[0]))) == 1)
    shutil.rmtree(folder)
    recorder.publish(update_of(observed(1)))
    recorder.close(LONG_S)
    (file,) = files(folder)
    assert [seen.sequence for seen in observations(file)] == [1]


class Blocked(Files):
    """Files on a disk that hangs until it is released."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "hall", 1_000_000)
        self.reached, self.released = threading.Event(), threading.Event()

    def start(self, content: bytes) -> None:
        self.reached.set()
        assert self.released.wait(LONG_S)
        super().start(content)


def test_a_slow_disk_never_holds_up_a_frame_and_what_is_missing_is_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path, 1_000_000, device="hall", rules={}, max_waiting=5)
    recorder._files = slow = Blocked(tmp_path)
    recorder.publish(update_of(observed(0)))
    assert slow.reached.wait(LONG_S)
    for number in range(1, 21):
        recorder.publish(update_of(observed(number)))
    assert recorder.dropped == 15
    slow.released.set()
    until(recorder._waiting.empty)
    recorder.publish(update_of(observed(21)))
    recorder.close(LONG_S)
    (file,) = files(tmp_path)
    flaws: list[Flaw] = []
    assert [seen.sequence for seen in observations(file, flaws.append)] == [0, 1, 2, 3, 4, 5, 21]
    assert [(flaw.line, flaw.problem) for flaw in flaws] == [(8, "15 frames before the next one were not recorded")]
    assert sum("15 frames are missing" in record.getMessage() for record in caplog.records) == 1


def test_an_unwritable_folder_is_logged_once_and_recording_resumes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "recordings"
    folder.write_text("a file is in the way")
    with caplog.at_level(logging.INFO, "edge.recording"):
        recorder = Recorder(folder, 1_000_000, device="hall", rules={}, retry_s=0)
        for number in range(5):
            recorder.publish(update_of(observed(number)))
        until(lambda: recorder.dropped == 5)
        folder.unlink()
        recorder.publish(update_of(observed(5)))
        recorder.close(LONG_S)
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR", "INFO"]
    assert caplog.records[0].getMessage().startswith(f"recording.folder: cannot write to {folder} (")
    assert "5 frames are missing" in caplog.records[1].getMessage()
    (file,) = files(folder)
    assert [seen.sequence for seen in observations(file)] == [5]


def test_while_the_folder_is_unwritable_it_is_tried_only_now_and_then(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.write_text("")
    recorder = Recorder(folder, 1_000_000, device="hall", rules={}, retry_s=LONG_S)
    recorder.publish(update_of(observed(0)))
    until(lambda: recorder.dropped == 1)
    folder.unlink()
    recorder.publish(update_of(observed(1)))
    recorder.close(LONG_S)
    assert recorder.dropped == 2
    assert not folder.exists()


def test_a_full_disk_leaves_whole_lines_and_no_empty_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = 10_000
    write = os.write

    def write_while_there_is_room(file: int, content: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(28, "No space left on device")
        done = write(file, content[:room])
        room -= done
        return done

    monkeypatch.setattr("edge.recording.files.os.write", write_while_there_is_room)
    recorder = Recorder(tmp_path, 1_000_000, device="hall", rules={}, retry_s=0)
    seen = walking(30)
    for one in seen[:29]:
        recorder.publish(update_of(one))
    until(lambda: recorder.dropped > 10 and recorder.dropped + len(list(observations(files(tmp_path)[0]))) == 29)
    recorded = 29 - recorder.dropped
    room = 10_000_000
    recorder.publish(update_of(seen[29]))
    recorder.close(LONG_S)
    flaws: list[Flaw] = []
    before, after = files(tmp_path)
    assert list(observations(before, flaws.append)) == seen[:recorded]
    assert flaws == []
    assert list(observations(after, flaws.append)) == seen[29:]
    assert [flaw.problem for flaw in flaws] == [f"{29 - recorded} frames before the next one were not recorded"]


def test_closing_twice_does_no_harm_and_loses_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 10_000_000, device="hall", rules={})
    seen = walking(100)
    for one in seen:
        recorder.publish(update_of(one))
    recorder.close(LONG_S)
    recorder.close(LONG_S)
    assert list(observations(files(tmp_path)[0])) == seen
