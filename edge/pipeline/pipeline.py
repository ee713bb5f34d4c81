"""The main loop: frames become poses, poses become people, people become events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge.inference.second_opinion import SecondOpinion
from edge.people.exclusion import ExcludedZone, split_excluded
from edge.people.filtering import Thresholds
from edge.people.observing import observe
from edge.pipeline.detector import Detection, Detector
from edge.pipeline.gate import Gate
from edge.pipeline.seams import FrameSource, Sink, Update
from edge.pipeline.shutter import Shutter
from edge.pipeline.views import Views
from edge.rules.rules import Rules
from edge.types import Frame, Pose, Rejected, Track


class Tracker(Protocol):
    """Assigns IDs to poses."""

    @property
    def lost(self) -> list[Track]: ...  # tracks with an ID that were expected in the last frame but not detected
    def update(self, poses: list[Pose], now_s: float) -> list[Track]: ...  # in the order of the poses


class Smoother(Protocol):
    """Smooths keypoints."""

    def use(self, thresholds: Thresholds) -> None: ...  # from the next frame on
    def smooth(self, tracks: list[Track], now_s: float) -> list[Track]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """The stages that every frame passes through."""

    detector: Detector
    views: Views
    tracker: Tracker
    smoother: Smoother
    rules: Rules
    second_opinion: SecondOpinion
    excluded: list[ExcludedZone] = field(default_factory=list)  # may be changed between two frames
    gate: Gate | None = None  # None: every frame is processed
    max_people: int | None = None  # per frame, the best ones; None: no limit
    shutter: Shutter | None = None  # None: no picture is ever copied

    def run(self, source: FrameSource, sinks: Sequence[Sink]) -> Iterator[None]:
        """Publish an update for each frame that passes the gate; yields after each, and at each tick without one.

        Nothing is published of a source that is switched off.

        Raises any error of the source or the network, after the frames before it.
        """
        for detection in self.detector.results(source, self.views, self._admits):
            if detection is not None and not source.off:
                update = self._updated(detection)
                for sink in sinks:
                    sink.publish(update)
            yield

    def update(self, frame: Frame) -> Update:
        """Process one frame in this thread, for callers that have frames but no source."""
        return self._updated(self.detector.detect(frame, self.views.next(frame.monotonic_s)))

    def _admits(self, frame: Frame) -> bool:
        if self.shutter:
            self.shutter.see(frame)
        return self.gate is None or self.gate.admits(frame)

    def _updated(self, detection: Detection) -> Update:
        frame, now_s = detection.frame, detection.frame.monotonic_s
        poses, rejected = split_excluded(detection.poses, self.excluded, frame)
        tracks = self.tracker.update(poses[: self.max_people], now_s)
        self.views.observe(tracks, self.tracker.lost, frame)
        people = self.smoother.smooth([track for track in tracks if track.rejected is None], now_s)
        rejected += [Rejected(track.pose, track.rejected) for track in tracks if track.rejected is not None]
        seen = observe(people, frame)
        outcome = self.rules.update(seen)
        if self.gate:
            self.gate.observe(tracks, now_s, fall=bool(outcome.state and outcome.state.fall))
        return Update(frame, people, seen, outcome, detection.started_s, detection.inference_s, rejected)
