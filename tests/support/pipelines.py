"""Pipelines without a daemon, for tests that supply the frames."""

from pathlib import Path

from edge.config import Config
from edge.decode.families import Decoder, Decoding
from edge.inference.fallback import OneNetwork
from edge.inference.letterbox import Letterboxer
from edge.inference.loading import open_network
from edge.inference.network import Network, Runtime, Selector
from edge.inference.second_opinion import SecondOpinion
from edge.models.catalogue import ModelFile
from edge.people.filtering import Thresholds
from edge.people.observing import observe
from edge.people.tracking import Tracker
from edge.people.untracked import Untracked
from edge.pipeline.detector import Detector
from edge.pipeline.pipeline import Pipeline
from edge.pipeline.seams import FrameSource, Update
from edge.pipeline.views import Views
from edge.rules.rules import Outcome, Rules
from edge.service.assembly import open_pipeline
from edge.types import Frame


class Collector:
    """A sink that keeps every update."""

    def __init__(self) -> None:
        self.updates: list[Update] = []

    def publish(self, update: Update) -> None:
        self.updates.append(update)


def configured(config: Config, *, continuous: bool = True) -> tuple[Network, Pipeline]:
    """The network and the pipeline that this configuration asks for."""
    network = open_network(config)
    return network, open_pipeline(config, OneNetwork(network, config.inference.device), continuous=continuous)


def network_of(runtime: Runtime, decode: Decoder, *, name: str = "painted", one_person: bool = False) -> Network:
    """A network around a fake runtime."""
    model = ModelFile(name, Path(f"{name}.tflite"), "0" * 64, b"", verified=True)
    return Network(model, runtime, Decoding(decode, one_person=one_person))


def pipeline_of(
    selector: Selector, *, views: Views | None = None, mirror: bool = False, max_people: int = 10, min_hits: int = 1
) -> Pipeline:
    """A pipeline that tracks and does not smooth."""
    thresholds = Thresholds.of(confidence=0.3, parts={}, score=0.2, keypoints=5)
    detector = Detector(selector, Letterboxer(mirror=mirror), thresholds, max_poses=10, tick_s=0.05)
    return Pipeline(
        detector,
        views or Views(),
        Tracker(min_hits=min_hits),
        Untracked(),
        Rules(),
        SecondOpinion(None, "a test"),
        max_people=max_people,
    )


def empty_update(frame: Frame, started_s: float, inference_s: float) -> Update:
    """The update of a frame without people."""
    return Update(frame, [], observe([], frame), Outcome(), started_s, inference_s)


def updates(pipeline: Pipeline, source: FrameSource) -> list[Update]:
    """The updates of all frames of a source that ends."""
    collector = Collector()
    for _ in pipeline.run(source, [collector]):
        pass
    return collector.updates
