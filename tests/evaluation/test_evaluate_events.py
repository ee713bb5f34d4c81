"""`edge-pose evaluate-events`, from clips to reports."""

import io
import json
import re
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.config import Config, Model
from edge.config.schema import Gestures
from edge.errors import UsageError
from edge.evaluation import events_tables
from edge.evaluation.clip_players import measure
from edge.evaluation.evaluate_events import run
from edge.evaluation.events_totals import ClipFigures, totals
from edge.evaluation.events_truth import Fall, Gesture
from tests.support.clips import clip, event, said, times, true_frame
from tests.support.models import FAST_MODEL, fast_config
from tests.support.scenes import picture_of, scene
from tests.support.sensor import run_edge
from tests.support.videos import encode

RATE, FRAMES = 15, 45


def save_clip(folder: Path, name: str) -> dict[str, Any]:
    """Save the first seconds of a painted scene; returns its truth."""
    painter = scene(name)
    encode(folder / f"{name}.mp4", [picture_of(painter, number) for number in range(FRAMES)], codec="mpeg4", rate=RATE)
    frames = []
    for number in range(FRAMES):
        people = []
        for truth in painter.truth(number):
            inside = ((truth.xy >= 0) & (truth.xy < (640, 480))).all(axis=1)
            v = np.where(truth.visible, 2, np.where(inside, 1, 0))
            people.append({"posture": "standing", "keypoints": np.column_stack((truth.xy, v)).tolist()})
        frames.append({"at_s": number / RATE, "people": people})
    return {"size": [640, 480], "frames": frames, "gestures": []}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two painted clips and their truth."""
    folder = tmp_path_factory.mktemp("clips")
    truth = {"clips": {name: save_clip(folder, name) for name in ("walk", "two")}}
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return folder


def test_painted_people_are_measured_from_the_command_line(clips: Path) -> None:
    done = run_edge("evaluate-events", "--truth", str(clips), "--model", FAST_MODEL, "--jobs", "2", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [one["name"] for one in report["clips"]] == ["two", "walk"]
    assert report["fps"] == 15
    assert report["clips"][0]["networks"][0] == FAST_MODEL
    assert report["config"]["model"]["name"] == FAST_MODEL
    people = report["total"]["people"]
    assert (report["total"]["frames"], people["frames"], people["people"]) == (2 * FRAMES, 2 * FRAMES, 3)
    assert people["too_many"] == 0
    assert people["too_few"] <= 10  # before people have an ID
    assert (people["ids"], people["switches"], people["ghost_ids"], people["ids_per_person"]) == (3, 0, 0, 1.0)


def test_results_do_not_depend_on_the_number_of_processes(clips: Path) -> None:
    assert run(fast_config(), clips, jobs=1, fps=5) == run(fast_config(), clips, jobs=2, fps=5)


def test_only_some_clips_are_played(clips: Path) -> None:
    report = run(fast_config(), clips, only=["w*"], fps=5)
    assert [(one["name"], one["frames"]) for one in report["clips"]] == [("walk", FRAMES // 3)]


def without_conditions(report: dict[str, Any]) -> dict[str, Any]:
    """The figures of a report."""
    return {"total": report["total"], "clips": [one | {"networks": ()} for one in report["clips"]]}


def test_recordings_give_the_same_figures_as_the_clips(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    played = run(fast_config(), clips, fps=5, record=folder)
    assert sorted(file.name for file in folder.iterdir()) == ["two.jsonl", "walk.jsonl"]
    replayed = run(Config(model=Model(name="no-such-model")), clips, recordings=folder)
    assert without_conditions(replayed) == without_conditions(played)
    assert replayed["total"]["people"]["ids"] == 3


def test_a_recording_beside_the_truth_is_played_like_a_clip(clips: Path, tmp_path: Path) -> None:
    played = run(fast_config(), clips, only=["walk"], fps=5, record=tmp_path)
    walk = json.loads((clips / "truth.json").read_text(encoding="utf-8"))["clips"]["walk"]
    (tmp_path / "truth.json").write_text(json.dumps({"clips": {"walk": walk}}), encoding="utf-8")
    assert without_conditions(run(Config(), tmp_path)) == without_conditions(played)


def test_a_flaw_of_a_recording_is_in_the_report(clips: Path, tmp_path: Path) -> None:
    run(fast_config(), clips, only=["walk"], fps=5, record=tmp_path)
    file = tmp_path / "walk.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], b"{}\n", *lines[3:]]))
    report = run(fast_config(), clips, only=["walk"], recordings=tmp_path)
    (flaw,) = report["clips"][0]["flaws"]
    assert f"{file}: line 4" in flaw
    assert report["total"]["frames"] == len(lines) - 1


def test_a_missing_recording_is_reported(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run(fast_config(), clips, recordings=tmp_path)
    assert caught.value.key == "--recordings"
    assert "two.jsonl" in caught.value.problem


def test_a_folder_that_cannot_be_created_is_reported(clips: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run(fast_config(), clips, record=clips / "truth.json")
    assert caught.value.key == "--record"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_damaged_clip_ends_the_command_with_one_line(tmp_path: Path, jobs: str) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(b"no video")
    (tmp_path / "truth.toml").write_text("[clips.a]\n[clips.b]\n", encoding="utf-8")
    done = run_edge("evaluate-events", "--truth", str(tmp_path), "--model", FAST_MODEL, "--jobs", jobs)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("edge-pose:")]
    assert line.startswith("edge-pose: --truth: ")
    assert "Traceback" not in done.stderr


def test_a_wrong_truth_file_is_reported_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text('{"clips": {"a": {"peple": 1}}}', encoding="utf-8")
    done = run_edge("evaluate-events", "--truth", str(tmp_path), "--model", "no-such-model")
    assert done.returncode == 2
    expected = f"edge-pose: {tmp_path}/truth.json: clips.a.peple: unknown key; did you mean people?\n"
    assert done.stderr == expected


def shown(*figures: ClipFigures) -> str:
    """The tables of these clips."""
    report = {
        "fps": 15.0,
        "total": totals(figures),
        "clips": [asdict(one) for one in figures],
    }
    with redirect_stdout(io.StringIO()) as out:
        events_tables.show(report)
    return out.getvalue()


def row(text: str, start: str) -> str:
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return re.sub(r"\s{2,}", " | ", line.strip())


def test_the_tables_show_everything_in_80_columns() -> None:
    of = clip(
        [true_frame(t, (100, 100)) for t in times(20)],
        name="014_fall_with_a_long_name",
        falls=(Fall(start_s=2.0, up_s=9.0, person=0), Fall(start_s=12.0, how="left"), Fall(start_s=13, kind="slow")),
    )
    played = [
        said(
            t,
            {1: (100, 100)},
            *([event("fall", "confirmed", str(t), person=1)] if t in {0.5, 4.0} else []),
            postures={1: "standing" if t < 5 else "sitting"},
        )
        for t in times(20)
    ]
    text = shown(measure(of, played, Config()))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.startswith(" 1 clip · 0 min 20 s · 200 frames at 15 per second\n recordings\n")
    assert row(text, "frames with a person too many") == "frames with a person too many | 0.0% | 0 of 200"
    assert row(text, "IDs per person") == "IDs per person | 1.00 | 1 for 1 person"
    assert row(text, "Postures") == "Postures, 25.0% right | as standing | as sitting | as lying | as unknown"
    assert row(text, "standing") == "standing | 50 | 150 | 0 | 0"
    assert row(text, "recall") == "recall | 50.0% | 1 of 2"
    assert row(text, "false alarms") == "false alarms | 1 | 180.90 per hour"
    assert row(text, "apart: slow falls") == "apart: slow falls | 0 of 1 | with an alarm"
    assert re.search(r"014_fall_with_a_long_name +12\.0 s +missed fall left\b", text)


def test_what_is_not_measured_is_no_zero() -> None:
    of = clip(people=None, gestures=(Gesture(name="waving", on_s=1, off_s=2),))
    config = Config(gestures=Gestures(enabled=False))
    text = shown(measure(of, [said(t, fall=None) for t in times(1)], config))
    for name in ("people", "present while", "events of zones", "postures", "falls", "gestures"):
        assert row(text, name).split(" | ")[1] == "not measured"
    assert not re.search(r"\d%|\b0\b", text.partition("\n")[2])


def test_without_a_fall_or_gesture_that_was_found_there_is_no_delay() -> None:
    of = clip(falls=(Fall(start_s=1.0),), gestures=())
    assert "delay" not in shown(measure(of, [said(t) for t in times(1)], Config()))
    found = [
        said(t, {1: (100, 100)}, *([event("fall", "confirmed", "a", person=1)] if t == 3 else [])) for t in times(9)
    ]
    assert row(shown(measure(of, found, Config())), "delay") == "delay | 2.0 s | median; p95 2.0 s"


def test_only_the_first_mistakes_are_listed() -> None:
    of = clip(falls=tuple(Fall(start_s=number) for number in range(30)))
    text = shown(measure(of, [said(t) for t in times(1)], Config()))
    assert text.count("missed fall") == events_tables.LISTED
    assert "and 10 more" in text
