"""A real Home Assistant in another process, to be started, restarted, asked and commanded."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException

from tests.homeassistant.api import Api, ApiError
from tests.homeassistant.folder import Folder
from tests.homeassistant.log import Record, parse_log
from tests.support.waiting import LONG_S, until

EVENTS = ("state_changed", "call_service", "homeassistant_started")
START_LIMIT_S = 120.0
FLUSHED = "the tests have read the log up to here"


@dataclass(frozen=True, slots=True)
class Entity:
    """An entry of the entity registry with the present state, which is None while the entity is disabled."""

    entity_id: str
    unique_id: str
    name: str | None
    category: str | None  # "config" or "diagnostic"
    device_class: str | None
    disabled_by: str | None
    state: str | None
    attributes: dict[str, Any]


@dataclass
class HomeAssistant:
    """The program `hass` with a configuration folder. Events are handled while one of the methods runs."""

    program: Path
    folder: Folder
    states: dict[str, dict[str, Any]] = field(default_factory=dict)  # entity ID -> state, attributes and times
    events: list[dict[str, Any]] = field(default_factory=list)  # of the types in EVENTS, since the last start
    _process: "subprocess.Popen[bytes] | None" = None
    _api: Api | None = None

    @property
    def api(self) -> Api:
        assert self._api is not None, "Home Assistant does not run"
        return self._api

    @property
    def is_running(self) -> bool:
        return self._api is not None

    def start(self) -> "HomeAssistant":
        """Start it, and wait until all its integrations are set up."""
        command = [str(self.program), "--config", str(self.folder.path), "--skip-pip", "--log-no-color"]
        with self.folder.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.events.clear()
        until(self._connects, START_LIMIT_S)
        for event in EVENTS:
            self.api.ask("subscribe_events", event_type=event)
        if self.api.ask("get_config")["state"] != "RUNNING":
            self.wait_for(lambda: self.events_of("homeassistant_started"), START_LIMIT_S)
        with suppress(ApiError):  # newer versions go back to another port unless this is confirmed within 5 minutes
            self.api.ask("http/config/promote")
        self.states = {state["entity_id"]: state for state in self.api.ask("get_states")}
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it as a shutdown of the machine does or, with SIGKILL, a power failure."""
        if self._api is not None:
            self._api.close()
            self._api = None
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(LONG_S)
            finally:
                self._process.kill()
                self._process = None

    def wait_for(self, condition: Callable[[], object], timeout_s: float = LONG_S) -> None:
        """Handle events until the condition holds. Raises AssertionError if it does not within `timeout_s`."""
        self.api.wait_for(condition, timeout_s)

    def state(self, entity_id: str) -> str | None:
        """The present state of an entity, or None if it has none."""
        return self.states[entity_id]["state"] if entity_id in self.states else None

    def wait_for_state(self, entity_id: str, *wanted: str | None, timeout_s: float = LONG_S) -> None:
        """Wait until an entity has one of these states; None means that it has no state."""
        try:
            self.wait_for(lambda: self.state(entity_id) in wanted, timeout_s)
        except AssertionError as exc:
            exc.add_note(f"{entity_id} is {self.state(entity_id)}, not {wanted}; the log: {self.log()}")
            raise

    def history(self, entity_id: str) -> list[dict[str, Any]]:
        """The states that an entity got since the last start, with attributes and times."""
        changes = [event["new_state"] for event in self.events_of("state_changed") if event["entity_id"] == entity_id]
        return [state for state in changes if state is not None]

    def device(self, identifier: str) -> dict[str, Any] | None:
        """The entry of the device registry for an MQTT device, or None."""
        devices: list[dict[str, Any]] = self.api.ask("config/device_registry/list")
        return next((one for one in devices if ["mqtt", identifier] in one["identifiers"]), None)

    def entities(self, identifier: str) -> dict[str, Entity]:
        """All entities of an MQTT device, also the disabled ones: entity ID -> entity."""
        device = self.device(identifier)
        if device is None:
            return {}
        entries = self.api.ask("config/entity_registry/list")
        ids = [entry["entity_id"] for entry in entries if entry["device_id"] == device["id"]]
        details = self.api.ask("config/entity_registry/get_entries", entity_ids=ids)
        return {entity_id: self._entity(details[entity_id]) for entity_id in ids}

    def call(self, action: str, entity_id: str = "", **data: Any) -> None:
        """Perform an action such as "switch.turn_on", and wait for its end."""
        domain, service = action.split(".")
        target = {"entity_id": entity_id} if entity_id else {}
        self.api.ask("call_service", domain=domain, service=service, target=target, service_data=data)

    def calls(self, action: str) -> list[dict[str, Any]]:
        """The data of each call of an action, by an automation or a test, since the last start."""
        calls = self.events_of("call_service")
        return [call["service_data"] for call in calls if f"{call['domain']}.{call['service']}" == action]

    def events_of(self, kind: str) -> list[dict[str, Any]]:
        """The data of all events of one of the types in EVENTS since the last start."""
        return [event["data"] for event in self.events if event["event_type"] == kind]

    def load_automations(self, yaml: str) -> None:
        """Replace all automations by a YAML list of some."""
        self.folder.automations.write_text(yaml, encoding="utf-8")
        self.call("automation.reload")

    def add_blueprint(self, path: Path) -> None:
        """Import an automation's blueprint. Automations use it as `edge-pose/<file name>`."""
        shutil.copy(path, self.folder.blueprints)
        listed = self.api.ask("blueprint/list", domain="automation")
        assert "metadata" in listed[f"edge-pose/{path.name}"], listed

    def log(self, start: int = 0) -> list[Record]:
        """The warnings and errors in the log from a byte on. Waits for all that has been logged until now."""
        if self.is_running:
            count = self._read_log(0).count(FLUSHED)
            self.call("system_log.write", message=FLUSHED, level="warning")
            until(lambda: self._read_log(0).count(FLUSHED) > count)
        return [record for record in parse_log(self._read_log(start)) if FLUSHED not in record.text]

    def issues(self) -> list[str]:
        """The problems that Home Assistant shows its user under "Repairs", such as "mqtt.protocol_5_migration"."""
        return [f"{issue['domain']}.{issue['issue_id']}" for issue in self.api.ask("repairs/list_issues")["issues"]]

    def _connects(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._read_log(0)
        with suppress(OSError, WebSocketException):
            self._api = Api(self.folder.port, self.folder.token, self._handle)
        return self._api is not None

    def _handle(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        if event["event_type"] == "state_changed":
            entity_id, state = event["data"]["entity_id"], event["data"]["new_state"]
            if state is None:
                self.states.pop(entity_id, None)
            else:
                self.states[entity_id] = state

    def _entity(self, entry: dict[str, Any]) -> Entity:
        state = self.states.get(entry["entity_id"], {})
        return Entity(
            entity_id=entry["entity_id"],
            unique_id=entry["unique_id"],
            name=entry["name"] or entry["original_name"],
            category=entry["entity_category"],
            device_class=entry["device_class"] or entry["original_device_class"],
            disabled_by=entry["disabled_by"],
            state=state.get("state"),
            attributes=state.get("attributes", {}),
        )

    def _read_log(self, start: int) -> str:
        with self.folder.log.open("rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", errors="replace")
