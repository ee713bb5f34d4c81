"""Play a clip through the product's pipeline, or a recording through its rules."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edge import __version__
from edge.camera import named_by_option, open_source
from edge.config import Config
from edge.errors import UsageError
from edge.evaluation.truth_files import OPTION
from edge.inference.loading import input_sizes
from edge.inference.network import Network
from edge.mqtt.messages import Size, timestamp
from edge.pipeline.pipeline import Pipeline
from edge.recording.format import FORMAT_VERSION, Header, encode, frame_line
from edge.recording.read import Report, observations
from edge.rules.rules import Outcome
from edge.service.assembly import largest_picture
from edge.service.rules import open_rules, tables_of_rules
from edge.types import Frame, Observation

# The clocks at the first frame of a clip, as plausible as on a device. They are the same in every run.
MONOTONIC_S = 1000.0
WALL_S = 1_767_225_600.0  # 2026-01-01


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What the product says about one frame."""

    at_s: float  # from the first frame of the clip
    seen: Observation
    outcome: Outcome


def imitated(config: Config, file: Path, fps: float) -> Config:
    """The configuration for a clip, which is neither turned nor mirrored, and plays once."""
    camera = msgspec.structs.replace(
        config.camera, source=f"video:{file}", fps=fps, rotation=0, mirror=False, loop=False
    )
    return msgspec.structs.replace(config, camera=camera)


def play(config: Config, pipeline: Pipeline, network: Network) -> Iterator[Played]:
    """Play the clip that is the source of this configuration, as a camera with `camera.fps` would show it.

    It plays at full speed. Frames pass the stages one after the other, so the result does not depend on the speed of
    the machine. Raises EdgeError.
    """
    camera = msgspec.structs.replace(config.camera, fps=0)
    largest = largest_picture(camera, input_sizes(config, network), cropped=network.decoding.one_person)
    with named_by_option(OPTION, camera.source), open_source(camera, largest=largest) as feed:
        for frame in paced(feed, config.camera.fps):
            update = pipeline.update(frame)
            yield Played(round(frame.monotonic_s - MONOTONIC_S, 3), update.seen, update.outcome)


def replay(file: Path, config: Config, report: Report) -> Iterator[Played]:
    """Play a recording through the rules, with all its frames. `report` gets its flaws. Raises UsageError."""
    rules = open_rules(config)
    start_s: float | None = None
    for seen in observations(file, report):
        start_s = seen.monotonic_s if start_s is None else start_s
        yield Played(round(seen.monotonic_s - start_s, 3), seen, rules.update(seen))


def record(file: Path, config: Config, played: Sequence[Played]) -> None:
    """Write a recording of all frames. Raises UsageError."""
    if not played:
        return
    first = played[0].seen
    header = Header(
        v=FORMAT_VERSION,
        version=__version__,
        device=config.device.topic_id,
        run=file.name.partition(".")[0],
        part=0,
        time=timestamp(first.wall_s),
        frame=Size(width=first.width, height=first.height),
        rules=tables_of_rules(config),
    )
    lines = [encode(header), *(encode(frame_line(one.seen)) for one in played)]
    try:
        file.write_bytes(b"".join(lines))
    except OSError as exc:
        raise UsageError("--record", f"{file} cannot be written ({exc.strerror})", "name another folder") from exc


def paced(frames: Iterable[Frame], fps: float) -> Iterator[Frame]:
    """The frames that a camera with `fps` would give (0: all of them), renumbered, and timed from MONOTONIC_S."""
    start_s: float | None = None
    due_s = 0.0
    sequence = 0
    for frame in frames:
        start_s = frame.monotonic_s if start_s is None else start_s
        # The source counts from an arbitrary time. Half a millisecond must round in the same direction in every run.
        at_s = round(frame.monotonic_s - start_s + 1e-7, 3)
        if fps and at_s < due_s - 0.0005:
            continue
        if fps:
            late = at_s > due_s + 1 / fps  # then the lost time is not made up for
            due_s = (at_s if late else due_s) + 1 / fps
        yield replace(frame, sequence=sequence, monotonic_s=MONOTONIC_S + at_s, wall_s=WALL_S + at_s)
        sequence += 1
