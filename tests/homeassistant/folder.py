"""Home Assistant's configuration folder: connected to a broker, past its first steps, and with a token of ours."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.brokers import LOOPBACK

# What the automations of our documentation need besides the sensor: a lamp, and a phone that gets notifications.
CONFIGURATION = """\
homeassistant:
  name: Home
  country: GB
  time_zone: UTC
  unit_system: metric
  latitude: 51.5
  longitude: 0.0
  elevation: 10
http:
  server_host: {host}
  server_port: {port}
automation: !include automations.yaml
input_boolean:
  lamp:
template:
  - light:
      - name: Lamp
        state: "{{{{ is_state('input_boolean.lamp', 'on') }}}}"
        turn_on: {{action: input_boolean.turn_on, target: {{entity_id: input_boolean.lamp}}}}
        turn_off: {{action: input_boolean.turn_off, target: {{entity_id: input_boolean.lamp}}}}
notify:
  - platform: group
    name: mobile_app_phone
    services: [{{action: persistent_notification}}]
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """A configuration folder. Home Assistant listens on `port`, and accepts `token`."""

    path: Path
    port: int
    token: str

    @property
    def log(self) -> Path:
        """The log of all starts."""
        return self.path / "output.log"

    @property
    def automations(self) -> Path:
        return self.path / "automations.yaml"

    @property
    def blueprints(self) -> Path:
        """The folder of the blueprints that automations name as `edge-pose/<file>`."""
        return self.path / "blueprints/automation/edge-pose"


def make_folder(path: Path, port: int, broker_port: int, login: tuple[str, str]) -> Folder:
    """Write a configuration whose only integration is MQTT; `login` is user name and password."""
    key = secrets.token_hex()
    folder = Folder(path, port, _token(key))
    folder.blueprints.mkdir(parents=True)
    folder.automations.write_text("[]\n", encoding="utf-8")
    (path / "configuration.yaml").write_text(CONFIGURATION.format(host=LOOPBACK, port=port), encoding="utf-8")
    (path / ".storage").mkdir()
    _store(path, "auth", 1, _owner(key))
    _store(path, "onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]})
    _store(path, "core.config_entries", 1, {"entries": [_mqtt_entry(broker_port, *login)]})
    return folder


def _store(path: Path, name: str, version: int, data: dict[str, Any]) -> None:
    """Write a file of Home Assistant's own storage. A newer Home Assistant converts an older version."""
    content = {"version": version, "minor_version": 1, "key": name, "data": data}
    (path / ".storage" / name).write_text(json.dumps(content), encoding="utf-8")


def _owner(key: str) -> dict[str, Any]:
    """A user, and a token of that user which `key` signs."""
    user = {
        "id": "owner", "group_ids": ["system-admin"], "is_owner": True, "is_active": True, "name": "Tests",
        "system_generated": False, "local_only": False,
    }  # fmt: skip
    token = {
        "id": "tests", "user_id": "owner", "client_id": None, "client_name": "tests", "client_icon": None,
        "token_type": "long_lived_access_token", "created_at": "2026-01-01T00:00:00+00:00",
        "access_token_expiration": 86400.0, "token": secrets.token_hex(), "jwt_key": key,
    }  # fmt: skip
    group = {"id": "system-admin", "name": "Administrators"}
    return {"users": [user], "groups": [group], "credentials": [], "refresh_tokens": [token]}


def _token(key: str) -> str:
    """The JSON Web Token that belongs to the token of `_owner`."""
    now = int(time.time())
    claims = {"iss": "tests", "iat": now, "exp": now + 86400}
    signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + _base64(hmac.digest(key.encode(), signed, hashlib.sha256))).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _mqtt_entry(broker_port: int, username: str, password: str) -> dict[str, Any]:
    data = {
        "broker": LOOPBACK, "port": broker_port, "protocol": "5", "username": username, "password": password,
        "discovery": True, "discovery_prefix": "homeassistant",
    }  # fmt: skip
    return {
        "entry_id": "mqtt", "version": 1, "minor_version": 1, "domain": "mqtt", "title": "Broker", "data": data,
        "options": {}, "pref_disable_new_entities": False, "pref_disable_polling": False, "source": "user",
        "unique_id": None, "disabled_by": None,
    }  # fmt: skip
