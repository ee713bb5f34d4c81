"""Carry out the commands that come over MQTT, between two frames."""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from edge.errors import EdgeError
from edge.mqtt.commands import Command, Request, Response, Transaction, done, refused
from edge.mqtt.inbox import MAX_BYTES, Inbox
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.service.allowance import Allowance
from edge.service.settings import Settings

log = logging.getLogger(__name__)

# Returns the `data` of the answer, or a Future of it; raises EdgeError, also through the Future.
Handler: TypeAlias = Callable[[], Any]

LONGEST_TEXT = 64  # characters of a name or a setting that are repeated in an answer
# A burst of so many valid commands is carried out, and then one more per REFILL_S. As many invalid values are answered.
BURST, REFILL_S = 20, 0.1
TOO_MANY = "too many commands; send fewer than ten per second"
REFUSAL_S, LOG_S = 1.0, 60.0  # between two refusals of invalid commands, and between two lines in the log


@dataclass(frozen=True, slots=True, eq=False)
class _Unfinished:
    """A request that is being carried out in another thread."""

    name: str
    transaction: Transaction
    result: "Future[Any]"


class Control:
    """Answers each request once. Of invalid commands and of too many, only some are answered."""

    def __init__(  # noqa: PLR0913 - where commands come from, and what they act on
        self,
        inbox: Inbox,
        publisher: Publisher,
        topics: Topics,
        *,
        settings: Settings,
        requests: Mapping[str, Handler],
        listeners: Mapping[str, Callable[[bytes], None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`listeners` get the payloads on other topics that `inbox` subscribes to."""
        self._inbox = inbox
        self._publisher = publisher
        self._topics = topics
        self._settings = settings
        self._requests = requests
        self._listeners = listeners or {}
        self._monotonic = monotonic
        self._carried_out, self._answered = (Allowance(BURST, REFILL_S, monotonic()) for _ in range(2))
        self._refused_s = self._logged_s = float("-inf")
        self._dropped = 0  # by the inbox, as far as reported
        self._unfinished: list[_Unfinished] = []

    @property
    def requests(self) -> Mapping[str, Handler]:
        """What each request does."""
        return self._requests

    def tick(self) -> None:
        """Carry out what has arrived; call this regularly."""
        self._answer_finished()
        now_s = self._monotonic()
        for message in self._inbox.take():
            command = self._topics.command_on(message.topic, message.payload)
            if command is None:
                self._listeners.get(message.topic, _ignore)(message.payload)
            elif problem := self._invalid(command):
                self._refuse(command, problem, now_s)
            elif command.kind == "set":
                self._set(command, now_s)
            else:
                self._request(command, now_s)
        if self._inbox.dropped != self._dropped:
            self._dropped = self._inbox.dropped
            self._note(f"too many commands: {self._dropped} dropped so far", now_s)
        self._publisher.resubscribe()
        self._settings.tick()

    def end(self) -> None:
        """Answer the requests that will not be finished, and save the settings. May be called more than once."""
        self._settings.save()
        self._answer_finished()
        for one in self._unfinished:
            self._answer(one.name, refused(one.transaction, "the sensor is stopping; try again when it is online"))
        self._unfinished.clear()

    def _invalid(self, command: Command) -> str:
        """What is wrong with a command that can only be a mistake; empty for others."""
        known = self._settings.names if command.kind == "set" else tuple(self._requests)
        if command.name not in known:
            noun = "setting" if command.kind == "set" else "request"
            return f"unknown {noun}; use one of {', '.join(known)}"
        if len(command.payload) > MAX_BYTES:
            return f"longer than {MAX_BYTES} bytes"
        if command.kind == "request" and _read(command.payload) is None:
            return 'not valid; send nothing, or an object such as {"transaction": 7}'
        return ""

    def _request(self, command: Command, now_s: float) -> None:
        if not self._carried_out.take(now_s):
            self._refuse(command, TOO_MANY, now_s)
            return
        request = _read(command.payload) or Request()
        try:
            result = self._requests[command.name]()
        except EdgeError as exc:
            self._answer(command.name, refused(request.transaction, exc.text))
            return
        if isinstance(result, Future):
            self._unfinished.append(_Unfinished(command.name, request.transaction, result))
        else:
            self._answer(command.name, done(request.transaction, result))

    def _answer_finished(self) -> None:
        for one in [one for one in self._unfinished if one.result.done()]:
            self._unfinished.remove(one)
            try:
                answer = done(one.transaction, one.result.result())
            except EdgeError as exc:
                answer = refused(one.transaction, exc.text)
            self._answer(one.name, answer)

    def _set(self, command: Command, now_s: float) -> None:
        text = command.payload.decode(errors="replace").strip()
        try:
            self._settings.checked(command.name, text)
        except EdgeError as exc:
            problem = exc.text if len(text) <= LONGEST_TEXT else "too long; send ON, OFF or a number"
            self._refuse(command, problem, now_s, answer=self._answered.take(now_s))
            return
        if self._carried_out.take(now_s):
            self._settings.set(command.name, text)
        else:
            self._refuse(command, TOO_MANY, now_s)

    def _refuse(self, command: Command, problem: str, now_s: float, *, answer: bool = False) -> None:
        """Log and answer it, or with `answer` answer it in any case."""
        name = command.name[:LONGEST_TEXT]
        self._note(f"{command.kind}/{name!a} is refused: {problem}", now_s)
        if answer or now_s - self._refused_s >= REFUSAL_S:
            self._refused_s = now_s
            about = {"setting" if command.kind == "set" else "request": name}
            # The name may be anything, so it is no part of the topic.
            self._answer(command.kind, refused(None, problem, about))

    def _note(self, text: str, now_s: float) -> None:
        if now_s - self._logged_s >= LOG_S:
            self._logged_s = now_s
            log.warning("%s", text)

    def _answer(self, name: str, answer: Response[Any]) -> None:
        self._publisher.publish(self._topics.response_message(name, answer))


_decode = msgspec.json.Decoder(Request).decode


def _read(payload: bytes) -> Request | None:
    """The content of a request; None if the payload is neither empty nor a valid object."""
    if not payload.strip():
        return Request()
    try:
        return _decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _ignore(_payload: bytes) -> None:
    """Do nothing."""
