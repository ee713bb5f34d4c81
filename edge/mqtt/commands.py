"""Commands from the broker, and the answers to them.

`set/<setting>` changes a setting; its payload is plain text. `request/<op>` asks for something; its payload is empty or
a JSON object, whose `transaction` comes back in the one answer on `response/<op>`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, UnsetType

from edge.mqtt.messages import SCHEMA_VERSION, Payload

Kind: TypeAlias = Literal["set", "request"]
KINDS: tuple[Kind, ...] = ("set", "request")
Transaction: TypeAlias = str | int | float | bool | None
Data = TypeVar("Data")

# The requests, and what each one does.
REQUESTS = {
    "people": "Answers with the people in view.",
    "snapshot": "Publishes a drawing of the people on `snapshot`.",
    "clear_fall": "Clears all confirmed falls.",
    "restart": "Restarts the service.",
    "ping": "Answers.",
    "reset_settings": "Goes back to the settings, zones and lines of the file; a camera that is off stays off.",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it came: nothing of it has been checked but its length."""

    kind: Kind
    name: str  # the last part of the topic
    payload: bytes


class Request(Payload, frozen=True):
    """The content of a request. An empty payload means the same as `{}`."""

    transaction: Annotated[Transaction, Meta(description="comes back in the answer")] = None


class Response(Payload, Generic[Data], frozen=True):
    v: Literal[1]
    transaction: Annotated[Transaction, Meta(description="as in the request; null without one, and for settings")]
    status: Literal["ok", "error"]
    error: Annotated[str, Meta(description="what is wrong, and what to do")] | UnsetType = UNSET
    data: Annotated[Data | None, Meta(description="the answer; for a refused setting, its name")] = None


def done(transaction: Transaction, data: Any = None) -> Response[Any]:
    return Response(v=SCHEMA_VERSION, transaction=transaction, status="ok", data=data)


def refused(transaction: Transaction, error: str, data: Any = None) -> Response[Any]:
    return Response(v=SCHEMA_VERSION, transaction=transaction, status="error", error=error, data=data)
