"""How troubles with the broker are told: what is wrong, and which key mends it, with "; " between."""

import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from edge.config import ENV_PREFIX, Config, Mqtt
from edge.config.validation import plain_type

STABLE_S = 10.0  # a connection that held so long was a good one
# Nothing but the owner can mend these; the word says where.
LOGIN_REFUSED = {
    0x86: "the broker refuses the user name or password; mend mqtt.username and mqtt.password_file",
    0x87: "the broker does not let this user in; mend mqtt.username, the password, or the broker's access list",
}
# Who is shown TLS and does not know it.
_HANGS_UP = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_SESSION_TAKEN_OVER = 0x8E


def explain(cause: BaseException | None, mqtt: Mqtt) -> str:
    """Why there is no connection; `cause` is what was raised when one was to be opened."""
    if isinstance(cause, ssl.SSLError) or (mqtt.tls.enabled and isinstance(cause, _HANGS_UP)):
        return _explain_tls(cause, mqtt)
    if isinstance(cause, socket.gaierror):
        return "there is no host of that name; mend mqtt.host"
    if isinstance(cause, ConnectionRefusedError):
        return "nobody listens there; start the broker, or mend mqtt.host and mqtt.port"
    if isinstance(cause, TimeoutError):
        return "no answer; check mqtt.host and the network"
    return f"cannot connect ({cause}); check mqtt.host, mqtt.port and mqtt.tls.enabled"


def _explain_tls(cause: BaseException, mqtt: Mqtt) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message}); mend mqtt.tls.ca_file or mqtt.host"
    if isinstance(cause, ssl.SSLError) and cause.reason != "WRONG_VERSION_NUMBER" and not isinstance(cause, _HANGS_UP):
        return f"TLS failed ({cause.reason}); is mqtt.port = {mqtt.port} the TLS port?"
    if isinstance(cause, _HANGS_UP):  # it may also be overloaded, or just starting
        return ("the other end hung up while TLS was agreed on; if it goes on, see that "
                f"mqtt.port = {mqtt.port} is the broker's port for TLS, which most often is 8883")  # fmt: skip
    return (f"the other end does not speak TLS; set mqtt.port = {mqtt.port} to the broker's port for TLS, which most "
            "often is 8883, or mqtt.tls.enabled = false")  # fmt: skip


def hung_up(mqtt: Mqtt) -> str:
    """What it means that the other end hangs up as soon as we say who we are."""
    if mqtt.tls.enabled:
        return ("the broker closed the connection at once, but not before TLS was agreed on; if it asks for a "
                "certificate, name one in mqtt.tls.cert_file and mqtt.tls.key_file; else see that an MQTT broker "
                f"listens at mqtt.port = {mqtt.port}")  # fmt: skip
    return (f"the broker closed the connection at once; if mqtt.port = {mqtt.port} is its port for TLS, set "
            "mqtt.tls.enabled = true, or mqtt.port to the one without; else see that an MQTT broker "
            "listens there")  # fmt: skip


def lost(reason: Any, held_s: float, *, named: bool) -> str:
    """Why a connection ended that was there for so long; `reason` is paho's, `named` whether we have an id of ours."""
    twin = "another client connected with the same device.id; give each device its own"
    if reason.value == _SESSION_TAKEN_OVER:
        return twin
    # MQTT 3.1.1, and some brokers with MQTT 5, hang up without a word when that happens.
    hint = f"; soon after connecting: perhaps {twin}" if named and held_s < STABLE_S else ""
    return f"connection lost: {reason}{hint}"


def for_command_line(problem: str, options: Mapping[str, str], *, file: bool) -> str:
    """A problem as who typed `options` can mend it, key -> option; other keys are variables where there is no file."""

    def named(key: re.Match[str]) -> str:
        if plain_type(Config, key[0].split(".")) is None:  # a host may be called mqtt.home
            return key[0]
        return options.get(key[0]) or (key[0] if file else ENV_PREFIX + key[0].upper().replace(".", "__"))

    return re.sub(r"\bmqtt\.[a-z_.]*[a-z]", named, problem)
