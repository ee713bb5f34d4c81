"""The parts of the daemon that are opened before the sensor and closed after it: signals, broker and systemd."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from edge.config import Config
from edge.mqtt.inbox import Inbox
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics, birth_topic
from edge.service import info
from edge.service.sd_notify import Notifier
from edge.service.settings import Settings
from edge.service.signals import Signals

STOP_S = 1.2  # for all parts together to close, so that a stop takes less than 2 s even if something hangs


class _TimeLeft:
    """The seconds left for several parts to close. The time starts when the first one asks."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end_s: float | None = None

    def __call__(self) -> float:
        now_s = time.monotonic()
        if self._end_s is None:
            self._end_s = now_s + self._seconds
        return max(self._end_s - now_s, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """These parts."""

    config: Config
    settings: Settings
    facts: info.Facts
    topics: Topics
    inbox: Inbox
    publisher: Publisher
    notifier: Notifier
    signals: Signals
    left_s: Callable[[], float]  # to close


def open_context(settings: Settings, stack: ExitStack, *, reloads: bool) -> Context:
    """Signals, broker and systemd, registered in `stack` to be closed. Raises ConfigError."""
    config = settings.config
    signals, notifier = Signals(), Notifier()
    stack.enter_context(signals.handled(reloads=reloads))
    stack.callback(notifier.close)
    topics = Topics(config.mqtt.base_topic, config.device.topic_id)
    births = [birth_topic(config.home_assistant.prefix)] if config.home_assistant.enabled else []
    inbox = Inbox(topics.commands, others=births)
    publisher = Publisher(
        config.mqtt,
        config.device.topic_id,
        online=topics.status_message(online=True),
        offline=topics.status_message(online=False),
        inbox=inbox,
    )
    left_s = _TimeLeft(STOP_S)
    stack.callback(lambda: publisher.close(left_s()))
    facts = info.Facts(config, overrides=settings.overrides, places_changed=settings.places_changed)
    return Context(config, settings, facts, topics, inbox, publisher, notifier, signals, left_s)
