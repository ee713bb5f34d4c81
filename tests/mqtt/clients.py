"""Publishers and subscriptions for tests, a stalled broker, and servers that are not brokers."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from edge.config import Mqtt
from edge.mqtt.connection import Waits
from edge.mqtt.failures import Failure
from edge.mqtt.publisher import Publisher
from edge.mqtt.subscription import Subscription
from edge.mqtt.topics import Topics
from edge.types import Message
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.waiting import LONG_S, until

Start = Callable[..., Mosquitto]
TOPICS = Topics("edge-pose", "test")


def unopened(port: int, waits: Waits | None = None, **settings: object) -> Publisher:
    """A publisher that does not connect yet; `settings` are keys of the table [mqtt]."""
    mqtt = msgspec.convert({"host": LOOPBACK, "port": port, **settings}, Mqtt)
    online, offline = TOPICS.status_message(online=True), TOPICS.status_message(online=False)
    return Publisher(mqtt, "test", online=online, offline=offline, waits=waits)


@contextmanager
def publisher(port: int, waits: Waits | None = None, **settings: object) -> Iterator[Publisher]:
    """An open publisher; `settings` are keys of the table [mqtt]."""
    sensor = unopened(port, waits, **settings)
    sensor.open()
    try:
        yield sensor
    finally:
        sensor.close()


@contextmanager
def listener(port: int, **settings: object) -> Iterator[Subscription]:
    """A connected subscription to everything."""
    subscription = Subscription(msgspec.convert({"host": LOOPBACK, "port": port, **settings}, Mqtt), ["edge-pose/#"])
    until(lambda: subscription.connection.connected)
    try:
        yield subscription
    finally:
        subscription.close()


def next_of(subscription: Subscription, topic: str) -> Message:
    """The next message on a topic."""
    while True:
        message = subscription.next(LONG_S)
        assert message is not None, f"nothing on {topic}"
        if message.topic == topic:
            return message


def failure_of(sensor: Publisher) -> Failure:
    """Why the first attempt to connect failed."""
    assert sensor.connection.tried.wait(LONG_S)
    assert not sensor.connection.connected
    assert sensor.connection.failure is not None
    return sensor.connection.failure


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run `serve` on a listening socket in a thread; yields the port."""
    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(LONG_S)
