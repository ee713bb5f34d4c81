"""Publish `state` when it changes, and at every heartbeat."""

import time
from collections.abc import Callable
from dataclasses import fields, replace

from edge.mqtt.events import StateOut, state_out, unknown_state
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.pipeline.seams import Update
from edge.rules.values import State

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
        # Of the last message: what counts as a change. None: unknown.
        self._changing: tuple[object, ...] | None = None
        self._published_s = float("-inf")

    def publish(self, update: Update) -> None:
        """Keep the state after a frame; `tick` publishes it."""
        self._newest = update

    def clear_falls(self) -> None:
        """Change the state after a frame: no fall is open any more."""
        if self._newest and self._newest.outcome.state:
            state = replace(self._newest.outcome.state, fall=False, still_down=False)
            self._newest = replace(self._newest, outcome=replace(self._newest.outcome, state=state))

    def tick(self, *, known: bool) -> None:
        """Publish the state if it is due; call this regularly. It is not `known` while the camera shows nothing."""
        now_s = self._monotonic()
        if now_s - self._published_s < SHORTEST_PERIOD_S:
            return
        update = self._newest if known else None
        state = update.outcome.state if update else None
        changing = _changing(state) if state else None
        if changing == self._changing and now_s - self._published_s < self._heartbeat_s:
            return
        self._send(state_out(state, update.seen) if update and state else unknown_state(time.time()), now_s)
        self._changing = changing

    def end(self) -> None:
        """Publish that the state is unknown from now on. May be called more than once."""
        self._newest = self._changing = None
        self._send(unknown_state(time.time()), self._monotonic())

    def _send(self, state: StateOut, now_s: float) -> None:
        self._publisher.publish_retained(self._topics.state_message(state, self._heartbeat_s))
        self._published_s = now_s


def _changing(state: State) -> tuple[object, ...]:
    """The state without the values that change although nothing happens: `dwell_s` and `since`."""
    return (
        *(getattr(state, name) for name in _PLAIN),
        *((name, zone.occupied, zone.people) for name, zone in state.zones.items()),
        *sorted((one.id, one.posture, one.zones) for one in state.persons),
    )


_PLAIN = [field.name for field in fields(State) if field.name not in {"zones", "persons"}]
