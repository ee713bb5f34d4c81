"""Reading recordings gives what was observed, also from damaged files."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import UsageError
from edge.mqtt.messages import Size
from edge.recording.read import Flaw, entries, header_of, observations
from edge.types import Observation
from tests.support.people import person
from tests.support.recordings import observed, record, walking


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A file with a header and ten frames."""
    return record(tmp_path / "recordings", walking(10))[0]


def read(path: Path) -> tuple[list[int], list[Flaw]]:
    """The numbers of the frames in a file, and its flaws."""
    flaws: list[Flaw] = []
    return [seen.sequence for seen in observations(path, flaws.append)], flaws


def test_observations_are_read_exactly_as_they_were(tmp_path: Path) -> None:
    rng = random.Random(0)
    seen = [
        observed(
            number,
            *(
                person(id_, at=(round(rng.uniform(-50, 600), 1), round(rng.uniform(-50, 400), 1)), confidence=0.457)
                for id_ in (1, None, 7)[: number % 4]
            ),
        )
        for number in range(2000)
    ]
    found = record(tmp_path, seen, max_bytes=10_000_000)
    assert len(found) > 3
    assert [one for path in found for one in observations(path)] == seen


def test_a_compressed_file_reads_like_the_file(recorded: Path, tmp_path: Path) -> None:
    compressed = tmp_path / "a.jsonl.gz"
    compressed.write_bytes(gzip.compress(recorded.read_bytes()))
    assert list(observations(compressed)) == list(observations(recorded)) == walking(10)
    compressed.write_bytes(compressed.read_bytes()[:-40])
    numbers, flaws = read(compressed)
    assert numbers == list(range(len(numbers)))
    assert len(flaws) == 1
    assert flaws[0].path == compressed


def test_damaged_lines_are_reported_with_their_number_and_skipped(recorded: Path) -> None:
    lines = recorded.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3][:50] + b"\n"
    lines[5] = b"\xff\xfe\x00garbage\n"
    lines[6] = b'{"line":"frame","seq":-1}\n'
    lines[8] = b"[" * 10_000 + b"\n"
    recorded.write_bytes(b"".join(lines))
    numbers, flaws = read(recorded)
    assert numbers == [0, 1, 3, 6, 8, 9]
    assert [(flaw.path, flaw.line) for flaw in flaws] == [(recorded, 4), (recorded, 6), (recorded, 7), (recorded, 9)]


def test_a_torn_last_line_is_tolerated(recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes()[:-20])
    numbers, flaws = read(recorded)
    assert numbers == list(range(9))
    assert [(flaw.line, flaw.problem.split(";")[0]) for flaw in flaws] == [(11, "incomplete")]


def test_pages_of_zeros_after_a_power_failure_are_one_flaw(recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes() + bytes(4096))
    numbers, flaws = read(recorded)
    assert numbers == list(range(10))
    assert [flaw.line for flaw in flaws] == [12]


def test_a_pose_without_keypoints_and_an_impossible_date_are_damage(recorded: Path) -> None:
    lines = recorded.read_text().splitlines()
    lines.append('{"line":"frame","seq":1,"time":"2026-99-22T18:00:00.000Z","monotonic_s":1,"poses":[]}')
    pose = '{"id":1,"score":0.5,"box":[0,0,1,1],"keypoints":[]}'
    lines.append(f'{{"line":"frame","seq":1,"time":"2026-11-22T18:00:00.000Z","monotonic_s":1,"poses":[{pose}]}}')
    recorded.write_text("\n".join(lines))
    numbers, flaws = read(recorded)
    assert numbers == list(range(10))
    assert [flaw.line for flaw in flaws] == [12, 13]


def test_unknown_fields_of_later_versions_are_ignored(recorded: Path) -> None:
    recorded.write_text(recorded.read_text().replace('"seq":', '"added":[1],"seq":').replace('"v":1', '"w":2,"v":1'))
    assert read(recorded) == (list(range(10)), [])


def test_a_damaged_header_needs_the_size_of_the_frames(recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes().replace(b'"header"', b'"heade"', 1))
    assert header_of(recorded) is None
    with pytest.raises(UsageError) as exc:
        list(observations(recorded))
    assert (exc.value.key, exc.value.problem) == (str(recorded), "has no readable header")
    flaws: list[Flaw] = []
    found = list(entries(recorded, flaws.append, frame=Size(width=640, height=480)))
    assert found == walking(10)
    assert [flaw.line for flaw in flaws] == [1]


def test_another_kind_of_file_is_one_error_and_not_one_per_line(recorded: Path) -> None:
    recorded.write_text('[mqtt]\nhost = "192.168.1.10"\n' * 20)
    flaws: list[Flaw] = []
    with pytest.raises(UsageError) as exc:
        list(observations(recorded, flaws.append))
    assert exc.value.key == str(recorded)
    assert flaws == []


def test_damaged_lines_before_the_header_are_reported_once_there_is_one(recorded: Path) -> None:
    recorded.write_bytes(b"garbage\n{}\n" + recorded.read_bytes())
    numbers, flaws = read(recorded)
    assert numbers == list(range(10))
    assert [flaw.line for flaw in flaws] == [1, 2]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2_000_000)),
        lambda path: path.write_bytes(b"\x1f\x8b" + bytes(50)),
        lambda path: path.write_text('{"v":1,"seq":1}\n'),
        lambda path: path.write_text(path.read_text().replace('"v":1', '"v":2')),
    ],
    ids=["missing", "empty", "picture", "broken gzip", "keypoints", "later format"],
)
def test_what_is_no_recording_is_named(recorded: Path, spoil: Callable[[Path], object]) -> None:
    spoil(recorded)
    with pytest.raises(UsageError) as exc:
        list(observations(recorded))
    assert exc.value.key == str(recorded)


def test_files_can_be_joined(tmp_path: Path) -> None:
    first, second = record(tmp_path, [observed(0), observed(1, width=320)])
    joined = tmp_path / "joined.jsonl"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    assert [(seen.sequence, seen.width) for seen in observations(joined)] == [(0, 640), (1, 320)]


def test_no_damage_makes_reading_fail(recorded: Path) -> None:
    """Random bytes are changed, inserted and removed after the header."""
    rng = random.Random(1)
    whole = recorded.read_bytes()
    start = whole.index(b"\n") + 1
    seen = {one.sequence: one for one in walking(10)}
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 20)):
            at = rng.randrange(start, len(content))
            content[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        recorded.write_bytes(content)
        found = [one for one in observations(recorded) if isinstance(one, Observation)]
        assert sum(seen.get(one.sequence) == one for one in found) >= 10 - 20
        assert len(found) <= 31
