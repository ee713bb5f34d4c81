"""Carry what the sensor reports from the main thread to the thread of the page.

The feed keeps only the newest of everything, and the last events. Without viewers, it costs the main thread one
assignment and one check per frame.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from edge.mqtt.topics import Topics
from edge.pipeline.seams import Update
from edge.types import Message
from edge.web.seams import Pictures, Places

EVENTS_KEPT = 20

# JSON as on MQTT, or the settings by name, or one of our own values.
Content: TypeAlias = bytes | dict[str, str] | Places | Pictures


@dataclass(frozen=True, slots=True)
class Item:
    """Something that the sensor reported. `name` is that of the server-sent event."""

    number: int  # grows with each item
    name: str
    content: Content


class Feed:
    """A sink and a tap of the publisher for the main thread; the rest is for the thread of the page.

    No method waits for the other thread or raises.
    """

    def __init__(self, topics: Topics) -> None:
        self.viewers = 0  # set by the thread of the page, which is woken only if it has some
        self._names = {topics.info: "info", topics.state: "state", topics.health: "health"}
        self._event, self._setting = topics.event(""), topics.setting("")
        self._enabled = topics.setting("enabled")
        self._lock = threading.Lock()
        self._number = 0
        self._newest: dict[str, Item] = {}  # by name
        self._events: deque[Item] = deque(maxlen=EVENTS_KEPT)
        self._settings: dict[str, str] = {}
        self._wake: Callable[[], object] = lambda: None
        self.newest: Update | None = None
        self.use_pictures(Pictures())

    def publish(self, update: Update) -> None:
        """Take the results of a frame."""
        self.newest = update
        if self.viewers:
            self._wake_up()

    def message(self, message: Message) -> None:
        """Take a message that is published over MQTT, also while there is no broker. Keypoints are not needed."""
        topic = message.topic
        if name := self._names.get(topic):
            self._put(name, message.payload)
        elif topic.startswith(self._event):
            self._put("event", message.payload)
        elif topic.startswith(self._setting):
            if topic == self._enabled and message.payload == b"OFF":
                self.newest = None  # before viewers get this message: no data about people may follow it
            self._settings[topic.removeprefix(self._setting)] = message.payload.decode(errors="replace")
            self._put("settings", dict(self._settings))

    def use_places(self, places: Places) -> None:
        """Take the zones and lines that are now in force."""
        self._put("places", places)

    def use_pictures(self, pictures: Pictures) -> None:
        """Take whether pictures are allowed and watched now."""
        self._put("pictures", pictures)

    def after(self, number: int) -> list[Item]:
        """What came after the item with this number: the newest of each name, and events; oldest first."""
        with self._lock:
            items = [item for item in (*self._newest.values(), *self._events) if item.number > number]
        return sorted(items, key=lambda item: item.number)

    def latest(self, name: str) -> Content | None:
        """The newest item of this name, except for events; None before the first one."""
        item = self._newest.get(name)
        return item.content if item else None

    def attach(self, wake: Callable[[], object]) -> None:
        """Call `wake` in the main thread when there is something new for a viewer. It must not wait."""
        self._wake = wake

    def detach(self) -> None:
        """Wake no thread any more."""
        self.viewers = 0
        self._wake = lambda: None

    def _put(self, name: str, content: Content) -> None:
        with self._lock:
            self._number += 1
            item = Item(self._number, name, content)
            if name == "event":
                self._events.append(item)
            else:
                self._newest[name] = item
        if self.viewers:
            self._wake_up()

    def _wake_up(self) -> None:
        with suppress(RuntimeError):  # the loop of the page has just ended
            self._wake()
