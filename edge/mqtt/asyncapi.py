"""The wire contract as an AsyncAPI 3 document, from the view of the sensor.

It is made from the table of topics, the Structs of the payloads, the settings and the requests.
"""

from typing import Any, Final

import msgspec

from edge.config.settings import NUMBER, SETTINGS, is_switch, limits_of
from edge.mqtt.answers import ANSWERS
from edge.mqtt.commands import KINDS, REQUESTS
from edge.mqtt.messages import SCHEMA_VERSION
from edge.mqtt.topics import CHANNELS, MISSED_HEARTBEATS, PAYLOADS, Topics
from edge.rules.values import EVENT_TYPES

VERSION: Final = "3.0.0"
BINDING: Final = {"bindingVersion": "0.2.0"}  # of mqtt
ON_OFF: Final = {"type": "string", "enum": ["ON", "OFF"]}
PLACE: Final = Topics("{base_topic}", "{device_id}")
LOGINS: Final = [{"$ref": "#/components/securitySchemes/login"}, {"$ref": "#/components/securitySchemes/certificate"}]
REF: Final = "#/components/schemas/{name}"
DESCRIPTION: Final = (
    "An edge-pose sensor publishes the people that its camera sees, and takes settings and requests. `docs/mqtt.md` "
    "explains the messages. Fields may be added to the payloads, so ignore fields that you do not know. `null` means "
    "unknown or none, never 0."
)


def document() -> dict[str, Any]:
    """The document; each call gives the same one."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "edge-pose",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": "mqtt"}],
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server("mqtt", 1883), "broker_with_tls": _server("secure-mqtt", 8883)},
        "channels": {name: _channel(name) for name in CHANNELS},
        "operations": {name: _operation(name) for name in CHANNELS},
        "components": {
            "schemas": _schemas(),
            "parameters": _parameters(),
            "securitySchemes": {
                "login": {"type": "userPassword", "description": "as the broker requires it"},
                "certificate": {"type": "X509", "description": "if the broker requires a client certificate"},
            },
        },
    }


def text_schemas(channel: str) -> dict[str, dict[str, Any]]:
    """The schemas of messages that are plain text, by the name of the message."""
    if channel == "status":
        return {channel: {"type": "string", "enum": ["online", "offline"]}}
    return {name: _setting(name, sent=channel == "setting") for name in SETTINGS}


def _setting(name: str, *, sent: bool) -> dict[str, Any]:
    about = {"description": f"as {SETTINGS[name]} in the configuration"}
    if is_switch(name):
        return ON_OFF | about if sent else {"type": "string", "pattern": "^([Oo][Nn]|[Oo][Ff][Ff])$"} | about
    low, high = limits_of(name)
    about["description"] += f": a number from {low:g} to {high:g}"
    limits = {"x-minimum": low, "x-maximum": high}  # of the number that the text means
    return {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$" if sent else f"^{NUMBER}$"} | about | limits


def _server(protocol: str, port: int) -> dict[str, Any]:
    will = CHANNELS["status"]
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "protocolVersion": "5",
        "description": "Your broker. With one that refuses MQTT 5, the sensor speaks 3.1.1, and no message expires.",
        "variables": {
            "host": {"description": "mqtt.host in the configuration", "examples": ["192.168.1.10"]},
            "port": {"description": "mqtt.port in the configuration", "default": str(port)},
        },
        "security": LOGINS,
        "bindings": {
            "mqtt": {
                "clientId": "edge-pose-{device_id}",
                "cleanSession": True,
                "lastWill": {"topic": PLACE.status, "qos": will.qos, "message": "offline", "retain": will.retain},
                "keepAlive": 30,
            }
            | BINDING
        },
    }


def _channel(name: str) -> dict[str, Any]:
    channel = CHANNELS[name]
    parameters = ["base_topic", "device_id"]
    parameters += [one for one in ("rule", "setting", "request") if f"{{{one}}}" in channel.topic]
    return {
        "address": f"{PLACE.root}/{channel.topic}",
        "title": channel.topic,
        "description": channel.summary,
        "messages": _messages(name),
        "parameters": {one: {"$ref": f"#/components/parameters/{one}"} for one in parameters},
    }


def _messages(name: str) -> dict[str, dict[str, Any]]:
    channel = CHANNELS[name]
    if channel.payload:
        messages = {name: _json_message(name, channel.summary, channel.payload)}
        for request, answer in ANSWERS.items() if name == "response" else ():
            one = f"response_{request}"
            messages[one] = _json_message(one, f"The answer to request/{request}.", answer)
        return messages
    if name == "snapshot":
        return {name: _message(name, channel.summary, "image/png", {"type": "string", "format": "binary"})}
    return {one: _message(one, channel.summary, "text/plain", schema) for one, schema in text_schemas(name).items()}


def _json_message(name: str, summary: str, payload: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([payload], ref_template=REF)
    return _message(name, summary, "application/json", schema)


def _message(name: str, summary: str, content_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "title": name, "summary": summary, "contentType": content_type, "payload": payload}


def _operation(name: str) -> dict[str, Any]:
    channel = CHANNELS[name]
    received = name in KINDS
    binding: dict[str, Any] = {"qos": channel.qos, "retain": channel.retain}
    if channel.expires_unrepeated:
        text = f"s: {MISSED_HEARTBEATS} x mqtt.heartbeat_s of the configuration"
        binding["messageExpiryInterval"] = {"type": "integer", "minimum": 1, "description": text}
    elif channel.expiry_s is not None:
        binding["messageExpiryInterval"] = channel.expiry_s
    operation: dict[str, Any] = {
        "action": "receive" if received else "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "title": f"{'Receive' if received else 'Send'} {channel.topic}",
        "summary": channel.summary,
        "messages": [{"$ref": f"#/channels/{name}/messages/{message}"} for message in _messages(name)],
        "bindings": {"mqtt": binding | BINDING},
    }
    if received:
        operation["reply"] = {
            "channel": {"$ref": "#/channels/response"},
            "messages": [{"$ref": "#/channels/response/messages/response"}],
        }
    return operation


def _parameters() -> dict[str, Any]:
    phases = "; ".join(f"{rule}: {', '.join(types)}" for rule, types in EVENT_TYPES.items())
    requests = " ".join(f"{name}: {text}" for name, text in REQUESTS.items())
    return {
        "base_topic": {"description": "mqtt.base_topic in the configuration", "default": "edge-pose"},
        "device_id": {"description": "device.id in the configuration", "examples": ["hall", "edge-3fa9c1"]},
        "rule": {"description": f"The rule. Its phases in event_type are {phases}.", "enum": [*EVENT_TYPES]},
        "setting": {"description": "The setting.", "enum": [*SETTINGS]},
        "request": {
            "description": f"{requests} Refused settings are answered on `set`, and invalid requests on `request`.",
            "enum": [*REQUESTS, *KINDS],
        },
    }


def _schemas() -> dict[str, Any]:
    """The Structs of the payloads. AsyncAPI has the tuples of JSON Schema draft 7."""
    _, found = msgspec.json.schema_components([*PAYLOADS.values(), *ANSWERS.values()], ref_template=REF)
    return {name: _with_old_tuples(found[name]) for name in sorted(found)}


def _with_old_tuples(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_old_tuples(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    old = {key: _with_old_tuples(value) for key, value in schema.items()}
    if "prefixItems" in old:
        old |= {"items": old.pop("prefixItems"), "additionalItems": False}
    return old
