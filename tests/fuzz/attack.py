"""Send generated messages to a running sensor, and measure what they do to it."""

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.mqtt.topics import Topics
from edge.types import Message
from tests.support.brokers import LOOPBACK
from tests.support.contract import channel_of, check
from tests.support.hostile import Sent, messages, transaction_of, value_of
from tests.support.waiting import until

TOPICS = Topics("edge-pose", "test")
NUMBERS = [TOPICS.setting(name) for name in ("min_confidence", "max_rate_hz", "fall_confirm_s", "presence_leave_s")]
ANSWER_S = 120.0
# Some valid messages hide the person, but the rate must not fall because the sensor is idle.
CAMERA = {"camera.source": "synthetic:walk", "camera.fps": 15, "idle.after_s": 3600, "mqtt.heartbeat_s": 1}


class Observer:
    """Hears what the sensor publishes, and checks it against the contract."""

    def __init__(self, port: int) -> None:
        self.arrived_s: list[float] = []  # of keypoints
        self.responses: Counter[str] = Counter()  # by transaction
        self.values: dict[str, list[str]] = {}  # by setting
        self.health: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.on_message = self._hear
        self._client.connect(LOOPBACK, port)
        topics = (TOPICS.keypoints, TOPICS.health, TOPICS.state, TOPICS.info, TOPICS.event("+"), TOPICS.response("+"))
        self._client.subscribe([(topic, 1) for topic in (*topics, TOPICS.setting("+"))])
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def rate_hz(self, start_s: float, end_s: float) -> float:
        """Keypoints per second in this time."""
        return sum(start_s <= one < end_s for one in self.arrived_s) / (end_s - start_s)

    def _hear(self, _client: Client, _userdata: Any, got: MQTTMessage) -> None:
        message = Message(got.topic, bytes(got.payload), got.qos, got.retain)
        name, last = channel_of(message.topic)
        if name == "keypoints":
            self.arrived_s.append(time.monotonic())
        try:
            check(message)
        except Exception as exc:  # noqa: BLE001 - reported by the thread that waits
            self.problems.append(f"{message.topic}: {exc}")
        if name == "response":
            transaction = json.loads(message.payload)["transaction"]
            self.responses[str(transaction)] += 1
        elif name == "setting":
            self.values.setdefault(last, []).append(message.payload.decode())
        elif name == "health":
            self.health.append(json.loads(message.payload))


@dataclass
class Attacker:
    """Sends messages, and notes which valid ones are among them."""

    port: int
    values: dict[str, set[float]] = field(default_factory=dict)  # sent and valid, by setting; True is 1
    transactions: set[str] = field(default_factory=set)
    client: Client = field(default_factory=lambda: Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5))

    def open(self) -> None:
        self.client.max_inflight_messages_set(200)
        self.client.connect(LOOPBACK, self.port)
        self.client.loop_start()
        until(self.client.is_connected)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def send(self, sent: Sent) -> Any:
        value, transaction = value_of(sent), transaction_of(sent)
        if value is not None:
            self.values.setdefault(sent.topic.partition("/")[2], set()).add(value)
        if isinstance(transaction, list):
            self.transactions.add(str(transaction[0]))
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, content in sent.properties.items():
            setattr(properties, name, content)
        topic = f"{TOPICS.root}/{sent.topic}"
        return self.client.publish(topic, sent.payload, sent.qos, retain=sent.retain, properties=properties)

    def flood(self, count: int, seed: int) -> None:
        """Send messages as fast as the broker takes them."""
        last = None
        for number, sent in enumerate(messages(count, seed)):
            if b"\x00" in sent.topic.encode():
                continue
            info = self.send(sent)
            last = info if sent.qos else last
            if number % 100 == 99 and last is not None:
                last.wait_for_publish(ANSWER_S)

    def trickle(self, observer: Observer, count: int, seed: int) -> list[str]:
        """Send `count` requests among others, one after the other; the transactions that were not answered once."""
        rng, wrong = random.Random(seed), list[str]()
        for number in range(count):
            for sent in messages(4, rng.randrange(2**32)):
                if value_of(sent) is None and transaction_of(sent) is None:  # valid ones may be too many
                    self.send(sent)
            name = f"ping-{seed}-{number}"
            self.send(Sent("request/ping", json.dumps({"transaction": name}).encode(), qos=1))
            deadline_s = time.monotonic() + ANSWER_S
            while not observer.responses[name] and time.monotonic() < deadline_s:
                time.sleep(0.02)
            time.sleep(0.1)  # for a second answer
            if observer.responses[name] != 1:
                wrong.append(name)
        return wrong

    def wait_for_answer(self, observer: Observer) -> float:
        """Repeat a request until it is answered; the seconds that this takes."""
        start_s = time.monotonic()
        number = 0
        while not any(observer.responses[f"again-{one}"] for one in range(number)):
            self.send(Sent("request/ping", json.dumps({"transaction": f"again-{number}"}).encode(), qos=1))
            number += 1
            time.sleep(0.5)
            assert time.monotonic() < start_s + ANSWER_S, "no answer after the flood"
        return time.monotonic() - start_s


@dataclass(frozen=True)
class Report:
    calm_hz: float  # keypoints without and with the flood
    flood_hz: float
    sent_hz: float
    answer_s: float  # until a request is answered after the flood
    grown_mb: float
    wrong: list[str]  # requests that were not answered once
    strange: dict[str, set[float]]  # values of settings that no valid message has sent
    problems: list[str]  # breaches of the contract

    @property
    def share(self) -> float:
        """How much of the rate is left during the flood."""
        return self.flood_hz / self.calm_hz


def attack(port: int, *, count: int, requests: int, calm_s: float, seed: int = 1) -> Report:
    """Attack a sensor that runs with `max_rate_hz` 0."""
    observer, attacker = Observer(port), Attacker(port)
    attacker.open()
    try:
        until(lambda: len(observer.arrived_s) > 30 and observer.health)
        before = dict(observer.values)
        start_s = time.monotonic()
        until(lambda: time.monotonic() > start_s + calm_s)
        calm_hz = observer.rate_hz(start_s, time.monotonic())
        wrong = attacker.trickle(observer, requests, seed)
        memory_mb = observer.health[-1]["rss_mb"]
        flood_s = time.monotonic()
        attacker.flood(count, seed)
        end_s = time.monotonic()
        answer_s = attacker.wait_for_answer(observer)
        heard = len(observer.health)
        until(lambda: len(observer.health) > heard + 1)
    finally:
        attacker.close()
        observer.close()
    strange = {
        name: {one for one in map(_number, texts) if one not in attacker.values.get(name, set())}
        - set(map(_number, before[name]))
        for name, texts in observer.values.items()
    }
    return Report(
        calm_hz,
        observer.rate_hz(flood_s, max(end_s, flood_s + 2)),
        count / (end_s - flood_s),
        answer_s,
        observer.health[-1]["rss_mb"] - memory_mb,
        wrong,
        {name: values for name, values in strange.items() if values},
        observer.problems,
    )


def _number(text: str) -> float:
    return {"ON": 1.0, "OFF": 0.0}[text] if text in {"ON", "OFF"} else float(text)
