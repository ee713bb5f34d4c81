"""Delete everything that a broker keeps of a device, so that Home Assistant forgets it."""

import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from edge.config import Config
from edge.config.schema import ID_PATTERN
from edge.errors import BrokerError, UsageError
from edge.mqtt.failures import UNANSWERED
from edge.mqtt.subscription import Subscription
from edge.mqtt.topics import ONLINE, Topics, discovery_topic
from edge.types import Message

CONNECT_S = 8.0
QUIET_S = 1.0  # without another retained message, after which all have arrived
LONGEST_S = 10.0  # for all of them
CLEAR_S = 5.0  # for the broker to confirm
FORGET_S = 1.0  # for Home Assistant to stop listening to the device, so that it logs no empty messages


@dataclass(frozen=True, slots=True)
class Removal:
    """What was deleted."""

    device: str
    online: bool  # it was connected, and may publish again
    found: bool  # otherwise nothing was found, and the usual topics of a device were cleared
    topics: tuple[str, ...]


def remove_device(
    config: Config, device_id: str, *, force: bool = False, pause: Callable[[float], None] = time.sleep
) -> Removal:
    """Delete the retained messages of a device. Raises BrokerError; UsageError if it is online, unless `force`."""
    if not re.fullmatch(ID_PATTERN, device_id):  # "+" would mean every device
        raise UsageError("--device", f"{device_id!r} is no device ID", "use the device.id of the sensor")
    topics, discovery = (
        Topics(config.mqtt.base_topic, device_id),
        discovery_topic(config.home_assistant.prefix, device_id),
    )
    with closing(Subscription(config.mqtt, [discovery, f"{topics.root}/#"])) as subscription:
        _wait_for_connection(subscription)
        found = _retained(subscription)
        online = found.get(topics.status) == ONLINE
        if online and not force:
            problem = f"{device_id} is online and would publish again"
            raise UsageError("--device", problem, "stop it first (sudo systemctl stop edge-pose), or use --force")
        # The login of a sensor may delete these messages, but perhaps not read them.
        wanted = found or dict.fromkeys((discovery, *topics.retained), b"")
        if discovery in wanted:
            _clear(subscription, [discovery])
            pause(FORGET_S)
        rest = sorted(set(wanted) - {discovery})
        _clear(subscription, rest)
    deleted = (*([discovery] if discovery in wanted else []), *rest)
    return Removal(device_id, online, bool(found), deleted)


def _wait_for_connection(subscription: Subscription) -> None:
    connection = subscription.connection
    if not connection.tried.wait(CONNECT_S) or connection.failure is not None:
        failure = connection.failure or UNANSWERED
        raise BrokerError(subscription.broker, failure.problem, failure.advice())


def _retained(subscription: Subscription) -> dict[str, bytes]:
    """The retained messages, by topic."""
    found: dict[str, bytes] = {}
    end_s = time.monotonic() + LONGEST_S
    quiet_s = time.monotonic() + QUIET_S
    while (left_s := min(quiet_s, end_s) - time.monotonic()) > 0:
        message: Message | None = subscription.next(left_s)
        if message is not None and message.retain:
            found[message.topic] = message.payload
            quiet_s = time.monotonic() + QUIET_S
    return found


def _clear(subscription: Subscription, topics: list[str]) -> None:
    left = subscription.clear(topics, CLEAR_S)
    if left:
        problem = f"the broker did not delete {', '.join(left)}"
        raise BrokerError(subscription.broker, problem, "use a login that may write these topics")
