"""Truth files are read strictly."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.config import Line, Zone
from edge.errors import UsageError
from edge.evaluation.evaluate_events import read_folder, selected
from edge.evaluation.events_truth import Clip, Expected, Fall, Gesture, read_clips
from edge.evaluation.scenes_truth import read_scene
from tests.docs.pages import Page

DATA = Path(os.environ.get("EDGE_POSE_DATA", Path(__file__).parents[3] / "shared/data"))
KEYPOINTS = [[10.0 * k, 20.0, 2] for k in range(17)]
SQUARE = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5], [0.1, 0.5]]


def write(folder: Path, clip: Any = None, **more: Any) -> Path:
    """A truth file with one clip `hall`."""
    (folder / "hall.mp4").touch()
    file = folder / "truth.json"
    file.write_text(json.dumps({"clips": {"hall": {} if clip is None else clip}} | more), encoding="utf-8")
    return file


def clip_of(folder: Path, **fields: Any) -> Clip:
    (clip,) = read_clips(write(folder, fields))
    return clip


def refused(read: Callable[[], Any]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read()
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


def frame(at_s: float, *people: Any) -> dict[str, Any]:
    return {"at_s": at_s, "people": list(people)}


def test_the_documented_file_is_read(tmp_path: Path) -> None:
    (example,) = [block for block in Page("docs/evaluate-events.md").blocks if block.mark == "truth"]
    for name in ("kitchen.mp4", "hall-2.mkv"):
        (tmp_path / name).touch()
    (tmp_path / "truth.toml").write_text(example.text, encoding="utf-8")
    hall, kitchen = read_folder(tmp_path)
    assert (kitchen.name, kitchen.file, kitchen.people) == ("kitchen", tmp_path / "kitchen.mp4", 1)
    assert kitchen.falls == (Fall(start_s=3.4, down_s=4.5, getup_s=12.0, up_s=15.2, how="backward"),)
    assert (kitchen.gestures, kitchen.frames, kitchen.events) == ((), (), {})
    assert (hall.file, hall.people) == (tmp_path / "hall-2.mkv", 2)
    assert hall.falls == (Fall(start_s=8.0, kind="slow"),)
    assert hall.gestures == (Gesture(name="waving", on_s=20.1, off_s=23.0),)
    assert hall.zones == (Zone(name="stairs", points=((0.1, 0.4), (0.4, 0.4), (0.4, 0.9), (0.1, 0.9))),)
    assert hall.lines == (Line(name="door", start=(0.6, 0.9), to=(0.6, 0.4)),)
    assert hall.events == {"line": (Expected(type="crossed_in", zone="door", at_s=6.5),)}


def test_the_short_example_of_the_page_is_read(tmp_path: Path) -> None:
    (example,) = [block for block in Page("docs/evaluate-events.md").blocks if block.mark == "short truth"]
    (tmp_path / "kitchen.jsonl").touch()
    (tmp_path / "truth.toml").write_text(example.text, encoding="utf-8")
    (kitchen,) = read_folder(tmp_path)
    assert (kitchen.name, kitchen.people, kitchen.gestures, kitchen.falls) == ("kitchen", 1, (), (Fall(start_s=3.4),))


def test_what_is_left_out_is_unknown(tmp_path: Path) -> None:
    clip = clip_of(tmp_path)
    assert (clip.people, clip.gestures, clip.falls) == (None, None, ())


def test_keypoints_are_read(tmp_path: Path) -> None:
    person = {"keypoints": KEYPOINTS, "posture": "sitting"}
    clip = clip_of(tmp_path, size=[640, 480], frames=[frame(0, person, person), frame(0.1, person, person)])
    assert (clip.people, clip.size, len(clip.frames)) == (2, (640, 480), 2)
    assert clip.frames[1].at_s == 0.1
    assert clip.frames[1].postures == ("sitting", "sitting")
    np.testing.assert_array_equal(clip.frames[1].xy[1, 3], (30, 20))
    np.testing.assert_array_equal(clip.frames[1].v, np.full((2, 17), 2))


@pytest.mark.parametrize(
    ("how", "kind", "counted_as"),
    [
        ("backward onto the bed", None, "bed"),
        ("backward onto a bed", None, "bed"),
        ("out of the bed", None, "fall"),
        ("backward onto the bed", "fall", "fall"),
        ("", "slow", "slow"),
    ],
)
def test_falls_onto_a_bed_are_of_their_own_kind(how: str, kind: Any, counted_as: str) -> None:
    assert Fall(start_s=0, how=how, kind=kind).counted_as == counted_as


@pytest.mark.parametrize(
    ("clip", "key"),
    [
        ({"peple": 1}, "peple"),
        ({"people": "one"}, "people"),
        ({"people": -1}, "people"),
        ({"falls": [{"start_s": 1}, {}]}, "falls[2].start_s"),
        ({"falls": [{"start_s": 5, "down_s": 4}]}, "falls[1].down_s"),
        ({"falls": [{"start_s": 5, "up_s": 4}]}, "falls[1].up_s"),
        ({"falls": [{"start_s": -1}]}, "falls[1].start_s"),
        ({"falls": [{"start_s": 1, "kind": "hard"}]}, "falls[1].kind"),
        ({"people": 1, "falls": [{"start_s": 1, "person": 1}]}, "falls[1].person"),
        ({"gestures": [{"name": "waving", "on_s": 3, "off_s": 2}]}, "gestures[1].off_s"),
        ({"zones": [{"name": "bed", "points": SQUARE, "kind": "sofa"}]}, "zones.bed.kind"),
        ({"zones": [{"name": "bed", "points": [SQUARE[i] for i in (0, 2, 1, 3)]}]}, "zones.bed.points"),
        ({"lines": [{"name": "door", "from": [0.1, 0.1], "to": [0.1, 0.1]}]}, "lines.door"),
        ({"events": {"lines": []}}, "events"),
        ({"file": "other.mp4"}, "file"),
        ({"frames": [frame(0)]}, "size"),
        ({"size": [640, 480], "people": 1, "frames": [frame(0)]}, "people"),
        ({"size": [640, 480], "frames": [frame(0.1), frame(0.1)]}, "frames[2]"),
        ({"size": [640, 480], "frames": [frame(0), frame(1, {"keypoints": KEYPOINTS})]}, "frames[2].people"),
        ({"size": [640, 480], "frames": [frame(0, {"keypoints": KEYPOINTS[:16]})]}, "frames[1].people[1].keypoints"),
    ],
    ids=str,
)
def test_a_mistake_in_a_clip_names_file_and_key(tmp_path: Path, clip: Any, key: str) -> None:
    file = write(tmp_path, clip)
    error = refused(lambda: read_clips(file))
    assert error.origin == str(file)
    assert error.key.startswith(f"clips.hall.{key}")


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b"{}", "clips"),
        (b'{"clips": []}', "clips"),
        (b'{"clips": {"a": []}}', "clips.a"),
        (b'{"clips": {"a": {}}, "more": 1}', "more"),
        (b"\xff", ""),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, key: str) -> None:
    file = tmp_path / "truth.json"
    file.write_bytes(content)
    error = refused(lambda: read_clips(file))
    assert (error.origin, error.key) == (str(file), key)


def test_broken_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "truth.toml"
    file.write_text("[clips", encoding="utf-8")
    assert "TOML" in refused(lambda: read_clips(file)).problem


def scene(folder: Path, **changed: Any) -> Path:
    """A truth file of a rendered clip in which a person stands, lies down and stands up again."""
    details = ["stand", "transition", "lying_floor", "lying_floor", "getting_up", "walk"]
    people = {"kp": KEYPOINTS, "posture": "standing", "present": True, "seen": 17, "wrist_up": [False, False]}
    content = {
        "kind": "walk", "size": [640, 480], "persons": 1, "flags": [], "media": "000_walk.mp4", "events": [],
        "per_frame": [{"t": t / 10, "people": [people | {"detail": detail}]} for t, detail in enumerate(details)],
    }  # fmt: skip
    (folder / "000_walk.mp4").touch()
    file = folder / "000_walk.truth.json"
    file.write_text(json.dumps(content | changed), encoding="utf-8")
    return file


FALL = {
    "person": 0, "type": "fall", "how": "left", "t_start": 1.0, "t_down": 2.0, "t_getup": None, "t_up": None, "seen": 9,
}  # fmt: skip
GESTURE = {"person": 0, "type": "gesture", "name": "waving", "optional": True, "t_on": 1.0, "t_off": 2.0, "seen": 9}


def test_a_rendered_clip_is_read(tmp_path: Path) -> None:
    clip = read_scene(scene(tmp_path, events=[FALL, GESTURE]))
    assert (clip.name, clip.file, clip.people) == ("000_walk", tmp_path / "000_walk.mp4", 1)
    assert clip.falls == (Fall(start_s=1.0, down_s=2.0, kind="fall", how="left", person=0),)
    assert clip.gestures == (Gesture(name="waving", on_s=1.0, off_s=2.0, optional=True, person=0),)
    assert [frame.at_s for frame in clip.frames] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_the_flag_slow_fall_sets_falls_apart(tmp_path: Path) -> None:
    clip = read_scene(scene(tmp_path, events=[FALL], flags=["slow_fall"]))
    assert [fall.counted_as for fall in clip.falls] == ["slow"]


def test_lying_down_on_purpose_is_set_apart(tmp_path: Path) -> None:
    (fall,) = read_scene(scene(tmp_path, flags=["deliberate_lie_on_floor"])).falls
    assert fall == Fall(start_s=0.0, down_s=0.2, getup_s=0.3, up_s=0.5, kind="deliberate", person=0)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"persons": 2}, "persons"),
        ({"media": "none.mp4"}, "media"),
        ({"events": [GESTURE, FALL | {"t_start": None}]}, "events[2].t_start"),
        ({"events": [FALL | {"person": 1}]}, "events[1].person"),
        ({"events": [FALL | {"type": "stumble"}]}, "events[1].type"),
        ({"per_frame": []}, "per_frame"),
        ({"size": None}, "size"),
    ],
    ids=str,
)
def test_a_mistake_in_a_rendered_clip_names_file_and_key(tmp_path: Path, changed: Any, key: str) -> None:
    file = scene(tmp_path, **changed)
    error = refused(lambda: read_scene(file))
    assert (error.origin, error.key) == (str(file), key)


def test_clips_of_all_files_are_sorted_by_name(tmp_path: Path) -> None:
    scene(tmp_path)
    write(tmp_path)
    assert [clip.name for clip in read_folder(tmp_path)] == ["000_walk", "hall"]


def test_two_truths_about_a_clip_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "truth.toml").write_text("[clips.hall]\n", encoding="utf-8")
    assert refused(lambda: read_folder(tmp_path)).key == "--truth"


@pytest.mark.parametrize("name", [".", "missing"])
def test_a_folder_without_truth_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(lambda: read_folder(tmp_path / name)).key == "--truth"


def test_patterns_select_clips_by_name(tmp_path: Path) -> None:
    scene(tmp_path)
    clips = read_folder(write(tmp_path).parent)
    assert [clip.name for clip in selected(clips, ["ha*", "h*l"])] == ["hall"]
    assert selected(clips, []) == clips
    assert refused(lambda: selected(clips, ["hall", "x*"])).key == "--only"


@pytest.mark.parametrize("name", ["scenes", "rooms"])
def test_the_development_data_is_read(name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"NO REFERENCE DATA in {DATA / name}: name another folder with EDGE_POSE_DATA")
    clips = read_folder(DATA / name)
    assert all(clip.file.is_file() for clip in clips)
    assert {fall.counted_as for clip in clips for fall in clip.falls} >= {"fall"}
