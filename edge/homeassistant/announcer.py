"""Announce the device to Home Assistant: at the start, when its entities change, and when Home Assistant starts."""

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.config import Config
from edge.homeassistant.discovery import Hardware, announced_platforms, discovery_message
from edge.homeassistant.entities import Platform
from edge.homeassistant.memory import Announced, Memory
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import ONLINE
from edge.system.state_dir import state_file
from edge.types import Message

LONGEST_WAIT_S = 5.0  # after Home Assistant has started, so that the devices of a house do not all answer at once
REMOVAL_S = 10.0  # how long the message that deletes entities stays in force while there is a connection


class Announcer:
    """Publishes the discovery message, and deletes what an earlier one announced and this one does not.

    Call `start` before the publisher connects, `tick` regularly, and `birth` when Home Assistant has started.
    """

    def __init__(  # noqa: PLR0913 - the last three are for tests
        self,
        config: Config,
        machine: Hardware,
        publisher: Publisher,
        *,
        memory_file: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wait_s: Callable[[], float] = lambda: random.uniform(0, LONGEST_WAIT_S),  # noqa: S311 - no secret
    ) -> None:
        self._config = config
        self._machine = machine
        self._publisher = publisher
        self._memory = Memory(memory_file or state_file("home_assistant", config.device.topic_id))
        self._monotonic = monotonic
        self._wait_s = wait_s
        self._message = discovery_message(config, machine)  # in force
        self._birth_due_s: float | None = None  # when to answer Home Assistant's start
        self._started = False
        # What is being deleted, and is remembered until that is done: entities, and an earlier announcement.
        self._gone: dict[str, Platform] = {}
        self._earlier = False
        self._removal_sent_s: float | None = None  # on the current connection

    def start(self) -> None:
        """Announce the device; or delete it in Home Assistant if that is switched off."""
        before = self._memory.read()
        enabled = self._config.home_assistant.enabled
        if before is not None and (before.topic != self._message.topic or not enabled):
            self._publisher.publish_kept(Message(before.topic, b"", qos=1, retain=True))
            self._earlier, before = True, None
        if enabled:
            self._started = True
            self._announce(before.entities if before else {})

    def use(self, config: Config) -> None:
        """Announce the device with another configuration, if it was announced."""
        if self._started:
            before, self._config = announced_platforms(self._config) | self._gone, config
            self._announce(before)

    def _announce(self, before: Mapping[str, Platform]) -> None:
        """Announce the entities, and delete those that were announced `before` and are gone."""
        now = announced_platforms(self._config)
        self._gone = {key: platform for key, platform in before.items() if now.get(key) != platform}
        self._removal_sent_s = None
        if not self._earlier:
            self._remember()
        self._message = discovery_message(self._config, self._machine, self._gone)
        self._publisher.publish_retained(self._message)

    def birth(self, payload: bytes) -> None:
        """Home Assistant has published its status: if it has started, publish everything again after a random time."""
        if payload == ONLINE and self._config.home_assistant.enabled:
            self._birth_due_s = self._monotonic() + self._wait_s()

    def tick(self) -> bool:
        """Do what is due; True if all retained messages must be published again now.

        The discovery message is the first of them, because `start` came before all others.
        """
        now_s = self._monotonic()
        if self._gone or self._earlier:
            self._end_removal(now_s)
        if self._birth_due_s is None or now_s < self._birth_due_s:
            return False
        self._birth_due_s = None
        return True

    def _end_removal(self, now_s: float) -> None:
        """Leave the deleted entities out, once broker and Home Assistant have had time to delete them."""
        if not self._publisher.connection.connected:
            self._removal_sent_s = None
        elif self._removal_sent_s is None:
            self._removal_sent_s = now_s
        elif now_s - self._removal_sent_s >= REMOVAL_S:
            self._gone, self._earlier = {}, False
            if self._config.home_assistant.enabled:
                self._message = discovery_message(self._config, self._machine)
                self._publisher.publish_retained(self._message)
            self._remember()

    def _remember(self) -> None:
        now = Announced(self._message.topic, announced_platforms(self._config) | self._gone)
        self._memory.write(now if self._config.home_assistant.enabled else None)
