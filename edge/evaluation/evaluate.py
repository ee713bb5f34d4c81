"""`edge-pose evaluate`: how good and how fast the pipeline is on pictures whose people are known."""

import os
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image as Pillow
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge import __version__
from edge.camera.images import FORMATS, ORIENTATION, UPRIGHT, rgb
from edge.config import Config
from edge.decode.families import Decoder
from edge.errors import UsageError
from edge.evaluation import coco
from edge.inference.letterbox import Letterboxer
from edge.inference.loading import open_network
from edge.inference.network import Runtime
from edge.people.filtering import Thresholds, keep_visible
from edge.types import Frame, Image, Pose

PERCENTILES = {"median": 50, "p95": 95, "p99": 99}
SKIPPED_SHOWN = 10  # on stderr; the report has them all


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """The daemon's way from a frame to its poses, with a stop-watch."""

    cpu: Runtime
    decode: Decoder
    thresholds: Thresholds
    fit: Letterboxer = field(default_factory=lambda: Letterboxer(smooth=True))  # as well as a camera scales
    inference_ms: list[float] = field(default_factory=list)
    decode_ms: list[float] = field(default_factory=list)

    def poses(self, frame: Frame) -> list[Pose]:
        letterbox = self.fit(frame, self.cpu.input())
        started_s = time.perf_counter()
        self.cpu.invoke()
        self.inference_ms.append((time.perf_counter() - started_s) * 1000)
        outputs = self.cpu.outputs()
        started_s = time.perf_counter()
        decoded = self.decode(outputs)
        self.decode_ms.append((time.perf_counter() - started_s) * 1000)
        return keep_visible(decoded, letterbox, self.thresholds)


def run(
    config: Config, annotations: Path, images: Path, limit: int | None = None, out: Path | None = None
) -> tuple[dict[str, Any], list[coco.Detection]]:
    """The report on the pictures of `annotations`, the first `limit` of them, and the poses it is about.

    A picture that cannot be used is skipped, told on stderr and listed in the report. `out`, where the poses will be
    written, must be none of the files that are read. Raises UsageError, ModelError.
    """
    truth = coco.read(annotations)
    if out is not None and os.path.exists(out):
        for file in (annotations, *(images / listed.file_name for listed in truth.pictures)):
            if os.path.exists(file) and out.samefile(file):
                raise UsageError(f"--out: {out} is read, and would be lost; name another file")
    if not os.path.isdir(images):
        raise UsageError(f"--images: there is no folder {images}; name the one with the pictures of {annotations}")
    network = open_network(config)
    model, cpu = network.model, network.runtime
    wanted = config.filter
    published = Thresholds.of(confidence=wanted.min_confidence, parts=wanted.parts, score=0, keypoints=1).confidence
    # Every keypoint of a pose, as OKS asks for a place of each; and every pose of the decoder, as others are measured.
    thresholds = Thresholds.of(confidence=0, parts={}, score=wanted.min_pose_score, keypoints=1, own=0)
    timed = Timed(cpu, network.decoding.decode, thresholds)
    cpu.invoke()  # the first one takes longer

    found: list[coco.Detection] = []
    seen: set[int] = set()
    skipped: list[dict[str, str]] = []
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    for listed in track(
        truth.pictures[:limit], "evaluate", console=notes, transient=True, disable=not notes.is_terminal
    ):
        try:
            image = _read(images / listed.file_name, listed)
        except Exception as exc:  # noqa: BLE001 - decoders of damaged files raise whatever they like
            skipped.append({"file": listed.file_name, "problem": _reason(exc)})
            continue
        frame = Frame(image, image.shape[1], image.shape[0], len(seen), time.monotonic(), time.time())
        found += [truth.detection(listed, pose) for pose in timed.poses(frame)]
        seen.add(listed.id)
    _tell(skipped, images, notes, reported=bool(seen))
    if not seen:
        raise UsageError(f"--images: no picture of {len(skipped)} could be used; is {images} the folder that belongs "
                         f"to {annotations}?")  # fmt: skip
    measured = coco.measure(truth, seen, found, published)
    if not measured["persons"]["annotated"]:
        notes.print(f"{annotations}: nobody in these pictures is annotated with keypoints, so there is nothing to "
                    "compare with; COCO's files with keypoints are named person_keypoints_*.json",
                    markup=False)  # fmt: skip
    report = {
        "model": {"name": model.name, "sha256": model.sha256, "input_size": list(cpu.input_size)},
        "runtime": {"name": cpu.name, "backend": cpu.backend, "threads": config.inference.thread_count},
        "decode": {
            "mode": config.decode.mode,
            "max_people": config.decode.max_people,
            "nms_radius_px": config.decode.nms_radius_px,
            "min_pose_score": wanted.min_pose_score,
        },
        "versions": {
            "edge-pose": __version__,
            "numpy": np.__version__,
            "pycocotools": version("pycocotools"),
            "python": platform.python_version(),
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform(terse=True)}",
        "pictures": {"listed": len(truth.pictures), "evaluated": len(seen), "skipped": skipped},
        "definitions": coco.DEFINITIONS,
        **measured,
        "latency_ms": {"inference": _percentiles(timed.inference_ms), "decode": _percentiles(timed.decode_ms)},
    }
    return report, found


def write(found: list[coco.Detection], out: Path) -> None:
    """Write poses in COCO's format for results. Raises UsageError."""
    try:
        out.write_bytes(msgspec.json.encode(found))
    except OSError as exc:
        raise UsageError(f"--out: {out} cannot be written ({exc.strerror}); name another file") from exc


def _read(path: Path, listed: coco.Listed) -> Image:
    """A picture in the pixels in which it was annotated. Raises whatever Pillow raises, or ValueError."""
    Pillow.init()  # or it knows only a few formats
    with Pillow.open(path, formats=[kind for kind in FORMATS if kind in Pillow.OPEN]) as file:
        file.load()
        size, orientation = file.size, file.getexif().get(ORIENTATION, 1)
        image = rgb(file, size, None)
    annotated = (listed.width or size[0], listed.height or size[1])
    # COCO annotates pixels as they are stored. Who has looked at them upright shows it in the size.
    if size != annotated and size[::-1] == annotated and orientation in {5, 6, 7, 8}:
        image = image.transpose(UPRIGHT[orientation])
    if image.size != annotated:
        how = "it was turned since" if size[::-1] == annotated else "the annotations are of another picture or size"
        raise ValueError(f"{size[0]}x{size[1]} px, but {annotated[0]:g}x{annotated[1]:g} where it was annotated: {how}")
    return np.asarray(image)


def _reason(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or " ".join(str(exc).split()) or type(exc).__name__


def _tell(skipped: list[dict[str, str]], images: Path, notes: Console, *, reported: bool) -> None:
    for one in skipped[:SKIPPED_SHOWN]:
        notes.print(f"{images / one['file']} is skipped: {one['problem']}", markup=False)
    if len(skipped) > SKIPPED_SHOWN:
        notes.print(f"... and {len(skipped) - SKIPPED_SHOWN} more{', which --json lists' * reported}")
    if skipped:
        notes.print(f"left out: {len(skipped)}; put them right, or use annotations without them")


def _percentiles(values_ms: list[float]) -> dict[str, float]:
    return {name: float(np.percentile(values_ms, q)) for name, q in PERCENTILES.items()}


def show(report: dict[str, Any]) -> None:
    """The report as tables."""
    out = Console(highlight=False)
    model, runtime, pictures, persons = (report[key] for key in ("model", "runtime", "pictures", "persons"))
    height, width = model["input_size"]
    facts = {
        "model": f"{model['name']} at {height}x{width}, sha256 {model['sha256'][:12]}…",
        "runtime": f"{runtime['name']} on {runtime['backend']}, {runtime['threads']} threads",
        "decode": ", ".join(f"{key} {value}" for key, value in report["decode"].items()),
        "versions": ", ".join(f"{name} {value}" for name, value in report["versions"].items()),
        "machine": report["machine"],
        "pictures": f"{pictures['evaluated']} of {pictures['listed']}, {len(pictures['skipped'])} skipped",
        "persons": ", ".join(f"{count} {what}" for what, count in persons.items()),
    }
    grid = Table.grid(padding=(0, 2))
    for name, fact in facts.items():
        grid.add_row(name, fact)
    out.print(grid)

    oks = _table("", "OKS 0.50:0.95", "0.50", "0.75", "medium", "large")
    for name in ("AP", "AR"):
        oks.add_row(name, *(_cell(report["oks"][name + suffix], ".3f") for suffix in ("", "50", "75", "m", "l")))
    out.print(oks)

    parts = _table("keypoints of matched persons", "annotated", "recall", "pck", "median error px")
    for name, one in report["keypoints"].items():
        measures = _cell(one["recall"], ".1%"), _cell(one["pck"], ".1%"), _cell(one["median_error_px"], ".1f")
        parts.add_row(name, str(one["annotated"]), *measures, end_section=name == "all")
    out.print(parts)
    for name, meaning in report["definitions"].items():
        out.print(f"{name}: {meaning}", style="dim")

    latency = _table("latency ms", *PERCENTILES)
    for stage, values in report["latency_ms"].items():
        latency.add_row(stage, *(f"{values[name]:.2f}" for name in PERCENTILES))
    out.print(latency)


def _table(*headers: str) -> Table:
    table = Table(*headers)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
