"""Build a pipeline from the configuration."""

import logging
import sys

from edge.config import Camera, Config
from edge.decode.families import Decoding
from edge.inference.letterbox import Letterboxer
from edge.inference.network import Selector
from edge.inference.second_opinion import SecondOpinion, open_second_opinion
from edge.people.crop import crop_around
from edge.people.exclusion import ExcludedZone
from edge.people.filtering import Thresholds
from edge.people.rotation import RotationPlanner
from edge.people.second_opinion import NetworkPlanner
from edge.people.smoothing import Settings as SmootherSettings
from edge.people.smoothing import Smoother
from edge.people.tracking import Tracker
from edge.people.untracked import Untracked
from edge.pipeline.detector import SWITCH_INTERVAL_S, Detector, SecondNetwork
from edge.pipeline.gate import Gate
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.shutter import Shutter
from edge.pipeline.views import Views
from edge.rules.rules import Rules
from edge.service.rules import open_rules

log = logging.getLogger(__name__)

UNRELATED = "the pictures of this source are unrelated"
TICK_S = 0.25  # how long signals and heartbeats may wait while no frame comes


def open_pipeline(config: Config, selector: Selector, *, continuous: bool, shutter: Shutter | None = None) -> Pipeline:
    """The pipeline of a source. Pictures that are not `continuous` are seen by one network, and not tracked."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    network = selector.selected.network
    decoding = network.decoding
    second_opinion = open_second_opinion(config, network) if continuous else SecondOpinion(None, UNRELATED)
    second = second_opinion.network
    one_person = decoding.one_person
    if one_person and config.decode.mode == "multi":
        log.info('this network detects only one person; decode.mode = "multi" has no effect')
    thresholds = thresholds_of(config, decoding)
    detector = Detector(
        selector,
        Letterboxer(mirror=config.camera.mirror, smooth=not continuous),
        thresholds,
        max_poses=config.max_poses,
        second=SecondNetwork(second, thresholds_of(config, second.decoding)) if second else None,
        tick_s=TICK_S,
    )
    max_people = 1 if one_person or config.decode.mode == "single" else config.decode.max_people
    if not continuous:
        untracked = Untracked()
        return Pipeline(
            detector, Views(), untracked, untracked, Rules(), second_opinion, max_people=max_people, shutter=shutter
        )
    return Pipeline(
        detector,
        Views(
            RotationPlanner() if config.people.detect_lying and not second and not thresholds.by_multipose else None,
            networks=NetworkPlanner() if second else None,
            crop=crop_around if one_person else None,
        ),
        _tracker(config, second=second is not None),
        _smoother(config, thresholds) if config.smoothing.enabled else Untracked(),
        open_rules(config),
        second_opinion,
        excluded_zones(config),
        Gate(idle_after_s=config.idle.after_s, idle_check_s=config.idle.check_s),
        max_people,
        shutter,
    )


def excluded_zones(config: Config) -> list[ExcludedZone]:
    return [ExcludedZone(zone.name, zone.points) for zone in config.zones if zone.kind == "exclude"]


def use_thresholds(pipeline: Pipeline, config: Config, selector: Selector) -> None:
    """Filter as `config` says from the next frame on."""
    thresholds = thresholds_of(config, selector.selected.network.decoding)
    second = pipeline.second_opinion.network
    pipeline.detector.use(thresholds, thresholds_of(config, second.decoding) if second else None)
    pipeline.smoother.use(thresholds)


def largest_picture(camera: Camera, sizes: list[tuple[int, int]], *, cropped: bool) -> tuple[int, int] | None:
    """The (width, height) beyond which the network gains nothing from larger pictures, even rotated; None for no limit.

    `sizes` are the (height, width) of every input that pictures may be fitted into. There is no limit if the network is
    shown a part of the picture (`cropped`).
    """
    if cropped:
        return None
    width, height = camera.width, camera.height
    if camera.rotation % 180:
        width, height = height, width
    low, high = map(max, zip(*map(sorted, sizes), strict=True))
    return (high, low) if width >= height else (low, high)


def thresholds_of(config: Config, decoding: Decoding) -> Thresholds:
    """The configured thresholds, on the scale of the network that `decoding` belongs to."""
    wanted = config.filter
    thresholds = Thresholds.of(
        confidence=wanted.min_confidence,
        parts=wanted.parts,
        score=wanted.min_pose_score,
        keypoints=wanted.min_keypoints,
    )
    if decoding.keypoint_confidence is None or decoding.start_score is None or decoding.keep_score is None:
        return thresholds
    return thresholds.for_multipose(decoding.keypoint_confidence, decoding.start_score, decoding.keep_score)


def _tracker(config: Config, *, second: bool) -> Tracker:
    # With a slow camera, tracks must not end between two frames.
    period_s = 1 / config.camera.fps if config.camera.fps else 0.0
    max_age_s = max(config.tracking.max_age_s, 2.5 * period_s)
    return Tracker(min_hits=config.tracking.min_hits, max_age_s=max_age_s, second=second)


def _smoother(config: Config, thresholds: Thresholds) -> Smoother:
    wanted = config.smoothing
    return Smoother(thresholds, SmootherSettings(wanted.min_cutoff_hz, wanted.beta_hz, wanted.hysteresis))
