"""Commands that nobody should send, some valid ones among them, and an oracle that says which ones are valid.

The oracle shares no code with the product.
"""

import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

LIMITS = {
    "min_confidence": (0, 1),
    "max_rate_hz": (0, 1000),
    "fall_confirm_s": (0.5, 10),
    "presence_leave_s": (1, 3600),
}
SWITCHES = ("enabled", "presence", "posture", "fall", "gestures")
REQUESTS = ("ping", "reset_settings", "people", "clear_fall", "snapshot")
LONGEST = 4096  # bytes
UNDECIDED = object()  # JSON that parsers may reject, such as very deep one


@dataclass(frozen=True, slots=True)
class Sent:
    """A message for the sensor. `topic` is below the topic of the device."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 0
    properties: dict[str, Any] = field(default_factory=dict)  # of MQTT 5


def value_of(sent: Sent) -> bool | float | None:
    """The value that a message gives to a setting; None if it is not valid."""
    kind, _, name = sent.topic.partition("/")
    if kind != "set" or sent.retain or len(sent.payload) > LONGEST:
        return None
    try:
        text = sent.payload.decode().strip()
    except UnicodeDecodeError:
        return None
    if name in SWITCHES:
        return {"on": True, "off": False}.get(text.lower()) if text.isascii() else None
    if name not in LIMITS:
        return None
    whole, point, fraction = text.removeprefix("-" if text.startswith("-") else "+").partition(".")
    parts = (whole, fraction) if point else (whole,)
    most = (9, 20)  # digits before and behind the point
    if not all(0 < len(part) <= n and set(part) <= set(string.digits) for part, n in zip(parts, most, strict=False)):
        return None
    low, high = LIMITS[name]
    return float(text) if low <= float(text) <= high else None


def transaction_of(sent: Sent) -> Any:
    """The transaction of a valid request in a list; None if the request is not valid, UNDECIDED if it may be."""
    kind, _, name = sent.topic.partition("/")
    if kind != "request" or name not in REQUESTS or sent.retain or len(sent.payload) > LONGEST:
        return None
    try:
        content = json.loads(sent.payload.decode().strip() or "{}", parse_constant=lambda _: UNDECIDED)
    except RecursionError:
        return UNDECIDED
    except ValueError:
        return None
    found = content.get("transaction") if isinstance(content, dict) else []
    if isinstance(found, dict | list):
        return None
    odd = isinstance(found, int | float) and not isinstance(found, bool) and not -(2**53) < found < 2**53
    return UNDECIDED if odd or found is UNDECIDED or b"[[[[" in sent.payload else [found]


def messages(count: int, seed: int) -> Iterator[Sent]:
    """Random messages; the same for the same seed."""
    rng = random.Random(seed)
    for number in range(count):
        topic, payload = _topic(rng), rng.choices(*zip(*_PAYLOADS, strict=True))[0](rng)
        if rng.random() < 0.2:
            topic, payload = _valid(rng, number)
        yield Sent(topic, payload, rng.random() < 0.05, rng.choice((0, 1)), _properties(rng))


def _topic(rng: random.Random) -> str:
    known = [f"set/{name}" for name in (*LIMITS, *SWITCHES)] + [f"request/{name}" for name in REQUESTS]
    letters = (
        string.printable.translate({ord(one): None for one in "+#/$\x00\n\r\t\x0b\x0c"}) + "äß\u202e\U0001f600\ufeff"
    )
    word = "".join(rng.choices(letters, k=rng.choice((1, 3, 20, 200))))
    unknown = [f"set/{word}", f"request/{word}", "set/set", "request/set", "set/camera.enabled", "set/x/y", "request/"]
    if rng.random() < 0.01:
        unknown = [f"set/{'x' * 60_000}", f"request/{'/' * 190}"]
    return rng.choice(known if rng.random() < 0.7 else unknown)


def _valid(rng: random.Random, number: int) -> tuple[str, bytes]:
    name = rng.choice((*LIMITS, *SWITCHES, *REQUESTS))
    if name in SWITCHES:
        # The camera stays on: otherwise there are no frames to count.
        text = "ON" if name == "enabled" else rng.choice(("ON", "OFF", "on", " off\n"))
        return f"set/{name}", text.encode()
    if name in LIMITS:
        low, high = LIMITS[name]
        low = max(low, 100) if name == "max_rate_hz" else low
        return f"set/{name}", f"{rng.uniform(low, high):.{rng.randrange(1, 7)}f}".encode()
    return f"request/{name}", json.dumps({"transaction": f"t{number}"}).encode()


def _properties(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.8:
        return {}
    return rng.choice([
        {"UserProperty": [("", "")] * rng.choice((1, 10, 300))},
        {"UserProperty": [("key", "x" * 5000)]},
        {"ResponseTopic": "a" * rng.choice((1, 1000)), "CorrelationData": bytes(100)},
        {"ContentType": "application/json\u202e" * 100, "PayloadFormatIndicator": 1},
        {"MessageExpiryInterval": rng.randrange(2**32)},
    ])  # fmt: skip


def _pieces(rng: random.Random) -> bytes:
    pieces = (
        b"ON",
        b"OFF",
        b"1",
        b"-",
        b".",
        b"e9",
        b"nan",
        b"\x00",
        b"\xff",
        b"{",
        b'"',
        b"[",
        b" ",
        b"null",
        b"9" * 30,
    )
    return b"".join(rng.choices(pieces, k=rng.randrange(6)))


def _deep(rng: random.Random) -> bytes:
    depth = rng.choice((10, 500, 1300, 4000, 100_000))
    return rng.choice(
        (b"[" * depth, b'{"a":' * depth, b'{"transaction": 1, "x": ' + b"[" * depth + b"]" * depth + b"}")
    )


def _number(rng: random.Random) -> bytes:
    numbers = (
        "1e999",
        "-1e999",
        "NaN",
        "nan",
        "inf",
        "-Infinity",
        "9" * 400,
        "0x1",
        "1_0",
        "٣",
        "²",
        "1e-400",
        "-0",
        "0.5.",
        "00.1",
    )
    one = rng.choice(numbers).encode()
    return rng.choice((one, b'{"transaction": ' + one + b"}", b"[" + one + b"]"))


def _wrong_type(rng: random.Random) -> bytes:
    values: list[Any] = [None, True, 1.5, "text", [], {}, [1, 2], {"v": 1}, {"Transaction": 1}]
    values += [{"transaction": one} for one in values]
    return json.dumps(rng.choice(values)).encode()


def _large(rng: random.Random) -> bytes:
    size = rng.choice((4097, 15_000, 60_000, 1_000_000))
    return rng.choice((b"O" * size, b'{"transaction": "' + b"x" * size + b'"}', b" " * size, b"1" * size))


_PAYLOADS: list[tuple[Callable[[random.Random], bytes], int]] = [
    (lambda rng: rng.randbytes(rng.randrange(100)), 20),
    (_pieces, 30),
    (_deep, 5),
    (_number, 20),
    (_wrong_type, 20),
    (_large, 2),
    (lambda _: b"", 3),
]
