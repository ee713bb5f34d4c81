"""`edge-pose evaluate-events`: compare what the product reports about clips with what happens in them."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from edge import __version__
from edge.config import Config, Mqtt
from edge.errors import UsageError
from edge.evaluation.clip_players import Plan, measure_all
from edge.evaluation.events_totals import totals
from edge.evaluation.events_truth import Clip, read_clips
from edge.evaluation.scenes_truth import SUFFIX, read_scene
from edge.evaluation.truth_files import OPTION, RECORDINGS

TABLES = ("truth.json", "truth.toml")


def run(  # noqa: PLR0913 - the keyword arguments are the options of the command
    config: Config,
    truth: Path,
    *,
    only: Sequence[str] = (),
    jobs: int = 1,
    fps: float = 0.0,
    record: Path | None = None,
    recordings: Path | None = None,
) -> dict[str, Any]:
    """Play the clips of the folder `truth` in `jobs` processes, and report what is right and wrong.

    `only` has patterns for the names of clips. Frames are taken at `fps`; 0 means all of them. `record` is a folder for
    a recording of each clip, `recordings` one with recordings that are played instead of the clips. Raises EdgeError.
    """
    clips = selected(read_folder(truth), only)
    if recordings is not None:
        clips = [replace(clip, file=_recording(clip.name, recordings)) for clip in clips]
    if record is not None:
        _check_folder(record)
    # Only one process at a time can use an Edge TPU.
    jobs = 1 if config.inference.device.startswith("edgetpu") else min(jobs, len(clips))
    threads = max(1, config.inference.thread_count // jobs)
    config = msgspec.structs.replace(config, inference=msgspec.structs.replace(config.inference, threads=threads))
    figures = measure_all(Plan(config, fps, record), clips, jobs)
    return {
        "truth": str(truth),
        "recordings": None if recordings is None else str(recordings),
        "fps": None if recordings else fps,
        "config": msgspec.to_builtins(msgspec.structs.replace(config, mqtt=Mqtt())),
        "versions": {"edge-pose": __version__, "python": platform.python_version()},
        "total": totals(figures),
        "clips": [asdict(clip) for clip in figures],
    }


def read_folder(folder: Path) -> list[Clip]:
    """The clips of all truth files in a folder, by name. Raises UsageError."""
    if not folder.is_dir():
        raise UsageError(OPTION, f"there is no folder {folder}", "name the folder of the clips")
    clips = [clip for name in TABLES if (folder / name).is_file() for clip in read_clips(folder / name)]
    clips += [read_scene(file) for file in sorted(folder.glob(f"*{SUFFIX}"))]
    if not clips:
        remedy = f"put {TABLES[0]} there, as docs/evaluate-events.md describes it"
        raise UsageError(OPTION, f"{folder} has no truth files", remedy)
    names = [clip.name for clip in clips]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(OPTION, f"{folder} has two truths about {name}", "remove one of them")
    return sorted(clips, key=lambda clip: clip.name)


def selected(clips: Sequence[Clip], patterns: Sequence[str]) -> list[Clip]:
    """The clips whose names match a pattern; all if there is none. Raises UsageError if a pattern matches no clip."""
    for pattern in patterns:
        if not any(fnmatchcase(clip.name, pattern) for clip in clips):
            raise UsageError("--only", f'no clip matches "{pattern}"', f"the first clip is {clips[0].name}")
    return [clip for clip in clips if not patterns or any(fnmatchcase(clip.name, pattern) for pattern in patterns)]


def _recording(name: str, folder: Path) -> Path:
    """The recording of a clip. Raises UsageError if there is none."""
    for suffix in RECORDINGS:
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    problem = f"there is no {name}{RECORDINGS[0]} in {folder}"
    raise UsageError("--recordings", problem, "make it with --record, or leave the clip out with --only")


def _check_folder(folder: Path) -> None:
    """Create the folder for recordings. Raises UsageError."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as exc:
        raise UsageError("--record", f"{folder} cannot be created ({exc.strerror})", "name a folder") from exc
