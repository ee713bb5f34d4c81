"""End open events when the picture is lost or the service stops, and resume falls after a restart."""

from edge.config import Config
from edge.pipeline.seams import Update
from edge.recording.record import Recorder
from edge.rules.rules import Rules, Saved
from edge.rules.values import Event
from edge.service.event_store import EventStore
from edge.service.reporter import Reporter
from edge.service.rules import reconfigure, tables_of_rules


class OpenEvents:
    """A sink that saves open events, and ends them when told so. It publishes and records what it does."""

    def __init__(
        self,
        rules: Rules,
        reporter: Reporter,
        *,
        recorder: Recorder | None = None,
        store: EventStore | None = None,
    ) -> None:
        """Resumes the events in the store. Without one, nothing is saved."""
        self._rules = rules
        self._reporter = reporter
        self._recorder = recorder
        self._store = store
        self._ended = False  # since the last frame
        saved = store.load() if store else Saved()
        rules.resume(saved)
        if recorder and saved != Saved():
            recorder.resume(saved)

    def publish(self, update: Update) -> None:  # noqa: ARG002 - the rules have seen it
        """Save the events that are open after a frame."""
        self._ended = False
        self._save(self._rules.saved())

    def end(self, reason: str) -> None:
        """End open events but falls, because no picture follows for a while. Does nothing until the next frame."""
        if self._ended:
            return
        self._ended = True
        self._publish(self._rules.end(reason))
        if self._recorder:
            self._recorder.end(reason)
        self._save(self._rules.saved())

    def clear_falls(self, reason: str) -> int:
        """Clear all confirmed falls; returns how many. Before the first frame, their events end with that."""
        count = len(self._rules.saved().falls)
        if count:
            self._publish(self._rules.clear_falls(reason))
            if self._recorder:
                self._recorder.clear_falls(reason)
            if self._store:
                self._store.save(self._rules.saved(), self._rules.seen)
        return count

    def stop(self, reason: str) -> None:
        """End open events but confirmed falls, because the service stops."""
        self._publish(self._rules.stop(reason))
        if self._recorder:
            self._recorder.end(reason, stopped=True)
        self._save(Saved(self._rules.saved().falls))

    def reconfigure(self, config: Config) -> None:
        """Bring the rules in line with a changed configuration."""
        self._publish(reconfigure(self._rules, config))
        if self._recorder:
            self._recorder.reconfigure(tables_of_rules(config))
        self._save(self._rules.saved())

    def _publish(self, events: tuple[Event, ...]) -> None:
        self._reporter.publish_events(events)

    def _save(self, saved: Saved) -> None:
        if self._store and self._rules.seen:
            self._store.save(saved, self._rules.seen)
