"""A replay gives the events that were seen live."""

import gzip
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from msgspec import field

from edge.config import Config, Mqtt
from edge.errors import UsageError
from edge.recording.read import Flaw
from edge.recording.record import Recorder
from edge.recording.replay import Setup, in_order, replay
from edge.rules.episode import OpenEvent, begin
from edge.rules.rules import Rules
from edge.rules.values import Event, Moment, State
from edge.scenes.scenes import SCENE_FPS
from edge.service.rules import config_of_rules, open_rules, reconfigure, tables_of_rules
from edge.types import Frame
from tests.support.fakes import ListSource
from tests.support.models import fast_config
from tests.support.pipelines import Collector, configured
from tests.support.recordings import files, observed, record, walking
from tests.support.scenes import picture_of, scene
from tests.support.waiting import LONG_S

HALVES = [
    {"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "loitering_s": 1.5},
    {"name": "right", "points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]},
]
LINE = {"name": "middle", "from": [0.5, 1.0], "to": [0.5, 0.0]}


class EveryTenth:
    """A rule that depends on all that it has seen: the time watched, and the number of frames."""

    def __init__(self) -> None:
        self._count = 0

    def update(self, moment: Moment) -> Sequence[Event]:
        self._count += 1
        reasons = [f"frame {self._count}, watched for {moment.now_s:.3f} s"]
        return [begin("tenth", moment).phase("reached", moment, reasons=reasons)] if self._count % 10 == 0 else []

    def describe(self, state: State) -> State:
        return state

    def open(self) -> Sequence[OpenEvent]:
        return ()

    def end(self, moment: Moment, reasons: Iterable[str]) -> Sequence[Event]:  # noqa: ARG002 - the interface
        return ()


def played(paths: Sequence[Path]) -> tuple[list[Event], list[Flaw]]:
    """The events of the rule above, and the flaws."""
    flaws: list[Flaw] = []
    found = replay(paths, Setup(lambda header: Rules([EveryTenth()], device_id=header.device)), flaws.append)
    return [event for _, event in found], flaws


CONFIGURED = Setup(
    lambda header: open_rules(config_of_rules(header.rules, header.device)),
    lambda rules, header: reconfigure(rules, config_of_rules(header.rules, header.device)),
)


@pytest.mark.parametrize(("name", "rules"), [("two", {"presence", "zone", "line"}), ("fall", set()), ("wave", set())])
def test_a_replay_of_a_running_pipeline_gives_the_same_events(tmp_path: Path, name: str, rules: set[str]) -> None:
    """The camera stalls in the middle, the clock is corrected, and the files are rotated."""
    config = fast_config(
        device={"id": "hall"}, zones=HALVES, lines=[LINE], presence={"enter_s": 0.2, "leave_s": 1},
        model={"name": fast_config().model.name, "input_size": [257, 353]},
    )  # fmt: skip
    painter, rng = scene(name), random.Random(0)

    def frames() -> list[Frame]:
        clock_s, found = 7000.123456, []
        for number in range(0, 300, 2):
            clock_s += rng.uniform(0.5, 1.5) * 2 / SCENE_FPS + (12.3456 if number == 150 else 0)  # a stall
            wall_s = 1.7e9 + clock_s - (3600 if number > 200 else 0)  # a correction of the clock
            found.append(Frame(picture_of(painter, number), 640, 480, number, clock_s, wall_s))
        return found

    _, pipeline = configured(config)
    recorder = Recorder(tmp_path, 1_000_000, device="hall", rules=tables_of_rules(config))
    live = Collector()
    for _ in pipeline.run(ListSource(frames()), [live, recorder]):
        pass
    recorder.close(LONG_S)
    assert recorder.dropped == 0
    assert len(files(tmp_path)) >= 2
    expected = [event for update in live.updates for event in update.outcome.events]
    assert {event.rule for event in expected} >= {"presence", "zone", *rules}
    assert len(expected) > 2
    flaws: list[Flaw] = []
    assert list(replay(files(tmp_path), CONFIGURED, flaws.append)) == [("hall", event) for event in expected]
    assert flaws == []


def test_the_files_of_a_run_are_played_in_order_through_the_same_rules(tmp_path: Path) -> None:
    found = record(tmp_path, walking(100), max_bytes=200_000)
    assert len(found) > 5
    whole, flaws = played(found)
    assert [event.sequence for event in whole] == list(range(9, 100, 10))
    assert flaws == []
    shuffled = random.Random(0).sample(found, len(found))
    assert shuffled != found
    assert played(shuffled) == (whole, [])
    for path in found[::2]:
        compressed = path.with_suffix(".jsonl.gz")
        compressed.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert played(files(tmp_path)) == (whole, [])


def test_every_run_starts_with_rules_of_its_own(tmp_path: Path) -> None:
    record(tmp_path, walking(15))
    events, flaws = played(record(tmp_path, walking(25)))
    assert [(event.sequence, event.reasons[0].split(",")[0]) for event in events] == [
        (9, "frame 10"), (9, "frame 10"), (19, "frame 20"),
    ]  # fmt: skip
    assert flaws == []


def test_a_missing_part_is_reported(tmp_path: Path) -> None:
    found = record(tmp_path, walking(100), max_bytes=200_000)
    _, flaws = played([found[1], *found[3:]])
    assert [(flaw.path, flaw.problem.split(";")[0]) for flaw in flaws] == [
        (found[1], "part 1 of the recording follows without part 0"),
        (found[3], "part 3 of the recording follows without part 2"),
    ]


def test_a_damaged_header_keeps_its_place_and_the_rules_go_on(tmp_path: Path) -> None:
    found = record(tmp_path, walking(100), max_bytes=200_000)
    whole, _ = played(found)
    found[-1].write_bytes(b"x" + found[-1].read_bytes())
    assert in_order(found) == found
    events, flaws = played(found)
    assert events == whole
    assert [(flaw.path, flaw.line) for flaw in flaws] == [(found[-1], 1)]


def test_a_replay_needs_a_recording(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(UsageError) as exc:
        played([tmp_path / "a.jsonl"])
    assert exc.value.key == str(tmp_path / "a.jsonl")


def test_the_recorded_tables_build_the_same_rules() -> None:
    config = fast_config(device={"id": "hall"}, zones=HALVES, lines=[LINE], presence={"leave_s": 3})
    tables = tables_of_rules(config)
    rebuilt = config_of_rules(tables, "hall")
    assert (rebuilt.zones, rebuilt.lines, rebuilt.presence) == (config.zones, config.lines, config.presence)
    assert rebuilt.device.topic_id == "hall"


def test_the_recorded_tables_are_those_that_the_rules_read() -> None:
    """Any other table might have secrets, or say nothing about rules."""
    config, read = fast_config(zones=HALVES), set()

    class Spy:
        def __getattr__(self, name: str) -> object:
            read.add(name)
            return getattr(config, name)

    spy: Config = Spy()  # type: ignore[assignment]
    open_rules(spy)
    assert set(tables_of_rules(config)) == read - {"device"}


def test_a_new_table_of_the_configuration_is_not_recorded() -> None:
    class NewerConfig(Config, frozen=True):
        newer: Mqtt = field(default_factory=Mqtt)

    assert tables_of_rules(NewerConfig()) == tables_of_rules(Config())


def test_observations_of_other_devices_and_sizes_do_not_mix(tmp_path: Path) -> None:
    other = Recorder(tmp_path, 1_000_000, device="door", rules={})
    other.close(LONG_S)
    record(tmp_path, [observed(number, width=640 if number < 5 else 320) for number in range(10)])
    events, flaws = played(files(tmp_path))
    assert [event.sequence for event in events] == [9]
    assert flaws == []
