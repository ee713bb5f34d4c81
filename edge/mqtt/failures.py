"""Why there is no connection to the broker, and what to do. Converts socket errors and MQTT reason codes to data."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.config import Mqtt


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason for not being connected.

    `remedy` contains one `{}` for each configuration key in `keys`, so that a command can print its own option there.
    """

    problem: str
    remedy: str = ""
    keys: tuple[str, ...] = ()

    def advice(self, name_of: Callable[[str], str] = str) -> str:
        """The remedy as text; `name_of` maps a key such as `mqtt.host` to the name to print."""
        return self.remedy.format(*map(name_of, self.keys))

    def text(self, name_of: Callable[[str], str] = str) -> str:
        """Problem and remedy on one line."""
        return "; ".join(filter(None, (self.problem, self.advice(name_of))))

    def __str__(self) -> str:
        return self.text()


# Reason codes of MQTT 5.
UNSUPPORTED_PROTOCOL = 0x84
BAD_LOGIN = 0x86
NOT_AUTHORIZED = 0x87
_KEEPALIVE_TIMEOUT = 0x8D
_SESSION_TAKEN_OVER = 0x8E

# These last until the configuration or the broker is changed.
LOGIN_REFUSED = {
    BAD_LOGIN: Failure(
        "the broker rejects the user name or password", "correct {} and {}", ("mqtt.username", "mqtt.password_file")
    ),
    NOT_AUTHORIZED: Failure(
        "the broker does not authorize this user",
        "correct {}, the password, or the broker's access list",
        ("mqtt.username",),
    ),
}
UNANSWERED = Failure(
    "the broker accepts connections but does not answer",
    "check that {} is the port of an MQTT broker and that the broker is not overloaded",
    ("mqtt.port",),
)
TAKEN_OVER = Failure("another client connected with the same device.id", "give each device its own {}", ("device.id",))
_SEE_LOG = "see the broker's log"
# Raised when a peer without TLS receives a TLS handshake.
_HANDSHAKE_CLOSED = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)


def explain(cause: BaseException, mqtt: Mqtt) -> Failure:
    """The failure behind `cause`, which opening a connection raised."""
    if isinstance(cause, ssl.SSLError) or (mqtt.tls.enabled and isinstance(cause, _HANDSHAKE_CLOSED)):
        return _explain_tls(cause, mqtt.port)
    if isinstance(cause, socket.gaierror):
        return Failure("the host name is unknown", "correct {}", ("mqtt.host",))
    if isinstance(cause, ConnectionRefusedError):
        return Failure("connection refused", "start the broker, or correct {} and {}", ("mqtt.host", "mqtt.port"))
    if isinstance(cause, TimeoutError):
        return Failure("no answer", "check {} and the network", ("mqtt.host",))
    keys = ("mqtt.host", "mqtt.port", "mqtt.tls.enabled")
    return Failure(f"cannot connect ({cause})", "check {}, {} and {}", keys)


def _explain_tls(cause: BaseException, port: int) -> Failure:
    if isinstance(cause, ssl.SSLCertVerificationError):
        problem = f"the broker's certificate is not trusted ({cause.verify_message})"
        return Failure(problem, "correct {} or {}", ("mqtt.tls.ca_file", "mqtt.host"))
    if isinstance(cause, _HANDSHAKE_CLOSED):  # a broker that is overloaded or just starting does this too
        return Failure(
            f"port {port} closed the connection during the TLS handshake",
            "if this persists, set {} to the broker's TLS port, usually 8883",
            ("mqtt.port",),
        )
    if isinstance(cause, ssl.SSLError) and cause.reason != "WRONG_VERSION_NUMBER":
        return Failure(f"TLS failed ({cause.reason})", "check that {} is the broker's TLS port", ("mqtt.port",))
    return Failure(
        f"port {port} does not speak TLS",
        "set {} to the broker's TLS port, usually 8883, or turn {} off",
        ("mqtt.port", "mqtt.tls.enabled"),
    )


def refused(code: int, reason: str, mqtt: Mqtt, *, password_sent: bool) -> Failure:
    """The failure of a CONNECT that the broker answered with the MQTT 5 reason code `code`, called `reason`."""
    failure = LOGIN_REFUSED.get(code, Failure(f"the broker refuses the connection: {reason}", _SEE_LOG))
    if password_sent or not mqtt.username:
        return failure
    return replace(
        failure,
        problem=f"{failure.problem}, and no password was sent",
        remedy=f"{failure.remedy}; write the password into /etc/edge-pose/mqtt_password (for the service and sudo), "
        "or into a file named by {}",
        keys=(*failure.keys, "mqtt.password_file"),
    )


def rejected_at_once(mqtt: Mqtt) -> Failure:
    """The failure of a CONNECT after which the broker closed the connection without an answer."""
    problem = f"the broker on port {mqtt.port} closed the connection at once"
    if mqtt.tls.enabled:
        return Failure(
            f"{problem}, after the TLS handshake",
            "if the broker requires a client certificate, set {} and {}; otherwise check that {} is the port of an "
            "MQTT broker",
            ("mqtt.tls.cert_file", "mqtt.tls.key_file", "mqtt.port"),
        )
    return Failure(
        problem,
        "if that is its TLS port, turn {} on or set {} to the port without TLS; otherwise check that an MQTT broker "
        "listens there",
        ("mqtt.tls.enabled", "mqtt.port"),
    )


def lost(code: int, reason: str, *, ended_by: str, keepalive_s: int, maybe_taken_over: bool) -> Failure:
    """Why an accepted connection ended.

    `code` and `reason` are an MQTT 5 reason code and its name. `ended_by` describes the state of the socket, or is ""
    if the broker sent the reason. `maybe_taken_over`: a client with the same ID may have ended the connection.
    """
    if code == _SESSION_TAKEN_OVER:
        return TAKEN_OVER
    if not ended_by:
        failure = Failure(f"connection lost: the broker ended it ({reason})", _SEE_LOG)
    elif code == _KEEPALIVE_TIMEOUT:
        failure = Failure(f"connection lost: no answer for {keepalive_s} s", "check the broker and the network")
    else:
        failure = Failure(f"connection lost: {ended_by}", _SEE_LOG)
    if not maybe_taken_over:
        return failure
    # MQTT 3.1.1 brokers, and some with MQTT 5, send no reason when another client takes over the ID.
    return replace(
        failure,
        problem=f"{failure.problem} soon after connecting; perhaps {TAKEN_OVER.problem}",
        remedy=TAKEN_OVER.remedy,
        keys=TAKEN_OVER.keys,
    )
