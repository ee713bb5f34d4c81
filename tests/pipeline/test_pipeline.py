"""What the views, rules and sinks get, and in which order."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge.inference.fallback import OneNetwork
from edge.pipeline.seams import Update
from edge.pipeline.views import Views
from edge.rules.episode import OpenEvent, begin
from edge.rules.rules import Rules
from edge.rules.values import Event, Moment, State
from edge.types import Frame, Track
from tests.pipeline.test_detector import cpu_network
from tests.support.fakes import ListSource, blank_frame
from tests.support.pipelines import Collector, pipeline_of


class SeenPeople:
    """A rule whose events are the IDs of the people in each frame."""

    def update(self, moment: Moment) -> Sequence[Event]:
        return [begin("seen", moment, person=subject.id).phase("", moment) for subject in moment.subjects]

    def describe(self, state: State) -> State:
        return state

    def open(self) -> Sequence[OpenEvent]:
        return ()

    def end(self, moment: Moment, reasons: Iterable[str]) -> Sequence[Event]:  # noqa: ARG002 - the interface
        return ()


class WatchedViews(Views):
    def __init__(self) -> None:
        super().__init__()
        self.observed: list[tuple[int, list[int | None], int]] = []

    def observe(self, people: list[Track], lost: list[Track], frame: Frame) -> None:
        self.observed.append((frame.sequence, [person.id for person in people], len(lost)))


def test_views_observe_all_tracks_and_rules_see_only_people() -> None:
    views = WatchedViews()
    running = replace(
        pipeline_of(OneNetwork(cpu_network()[1], "cpu"), views=views, min_hits=2), rules=Rules([SeenPeople()])
    )
    sink = Collector()
    for _ in running.run(ListSource(map(blank_frame, range(3))), [sink]):
        pass
    assert views.observed == [(0, [None], 0), (1, [1], 0), (2, [1], 0)]
    events = [[(event.sequence, event.person) for event in update.outcome.events] for update in sink.updates]
    assert events == [[], [(1, 1)], [(2, 1)]]
    assert [[person.id for person in update.seen.people] for update in sink.updates] == [[], [1], [1]]


def test_every_sink_gets_every_update_in_the_order_of_the_sinks() -> None:
    order: list[tuple[str, int]] = []

    class Sink:
        def __init__(self, name: str) -> None:
            self._name = name

        def publish(self, update: Update) -> None:
            order.append((self._name, update.frame.sequence))

    running = pipeline_of(OneNetwork(cpu_network()[1], "cpu"))
    for _ in running.run(ListSource(map(blank_frame, range(2))), [Sink("a"), Sink("b")]):
        pass
    assert order == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
