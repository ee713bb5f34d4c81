"""`edge-pose evaluate`: accuracy and latency of the pipeline on annotated pictures."""

import os
import platform
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track

from edge import __version__
from edge.config import Config
from edge.errors import UsageError
from edge.evaluation import coco
from edge.evaluation.pictures import read_picture
from edge.inference.letterbox import Letterboxer
from edge.inference.loading import open_network
from edge.inference.network import Network
from edge.people.filtering import Thresholds, keep_visible
from edge.service.assembly import thresholds_of
from edge.system.library_notes import without_notes
from edge.types import Frame, Pose

PERCENTILES = {"median": 50, "p95": 95, "p99": 99}
SKIPPED_SHOWN = 10  # on standard error; the report lists all of them


@dataclass(frozen=True, slots=True, eq=False)
class TimedDetector:
    """Finds the poses in a frame as the daemon does, and measures how long each stage takes."""

    network: Network
    thresholds: Thresholds
    fit: Letterboxer = field(default_factory=lambda: Letterboxer(smooth=True))  # no camera has scaled these pictures
    inference_ms: list[float] = field(default_factory=list)
    decode_ms: list[float] = field(default_factory=list)

    def poses(self, frame: Frame) -> list[Pose]:
        runtime = self.network.runtime
        letterbox = self.fit(frame, runtime.input())
        started_s = time.perf_counter()
        runtime.invoke()
        self.inference_ms.append((time.perf_counter() - started_s) * 1000)
        outputs = runtime.outputs()
        started_s = time.perf_counter()
        decoded = self.network.decoding.decode(outputs)
        self.decode_ms.append((time.perf_counter() - started_s) * 1000)
        return keep_visible(decoded, letterbox, self.thresholds)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The poses in all readable pictures."""

    poses: list[coco.Detection] = field(default_factory=list)
    evaluated: set[int] = field(default_factory=set)  # IDs of the pictures
    skipped: list[dict[str, str]] = field(default_factory=list)  # file and problem of the others


def run(
    config: Config, annotations: Path, images: Path, limit: int | None = None, out: Path | None = None
) -> tuple[dict[str, Any], list[coco.Detection]]:
    """Evaluate the first `limit` pictures of `annotations`; returns the report and the detected poses.

    A picture that cannot be read is skipped, with a line on standard error and in the report. The caller will write the
    poses to `out`, so that must not be an input file. Raises UsageError, ModelError, AcceleratorError.
    """
    truth = coco.read(annotations)
    _check_paths(truth, annotations, images, out)
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    with without_notes():
        network = open_network(config)
    with closing(network.runtime):
        wanted = thresholds_of(config, network.decoding)
        # OKS needs a position for every keypoint. All poses of the decoder count, as in other evaluations.
        everything = replace(wanted, confidence=np.zeros_like(wanted.confidence), keypoints=1, own=0.0)
        detector = TimedDetector(network, everything)
        network.runtime.invoke()  # the first one takes longer
        found = _detect(detector, truth, images, limit, notes)
    if not found.evaluated:
        raise UsageError(
            "--images",
            f"none of the {len(found.skipped)} pictures could be read",
            f"check that {images} is the folder of {annotations}",
        )
    measured = coco.measure(truth, found.evaluated, found.poses, wanted.confidence)
    if not measured["persons"]["annotated"]:
        notes.print(
            f"{annotations}: these pictures have no annotated keypoints, so there is nothing to measure; use a file "
            "of keypoints, which COCO names person_keypoints_*.json",
            markup=False,
        )
    report = {
        **_conditions(config, network),
        "pictures": {
            "listed": len(truth.pictures), "evaluated": len(found.evaluated), "skipped": found.skipped,
        },
        "definitions": coco.DEFINITIONS,
        **measured,
        "latency_ms": {"inference": _percentiles(detector.inference_ms), "decode": _percentiles(detector.decode_ms)},
    }  # fmt: skip
    return report, found.poses


def write(found: list[coco.Detection], out: Path) -> None:
    """Write poses in COCO's format for results. Raises UsageError."""
    try:
        out.write_bytes(msgspec.json.encode(found))
    except OSError as exc:
        raise UsageError("--out", f"{out} cannot be written ({exc.strerror})", "name another file") from exc


def _check_paths(truth: coco.Annotations, annotations: Path, images: Path, out: Path | None) -> None:
    if out is not None and os.path.exists(out):
        for file in (annotations, *(images / listed.file_name for listed in truth.pictures)):
            if os.path.exists(file) and out.samefile(file):
                raise UsageError("--out", f"{out} is an input file and would be overwritten", "name another file")
    if not os.path.isdir(images):
        raise UsageError("--images", f"there is no folder {images}", f"name the folder of {annotations}'s pictures")


def _detect(
    detector: TimedDetector, truth: coco.Annotations, images: Path, limit: int | None, notes: Console
) -> Detections:
    """Find the poses in the pictures; progress and skipped pictures go to `notes`."""
    found = Detections()
    pictures = truth.pictures[:limit]
    for listed in track(pictures, "evaluate", console=notes, transient=True, disable=not notes.is_terminal):
        try:
            image = read_picture(images / listed.file_name, listed)
        except Exception as exc:  # noqa: BLE001 - decoders of damaged files raise anything
            found.skipped.append({"file": listed.file_name, "problem": _reason(exc)})
            continue
        frame = Frame(image, image.shape[1], image.shape[0], len(found.evaluated), time.monotonic(), time.time())
        found.poses.extend(truth.detection(listed, pose) for pose in detector.poses(frame))
        found.evaluated.add(listed.id)
    _report_skipped(found, images, notes)
    return found


def _reason(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or " ".join(str(exc).split()) or type(exc).__name__


def _report_skipped(found: Detections, images: Path, notes: Console) -> None:
    skipped = found.skipped
    for picture in skipped[:SKIPPED_SHOWN]:
        notes.print(f"{images / picture['file']} is skipped: {picture['problem']}", markup=False)
    if len(skipped) > SKIPPED_SHOWN:
        listed = ", which --json lists" if found.evaluated else ""
        notes.print(f"... and {len(skipped) - SKIPPED_SHOWN} more{listed}")
    if skipped:
        notes.print(f"skipped: {len(skipped)}; repair these pictures, or use annotations without them")


def _conditions(config: Config, network: Network) -> dict[str, Any]:
    """The conditions under which a report was measured."""
    model, runtime = network.model, network.runtime
    return {
        "model": {"name": model.name, "sha256": model.sha256, "input_size": list(runtime.input_size)},
        "runtime": {"name": runtime.name, "backend": runtime.backend, "threads": config.inference.thread_count},
        "decode": {
            "mode": config.decode.mode,
            "max_people": config.decode.max_people,
            "nms_radius_px": config.decode.nms_radius_px,
            "min_pose_score": config.filter.min_pose_score,
        },
        "versions": {
            "edge-pose": __version__,
            "numpy": np.__version__,
            "pycocotools": version("pycocotools"),
            "python": platform.python_version(),
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform(terse=True)}",
    }


def _percentiles(values_ms: list[float]) -> dict[str, float]:
    return {name: float(np.percentile(values_ms, q)) for name, q in PERCENTILES.items()}
