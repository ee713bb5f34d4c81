"""The figures of a report against constructed recordings."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.recording.format import Resumed
from edge.report.figures import Crossings, DayFigures, Falls, Span, Visits
from edge.report.page import page
from edge.rules.episode import Episode
from edge.rules.falling import OpenFall
from edge.types import Person
from tests.report.reports import NOON_S, report_of, report_of_files, tree_of
from tests.support.bodies import SITTING, STANDING
from tests.support.days import CHAIR, DOOR, RULES, TABLE, Script, falling, still, walking, waving

BERLIN = ZoneInfo("Europe/Berlin")
STANDS, SITS = still(1, STANDING, TABLE), still(1, SITTING, CHAIR, heading=-60.0)
ASIDE = 0.4, 0.7  # of the zones and the line
PLAIN = {**RULES, "zones": [], "lines": []}


def at(time: str) -> float:
    return datetime.fromisoformat(f"2026-12-01T{time}").replace(tzinfo=UTC).timestamp()


def figures_of(folder: Path, *scripts: Script) -> DayFigures:
    report, flaws = report_of(folder, *scripts)
    assert flaws == []
    ((_, _, figures),) = report.days
    return figures


def spans(found: Sequence[Span]) -> list[tuple[str, str, str]]:
    return [(one.start[11:19], one.end[11:19], one.reason) for one in found]


def test_times_and_postures_of_a_visit_are_exact(tmp_path: Path) -> None:
    script = Script(at("10:00:00"), rules=PLAIN)
    script.empty(60)
    script.frames(120, STANDS, step_s=0.1)
    script.frames(60, lambda _second: (), step_s=0.1)
    figures = figures_of(tmp_path, script)
    assert figures.frames == 30 + 1200 + 600
    assert figures.recorded_s == pytest.approx(239.9)  # the last frame has no time after it
    assert (figures.visits, figures.most_people) == (1, 1)
    # Arrived after 0.5 s, left after 10 s without a person.
    assert figures.present_s == pytest.approx(120 - 0.5 + 10, abs=0.11)
    assert (figures.first_seen, figures.last_seen) == ("2026-12-01T10:01:00.000+00:00", "2026-12-01T10:02:59.900+00:00")
    # In the state, a person who is missed for 0.5 s is still there.
    expected = {"standing": 120.5, "sitting": 0, "lying": 0, "unknown": 0}
    assert figures.postures_s == pytest.approx(expected, abs=0.11)
    assert figures.gaps == ()
    assert (figures.falls, figures.gestures) == (Falls(), {})


def test_two_people_count_twice_in_postures_and_once_in_presence(tmp_path: Path) -> None:
    script = Script(at("10:00:00"), rules=PLAIN)
    both = lambda second: [*STANDS(second), *still(2, STANDING, CHAIR)(second)]  # noqa: E731
    script.frames(100, both, step_s=0.1)
    figures = figures_of(tmp_path, script)
    assert figures.most_people == 2
    assert figures.present_s == pytest.approx(99.9 - 0.5, abs=0.11)
    assert figures.postures_s is not None
    assert figures.postures_s["standing"] == pytest.approx(199.8, abs=0.2)


def test_falls_zones_lines_and_gestures_are_counted(tmp_path: Path) -> None:
    script = Script(at("10:00:00"))
    script.frames(5.8, walking(1, DOOR, CHAIR, 5.8), step_s=0.1)
    script.frames(60, SITS, step_s=0.1)
    script.frames(5.8, walking(1, CHAIR, DOOR, 5.8), step_s=0.1)
    script.empty(30)
    script.frames(10, still(2, STANDING, ASIDE), step_s=0.1)
    script.frames(55, falling(2, ASIDE), step_s=0.1)
    script.frames(5, waving(2, ASIDE), step_s=0.1)
    script.empty(60)
    figures = figures_of(tmp_path, script)
    assert figures.falls is not None
    assert (figures.falls.suspected, figures.falls.confirmed, figures.falls.still_down) == (1, 1, 1)
    assert 40 < figures.falls.longest_s < 52
    assert figures.lines == {"door": Crossings(1, 1)}
    assert figures.zones["bed"] == Visits(0.0, 0)
    assert figures.zones["armchair"].visits == 1
    assert figures.zones["armchair"].occupied_s == pytest.approx(66, abs=3)
    assert figures.gestures == {"waving": 1}


def test_rules_that_were_off_have_no_figures(tmp_path: Path) -> None:
    off = {name: {"enabled": False} for name in ("posture", "fall", "gestures", "presence")}
    script = Script(at("10:00:00"), rules=off)
    script.frames(10, STANDS, step_s=0.1)
    figures = figures_of(tmp_path, script)
    assert (figures.visits, figures.falls, figures.postures_s, figures.gestures) == (None, None, None, None)
    assert figures.present_s == pytest.approx(9.9)  # a person in view


def test_gaps_have_their_times_and_reasons(tmp_path: Path) -> None:
    script = Script(at("10:00:00"))
    for reason in ("camera stalled", "nothing can be seen", "switched off"):
        script.empty(20)
        script.end(reason, 100)
    script.empty(20)
    script.wait(30)  # frames are missing, and nothing says why
    script.empty(20)
    script.end("stopped", 60, stopped=True)
    script.header()
    script.empty(20)
    figures = figures_of(tmp_path, script)
    assert spans(figures.gaps) == [
        ("10:00:18", "10:02:00", "camera stalled"),
        ("10:02:18", "10:04:00", "nothing can be seen"),
        ("10:04:18", "10:06:00", "switched off"),
        ("10:06:18", "10:06:50", ""),
        ("10:07:08", "10:08:10", "stopped"),
    ]
    assert figures.recorded_s == pytest.approx(6 * 18)


def test_a_rotated_file_is_no_gap_and_a_new_run_is_one(tmp_path: Path) -> None:
    script = Script(at("10:00:00"))
    script.frames(10, STANDS, step_s=0.1)
    script.header(restarted=False)
    script.frames(10, STANDS, step_s=0.1)
    assert figures_of(tmp_path, script).gaps == ()
    script.header()
    script.wait(20)
    script.frames(10, STANDS, step_s=0.1)
    assert spans(figures_of(tmp_path, script).gaps) == [("10:00:19", "10:00:40", "")]


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_is_neither_a_gap_nor_time(tmp_path: Path, jump_s: float) -> None:
    script = Script(at("10:00:00"), rules=PLAIN)
    script.frames(10, STANDS, step_s=0.1)
    script.wall_s += jump_s
    script.frames(10, STANDS, step_s=0.1)
    figures = figures_of(tmp_path, script)
    assert figures.recorded_s == pytest.approx(19.9)
    assert figures.gaps == ()
    after = "11:00:10" if jump_s > 0 else "09:00:10"
    assert spans(figures.clock_set) == [("10:00:09", after, "")]
    assert figures.visits == 1


def test_small_corrections_of_the_clock_are_ignored(tmp_path: Path) -> None:
    script = Script(at("10:00:00"))
    for _ in range(20):
        script.frames(1, STANDS, step_s=0.1)
        script.wall_s += 0.4
    figures = figures_of(tmp_path, script)
    assert (figures.gaps, figures.clock_set) == ((), ())


def test_days_begin_at_local_midnight(tmp_path: Path) -> None:
    script = Script(at("22:59:50"), rules=PLAIN)  # 23:59:50 in Berlin
    script.frames(20, STANDS, step_s=0.1)
    report, _ = report_of(tmp_path, script, zone=BERLIN)
    first, second = (figures for _, _, figures in report.days)
    assert (first.date, second.date) == ("2026-12-01", "2026-12-02")
    assert first.recorded_s == pytest.approx(10.0)
    assert second.recorded_s == pytest.approx(9.9)
    assert (first.visits, second.visits) == (1, 0)  # the visit goes on
    assert first.last_seen == "2026-12-01T23:59:59.900+01:00"
    assert second.first_seen == "2026-12-02T00:00:00.000+01:00"


@pytest.mark.parametrize(("start", "hours"), [("2026-03-28T23:00", 23), ("2026-10-24T22:00", 25)])
def test_days_on_which_clocks_change_are_complete(tmp_path: Path, start: str, hours: int) -> None:
    script = Script(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp(), rules=PLAIN)
    script.frames((hours + 1) * 3600, lambda _second: (), step_s=4.0)
    report, _ = report_of(tmp_path, script, zone=BERLIN)
    assert [figures.recorded_s for _, _, figures in report.days] == [hours * 3600, 3600 - 4]


def test_a_gap_over_midnight_is_in_both_days(tmp_path: Path) -> None:
    script = Script(at("23:00:00"))
    script.empty(20)
    script.end("switched off", 7200)
    script.empty(20)
    report, _ = report_of(tmp_path, script)
    first, second = (spans(figures.gaps) for _, _, figures in report.days)
    assert first == second == [("23:00:18", "01:00:20", "switched off")]


def test_files_may_be_named_in_any_order_and_devices_stay_apart(tmp_path: Path) -> None:
    scripts = [Script(at(f"1{number}:00:00"), device=device) for number, device in enumerate(("b", "a", "b"))]
    scripts[2].header()  # another run than that of the first one
    for script in scripts:
        script.empty(20)
    report, _ = report_of(tmp_path, *scripts[::-1])
    assert [(one.device, one.frames, len(one.gaps)) for _, _, one in report.days] == [("a", 10, 0), ("b", 20, 1)]


def test_a_fall_goes_on_in_the_next_run(tmp_path: Path) -> None:
    script = Script(at("10:00:00"), rules=PLAIN)
    script.frames(10, still(1, STANDING, TABLE), step_s=0.1)
    script.frames(8, falling(1, TABLE), step_s=0.1)
    report, _ = report_of(tmp_path, script)
    ((_, day, figures),) = report.days
    (fall,) = [one for one in day.occurrences if one.first.rule == "fall"]
    assert [phase.type for phase in fall.phases] == ["suspected", "confirmed"]
    assert figures.falls == Falls(1, 1, 0, fall.last.duration_s)

    script.header()
    first = fall.first
    started_s = script.monotonic_s - (script.wall_s - first.started_wall_s)
    episode = Episode("fall", first.id, first.started_wall_s, started_s, person=1)
    open_fall = OpenFall(episode, still_down=False, place=(320.0, 270.0), height_px=190.0, floor_y=283.0,
                         down_since_s=started_s)  # fmt: skip
    script.lines.append(Resumed(falls=(open_fall,), events=()))
    script.wait(30)
    script.frames(5, still(1, STANDING, TABLE), step_s=0.1)
    report, _ = report_of(tmp_path, script)
    ((_, day, figures),) = report.days
    (fall,) = [one for one in day.occurrences if one.first.rule == "fall"]
    assert [phase.type for phase in fall.phases] == ["suspected", "confirmed", "still_down", "cleared"]
    assert figures.falls == Falls(1, 1, 1, fall.last.duration_s)


def test_a_fall_from_before_the_recording_is_counted_and_has_no_strip(tmp_path: Path) -> None:
    script = Script(at("10:00:00"), rules=PLAIN)
    episode = Episode("fall", "f" * 16, script.wall_s - 100, script.monotonic_s - 100, person=7)
    open_fall = OpenFall(episode, still_down=True, place=(320.0, 270.0), height_px=190.0, floor_y=283.0,
                         down_since_s=script.monotonic_s - 99)  # fmt: skip
    script.lines.append(Resumed(falls=(open_fall,), events=()))
    script.frames(5, still(1, STANDING, TABLE), step_s=0.1)
    report, _ = report_of(tmp_path, script)
    ((_, day, figures),) = report.days
    (fall,) = [one for one in day.occurrences if one.first.rule == "fall"]
    assert fall.strip is None
    assert figures.falls is not None
    assert figures.falls.confirmed == 1
    assert figures.falls.longest_s == pytest.approx(101, abs=2)
    assert "The frames from its beginning" in page(report)


def test_no_order_of_lines_stops_a_report(tmp_path: Path) -> None:
    script = Script(at("23:58:00"))
    script.frames(20, walking(1, DOOR, CHAIR, 6), step_s=0.2)
    script.frames(20, falling(1, TABLE), step_s=0.2)
    script.end("camera stalled", 200)
    script.header()
    script.frames(20, waving(1, TABLE), step_s=0.2)
    header, *lines = script.write(tmp_path / "hall.jsonl").read_bytes().splitlines(keepends=True)
    rng = random.Random(7)
    for _ in range(12):
        shuffled = [line for line in lines if rng.random() < 0.9]
        for _ in range(rng.randrange(40)):
            one, other = rng.randrange(len(shuffled)), rng.randrange(len(shuffled))
            shuffled[one], shuffled[other] = shuffled[other], shuffled[one]
        shuffled[rng.randrange(len(shuffled))] = rng.randbytes(200).replace(b"\n", b"") + b"\n"
        (tmp_path / "hall.jsonl").write_bytes(header + b"".join(shuffled))
        report, _ = report_of_files(tmp_path / "hall.jsonl")
        assert report.frames > 200
        assert tree_of(report) is not None


def test_damaged_lines_are_skipped_and_reported(tmp_path: Path) -> None:
    script = Script(at("10:00:00"), rules=PLAIN)
    script.frames(10, STANDS, step_s=0.1)
    script.drop(12)
    script.frames(10, STANDS, step_s=0.1)
    path = script.write(tmp_path / "hall.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[50] = b'{"line": "frame", "seq": \n'
    path.write_bytes(b"".join(lines)[:-20])
    report, flaws = report_of_files(path)
    assert [flaw.line for flaw in flaws] == [51, 102, 202]
    assert report.flaws == tuple(flaws)
    ((_, _, figures),) = report.days
    assert figures.frames == 198
    assert figures.recorded_s == pytest.approx(19.8)
    assert figures.dropped == 12


def test_frames_with_impossible_times_do_not_stop_the_report(tmp_path: Path) -> None:
    script = Script(at("10:00:00"))
    script.frames(2, STANDS, step_s=0.1)
    path = script.write(tmp_path / "hall.jsonl")
    text = path.read_text(encoding="utf-8")
    for number, year in enumerate(("0001", "9999", "1969")):
        text = text.replace(f"2026-12-01T10:00:0{number // 2}.{5 + number}", f"{year}-01-01T00:00:00.{number}")
    path.write_text(text, encoding="utf-8")
    report, _ = report_of_files(path)
    assert sum(figures.frames for _, _, figures in report.days) == 20


def test_a_recording_without_frames_has_no_days(tmp_path: Path) -> None:
    report, flaws = report_of(tmp_path, Script(NOON_S))
    assert (report.days, flaws, report.frames) == ((), [], 0)


def test_people_without_an_id_are_not_counted(tmp_path: Path) -> None:
    def unconfirmed(second: float) -> Sequence[Person]:
        (one,) = STANDS(second)
        return [Person(None, one.score, one.box, one.keypoints)]

    script = Script(at("10:00:00"))
    script.frames(10, unconfirmed, step_s=0.1)
    figures = figures_of(tmp_path, script)
    assert (figures.first_seen, figures.most_people, figures.present_s) == (None, 0, 0.0)
