"""Publish `state` when it changes, and at every heartbeat."""

import time
from collections.abc import Callable

from msgspec.structs import replace

from edge.mqtt.events import StateOut, state_out, unknown_state
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.pipeline.seams import Update

SHORTEST_PERIOD_S = 0.25  # between two messages


class StateReporter:
    """A sink that publishes the state of the room: the newest one, at most four times per second.

    Before the first frame, the state is unknown.
    """

    def __init__(
        self,
        publisher: Publisher,
        topics: Topics,
        heartbeat_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._topics = topics
        self._heartbeat_s = heartbeat_s
        self._monotonic = monotonic
        self._newest: Update | None = None
        self._changing: StateOut | None = None  # of the last message, without what changes all the time
        self._published_s = float("-inf")

    def publish(self, update: Update) -> None:
        """Keep the state after a frame; `tick` publishes it."""
        self._newest = update

    def tick(self, *, known: bool) -> None:
        """Publish the state if it is due; call this regularly. It is not `known` while the camera shows nothing."""
        now_s = self._monotonic()
        if now_s - self._published_s < SHORTEST_PERIOD_S:
            return
        state = self._state() if known else None
        if state is None:
            state = unknown_state(time.time())
        if _changing(state) != self._changing or now_s - self._published_s >= self._heartbeat_s:
            self._send(state, now_s)

    def end(self) -> None:
        """Publish that the state is unknown from now on. May be called more than once."""
        self._newest = None
        self._send(unknown_state(time.time()), self._monotonic())

    def _state(self) -> StateOut | None:
        update = self._newest
        if update is None or update.outcome.state is None:
            return None
        return state_out(update.outcome.state, update.seen)

    def _send(self, state: StateOut, now_s: float) -> None:
        self._publisher.publish_retained(self._topics.state_message(state, self._heartbeat_s))
        self._changing, self._published_s = _changing(state), now_s


def _changing(state: StateOut) -> StateOut:
    """The state without the values that change although nothing happens."""
    return replace(
        state,
        time="",
        seq=None,
        zones=state.zones and {name: replace(zone, dwell_s=0.0) for name, zone in state.zones.items()},
        persons=state.persons and tuple(replace(one, since="") for one in state.persons),
    )
