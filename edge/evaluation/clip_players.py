"""Play clips in one or more processes, and measure each of them."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.config import Config
from edge.errors import UsageError
from edge.evaluation.events_play import Played, imitated, play, record, replay
from edge.evaluation.events_totals import ClipFigures
from edge.evaluation.events_truth import Clip
from edge.evaluation.expected_figures import measure_expected
from edge.evaluation.fall_figures import measure_falls
from edge.evaluation.gesture_figures import measure_gestures
from edge.evaluation.people_figures import measure_people
from edge.evaluation.people_matching import Matching
from edge.evaluation.presence_figures import measure_presence
from edge.evaluation.truth_files import RECORDINGS
from edge.inference.fallback import OneNetwork
from edge.inference.loading import open_network
from edge.inference.network import Network
from edge.service.assembly import open_pipeline
from edge.system.library_notes import without_notes

POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """How clips are played."""

    config: Config
    fps: float
    record: Path | None = None  # folder for recordings


def measure(clip: Clip, played: Sequence[Played], config: Config) -> ClipFigures:
    """All figures of a clip that was played with this configuration."""
    matching = Matching(clip, played) if clip.frames else None
    return ClipFigures(
        name=clip.name,
        duration_s=played[-1].at_s if played else 0.0,
        frames=len(played),
        people=measure_people(clip, played, matching),
        presence=measure_presence(clip, played, matching, config.presence),
        falls=measure_falls(clip, played, matching),
        gestures=measure_gestures(clip, played, matching) if config.gestures.enabled else None,
        expected=measure_expected(clip, played),
    )


class _Player:
    """Measures clips. The network is loaded once, when the first clip needs it."""

    def __init__(self, plan: Plan, played: Callable[[], None]) -> None:
        """`played` is called after every frame."""
        self._plan, self._played = plan, played

    @cached_property
    def _network(self) -> Network:
        with without_notes():  # one per process would tear the progress bar apart
            return open_network(self._plan.config)

    def __call__(self, clip: Clip) -> ClipFigures:
        config = msgspec.structs.replace(self._plan.config, zones=clip.zones, lines=clip.lines)
        if clip.file.name.endswith(RECORDINGS):
            flaws: list[str] = []
            played = self._counted(replay(clip.file, config, lambda flaw: flaws.append(str(flaw))))
            figures = replace(measure(clip, played, config), flaws=tuple(flaws))
        else:
            config = imitated(config, clip.file, self._plan.fps)
            network, selector = self._network, OneNetwork(self._network, config.inference.device)
            with without_notes():
                pipeline = open_pipeline(config, selector, continuous=True)
            played = self._counted(play(config, pipeline, network))
            second = pipeline.second_opinion.network
            networks = (network.model.name, *([second.model.name] if second else []))
            figures = replace(measure(clip, played, config), networks=networks)
        if self._plan.record is not None:
            record(self._plan.record / f"{clip.name}{RECORDINGS[0]}", config, played)
        return figures

    def _counted(self, frames: Iterable[Played]) -> list[Played]:
        played = []
        for frame in frames:
            played.append(frame)
            self._played()
        return played

    def close(self) -> None:
        if "_network" in vars(self):
            self._network.runtime.close()


def measure_all(plan: Plan, clips: Sequence[Clip], jobs: int) -> list[ClipFigures]:
    """The figures of all clips, in their order, with a progress bar. Raises EdgeError."""
    with _progress(clips) as advance:
        return _in_processes(plan, clips, jobs, advance) if jobs > 1 else _here(plan, clips, advance)


def _here(plan: Plan, clips: Sequence[Clip], advance: Callable[[int, int], None]) -> list[ClipFigures]:
    """`advance` gets the number of clips and frames that are done."""
    frames = 0

    def played() -> None:
        nonlocal frames
        frames += 1
        advance(len(figures), frames)

    figures: list[ClipFigures] = []
    with closing(_Player(plan, played)) as player:
        for clip in clips:
            figures.append(player(clip))  # noqa: PERF401 - `played` reads how many there are
    advance(len(figures), frames)
    return figures


def _in_processes(
    plan: Plan, clips: Sequence[Clip], jobs: int, advance: Callable[[int, int], None]
) -> list[ClipFigures]:
    context = multiprocessing.get_context("spawn")  # a process with threads must not fork
    count: Synchronized[int] = context.Value("q", 0)
    pool = ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(plan, count))
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
                future.result()  # raises the error of a clip that failed
            advance(len(futures) - len(pending), count.value)
    except BaseException as exc:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        if isinstance(exc, BrokenProcessPool):
            problem = "a process ended unexpectedly, perhaps for lack of memory"
            raise UsageError("--jobs", problem, "use --jobs 1") from exc
        raise
    pool.shutdown()
    return [futures[n].result() for n in range(len(clips))]


_player: _Player | None = None  # of this worker process


def _start_worker(plan: Plan, count: "Synchronized[int]") -> None:
    global _player  # noqa: PLW0603 - the only way to hand a network from the initializer to the jobs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers

    def played() -> None:
        with count.get_lock():
            count.value += 1

    _player = _Player(plan, played)


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
