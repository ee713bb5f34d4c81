"""TLS for the connection to the broker."""

import ssl

from edge.config import Mqtt
from edge.errors import ConfigError


def tls_context(mqtt: Mqtt) -> ssl.SSLContext:
    """A context with the certificates to trust and to present. Raises ConfigError if they cannot be used."""
    tls = mqtt.tls
    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ValueError) as exc:
        raise ConfigError(
            "mqtt.tls",
            f"the certificates cannot be used ({exc})",
            "ca_file, cert_file and key_file must be PEM files, and the key must match the certificate",
        ) from exc
    return context
