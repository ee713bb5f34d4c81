"""`edge-pose evaluate-events`: what the product reports about clips, compared with what happens in them."""

import multiprocessing
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import asdict
from fnmatch import fnmatchcase
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge import __version__
from edge.config import Config
from edge.errors import UsageError
from edge.evaluation.events_play import Played, play
from edge.evaluation.events_totals import ClipFigures, totals
from edge.evaluation.events_truth import Clip, read_clips
from edge.evaluation.expected_figures import measure_expected
from edge.evaluation.fall_figures import measure_falls
from edge.evaluation.gesture_figures import measure_gestures
from edge.evaluation.people_figures import measure_people
from edge.evaluation.people_matching import Matching
from edge.evaluation.presence_figures import measure_presence
from edge.evaluation.scenes_truth import SUFFIX, read_scene
from edge.evaluation.truth_files import OPTION
from edge.inference.fallback import OneNetwork
from edge.inference.loading import open_network

TABLES = ("truth.json", "truth.toml")
POLL_S = 0.2


def run(config: Config, truth: Path, *, only: Sequence[str] = (), jobs: int = 1, fps: float = 0.0) -> dict[str, Any]:
    """Play the clips of the folder `truth` in `jobs` processes, and report what is right and wrong.

    `only` has patterns for the names of clips. Frames are taken at `fps`; 0 means all of them. Raises EdgeError.
    """
    clips = selected(read_folder(truth), only)
    jobs = min(jobs, len(clips))
    threads = max(1, config.inference.thread_count // jobs)
    config = msgspec.structs.replace(config, inference=msgspec.structs.replace(config.inference, threads=threads))
    with _progress(clips) as advance:
        figures = _measure_all(config, clips, jobs, fps, advance)
    return {
        "truth": str(truth),
        "fps": fps,
        "config": msgspec.to_builtins(msgspec.structs.replace(config, mqtt=type(config.mqtt)())),
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


def measure(clip: Clip, played: Sequence[Played], config: Config) -> ClipFigures:
    """All figures of a clip that was played with this configuration."""
    matching = Matching(clip, played) if clip.frames else None
    gestures = getattr(config, "gestures", None)
    return ClipFigures(
        name=clip.name,
        duration_s=played[-1].at_s if played else 0.0,
        frames=len(played),
        people=measure_people(clip, played, matching),
        presence=measure_presence(clip, played, matching, config.presence),
        falls=measure_falls(clip, played, matching),
        gestures=measure_gestures(clip, played, matching) if gestures and gestures.enabled else None,
        expected=measure_expected(clip, played),
    )


class _Player:
    """Measures clips with one network, which is loaded once."""

    def __init__(self, config: Config, fps: float, played: Callable[[], None]) -> None:
        self._config, self._fps, self._played = config, fps, played
        self._network = open_network(config)

    def __call__(self, clip: Clip) -> ClipFigures:
        selector = OneNetwork(self._network, self._config.inference.device)
        config = msgspec.structs.replace(self._config, zones=clip.zones, lines=clip.lines)
        frames = []
        for frame in play(clip.file, config, selector, self._fps):
            frames.append(frame)
            self._played()
        return measure(clip, frames, config)

    def close(self) -> None:
        self._network.runtime.close()


def _measure_all(
    config: Config, clips: Sequence[Clip], jobs: int, fps: float, advance: Callable[[int, int], None]
) -> list[ClipFigures]:
    """The figures of all clips, in their order. `advance` gets the number of clips and frames that are done."""
    if jobs > 1:
        return _measure_in_processes(config, clips, jobs, fps, advance)
    frames = 0

    def played() -> None:
        nonlocal frames
        frames += 1
        advance(len(figures), frames)

    figures: list[ClipFigures] = []
    with closing(_Player(config, fps, played)) as player:
        for clip in clips:
            figures.append(player(clip))  # noqa: PERF401 - `played` reads how many there are
    advance(len(figures), frames)
    return figures


def _measure_in_processes(
    config: Config, clips: Sequence[Clip], jobs: int, fps: float, advance: Callable[[int, int], None]
) -> list[ClipFigures]:
    context = multiprocessing.get_context("spawn")  # a process with threads must not fork
    count: Synchronized[int] = context.Value("q", 0)
    pool = ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(config, fps, count))
    # Long clips first, so that no process is left with one at the end.
    order = sorted(range(len(clips)), key=lambda n: -clips[n].file.stat().st_size)
    futures: dict[int, Future[ClipFigures]] = {}
    try:
        for n in order:
            futures[n] = pool.submit(_measure_in_worker, clips[n])
        pending = set(futures.values())
        while pending:
            done, pending = wait(pending, POLL_S)
            for future in done:
                future.result()  # raises the error of the first clip that failed
            advance(len(futures) - len(pending), count.value)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()
    return [futures[n].result() for n in range(len(clips))]


_player: _Player | None = None  # of this worker process


def _start_worker(config: Config, fps: float, count: "Synchronized[int]") -> None:
    global _player  # noqa: PLW0603 - the only way to hand a network from the initializer to the jobs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers

    def played() -> None:
        with count.get_lock():
            count.value += 1

    _player = _Player(config, fps, played)


def _measure_in_worker(clip: Clip) -> ClipFigures:
    assert _player is not None
    return _player(clip)


@contextmanager
def _progress(clips: Sequence[Clip]) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("evaluate"), BarColumn(), TextColumn("{task.completed}/{task.total} clips  {task.fields[frames]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("evaluate", total=len(clips), frames="")
        yield lambda done, frames: progress.update(task, completed=done, frames=f"{frames} frames")


def default_jobs() -> int:
    """One process for each CPU that this one may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
