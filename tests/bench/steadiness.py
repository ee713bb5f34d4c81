"""Measure the jitter of a person at rest and the lag behind a walking person, with the real network."""

import numpy as np

from edge.config import Config
from edge.people.filtering import Thresholds
from edge.people.smoothing import Settings, Smoother
from edge.pipeline.pipeline import Pipeline
from edge.scenes.scenes import SCENE_FPS, open_scene
from edge.skeleton import INDEX
from edge.types import Array, Frame, Image, Pose, Track
from tests.support.pipelines import configured

STILL_FRAMES = 200
NOISE = 3.0  # standard deviation of the noise that is added to each pixel
WALKER_M = 1.7
TRUNK = [INDEX[part] for part in ("LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_HIP", "RIGHT_HIP")]


def still() -> list[Pose]:
    """One painted person who does not move, under changing noise and light."""
    rng = np.random.default_rng(0)
    picture = np.empty((480, 640, 3), np.uint8)
    open_scene("wave", width=640, height=480).paint(0, picture)
    running = _pipeline()
    poses = []
    for _ in range(STILL_FRAMES):
        light = rng.normal(0, 2)
        noisy = (picture + rng.normal(light, NOISE, picture.shape)).round().clip(0, 255).astype(np.uint8)
        poses.append(_best(running, noisy))
    return poses


def walking(frames: int = 240) -> tuple[list[Pose], Array, float]:
    """A painted walk: the poses, the painted x of the trunk (frames,) in px, and the length of a metre in px."""
    scene = open_scene("walk", width=640, height=480)
    running, picture = _pipeline(), np.empty((480, 640, 3), np.uint8)
    poses, trunk = [], []
    for number in range(frames):
        scene.paint(number, picture)
        poses.append(_best(running, picture))
        (truth,) = scene.truth(number)
        trunk.append(truth.xy[TRUNK, 0].mean())
    return poses, np.array(trunk), float(np.ptp(truth.xy[:, 1])) / (0.93 * WALKER_M)


def smoothed(poses: list[Pose], fps: float, settings: Settings) -> list[Pose]:
    thresholds = Thresholds.of(confidence=0.3, parts={}, score=0.2, keypoints=5)
    smoother = Smoother(thresholds, settings)
    return [smoother.smooth([Track(1, pose, 0, n / fps)], n / fps)[0].pose for n, pose in enumerate(poses)]


def jitter_px(poses: list[Pose]) -> float:
    """Standard deviation of the keypoints that are visible in every frame, after the filter has settled."""
    later = poses[len(poses) // 4 :]
    always = np.all([pose.visible for pose in later], axis=0)
    return float(np.array([pose.xy[always] for pose in later]).std(axis=0).mean())


def lag_s(poses: list[Pose], trunk: Array, fps: float) -> float:
    """The lag of the detected trunk behind the painted one: the time shift that fits best."""
    x = np.array([pose.xy[TRUNK, 0].mean() for pose in poses])
    t = np.arange(len(x)) / fps
    shifts = np.linspace(-0.1, 0.4, 501)
    inner = (t > 0.5) & (t < t[-1] - 0.5)
    errors = [np.abs(np.interp(t[inner] - shift, t, trunk) - x[inner]).mean() for shift in shifts]
    return float(shifts[int(np.argmin(errors))])


def measure() -> dict[str, float]:
    settings = Settings()
    at_rest, (walk, trunk, metre_px) = still(), walking()
    # The frame rate at which the painted person walks at 1 m/s.
    steps = np.abs(np.diff(trunk))
    fps = 1.0 * metre_px / float(np.median(steps[steps > 1]))
    raw, steady = jitter_px(at_rest), jitter_px(smoothed(at_rest, SCENE_FPS, settings))
    return {
        "jitter_px": raw,
        "jitter_smoothed_px": steady,
        "ratio": raw / steady,
        "walk_fps": fps,
        "lag_ms": (lag_s(smoothed(walk, fps, settings), trunk, fps) - lag_s(walk, trunk, fps)) * 1e3,
    }


def _pipeline() -> Pipeline:
    return configured(Config())[1]


def _best(running: Pipeline, picture: Image) -> Pose:
    return running.detector.detect(Frame(picture, 640, 480, 0, 0.0, 0.0)).poses[0]
