"""The sensor as Home Assistant knows it: the daemon, and its entities."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.homeassistant.home_assistant import HomeAssistant
from tests.support.brokers import LOOPBACK, Mosquitto
from tests.support.sensor import Sensor, run_edge, sensor
from tests.support.waiting import LONG_S

# Messages at a heartbeat must not wait for a minute. The scenes are painted in a quarter of the pixels.
SETTINGS = {"mqtt.heartbeat_s": 1, "camera.width": 320, "camera.height": 240}


@dataclass
class Device:
    """A device of its own for one test. Its entities are called by platform and name, such as "switch.detection"."""

    id: str
    home_assistant: HomeAssistant
    broker: Mosquitto
    folder: Path
    config: str = ""  # the configuration file
    _daemons: ExitStack = field(default_factory=ExitStack)

    def start(self, scene: str, settings: Mapping[str, object] | None = None) -> Sensor:
        """Start the daemon on a painted scene. Its state directory is that of the last start."""
        path = self.folder / "edge-pose.toml"
        path.write_text(self.config, encoding="utf-8")
        ours = {"device.id": self.id, "device.name": self.id, "camera.source": f"synthetic:{scene}"}
        environ = {"STATE_DIRECTORY": str(self.folder / "state")}
        settings = SETTINGS | ours | dict(settings or {})
        return self._daemons.enter_context(sensor(self.folder, self.broker.port, settings, environ, config=path))

    def entity_id(self, name: str) -> str:
        platform, _, rest = name.partition(".")
        return f"{platform}.{self.id}_{rest}"

    def state(self, name: str) -> str | None:
        """The state of an entity, or None if it has none."""
        return self.home_assistant.state(self.entity_id(name))

    def wait_for(self, name: str, *states: str | None, timeout_s: float = LONG_S) -> None:
        """Wait until an entity has one of these states."""
        self.home_assistant.wait_for_state(self.entity_id(name), *states, timeout_s=timeout_s)

    def call(self, action: str, name: str, **data: Any) -> None:
        """Perform an action with an entity."""
        self.home_assistant.call(action, self.entity_id(name), **data)

    def history(self, name: str) -> list[dict[str, Any]]:
        """The states that an entity got since Home Assistant's start."""
        return self.home_assistant.history(self.entity_id(name))

    def wait_for_event(self, name: str, event_type: str) -> dict[str, Any]:
        """Wait until an event entity such as "event.fall" has had an event of this type; returns its attributes."""

        def found() -> list[dict[str, Any]]:
            attributes = [state["attributes"] for state in self.history(name)]
            return [one for one in attributes if one.get("event_type") == event_type]

        self.home_assistant.wait_for(found)
        return found()[-1]

    def stop(self) -> None:
        """Kill the daemon if it runs."""
        self._daemons.close()

    def remove(self) -> None:
        """Remove the device with `edge-pose homeassistant remove`, and wait until Home Assistant has removed it."""
        broker = {"EDGE_POSE_MQTT__HOST": LOOPBACK, "EDGE_POSE_MQTT__PORT": str(self.broker.port)}
        ran = run_edge("homeassistant", "remove", "--config", os.devnull, "--device", self.id, environ=broker)
        assert ran.returncode == 0, ran.stderr
        self.home_assistant.wait_for(lambda: self.home_assistant.device(self.id) is None)
