"""Carry out the requests about what the sensor sees, and restart."""

import logging
import threading
from concurrent.futures import Future

from edge.errors import RequestError
from edge.mqtt import messages
from edge.mqtt.answers import ClearedOut, PeopleOut, SnapshotOut, people_out
from edge.pipeline.seams import Update
from edge.service.control import Handler
from edge.service.settings import Settings
from edge.service.snapshots import Snapshots, View
from edge.service.supervisor import Supervisor

log = logging.getLogger(__name__)

# Problem and remedy, by the state of the camera.
UNKNOWN: dict[messages.Camera, tuple[str, str]] = {
    "starting": ("the camera has delivered no frame yet", "try again in a few seconds"),
    "off": ("the camera is switched off", "switch it on with set/enabled"),
    "stalled": ("the camera is silent", "check the camera, and the log of the service"),
    "blind": ("nothing is visible in the picture", "uncover the lens, or switch on a light"),
}


class Requests:
    """A sink that keeps the newest frame, and answers requests about it."""

    def __init__(
        self,
        supervisor: Supervisor,
        snapshots: Snapshots,
        settings: Settings,
        *,
        continuous: bool,
        restart: threading.Event,
    ) -> None:
        """Frames that are not `continuous` have no state. `restart` asks the main loop for a restart."""
        self._supervisor = supervisor
        self._snapshots = snapshots
        self._restart = restart
        self._continuous = continuous
        self._settings = settings
        camera = settings.config.camera
        sideways = camera.rotation % 180 != 0
        self._frame = (camera.height, camera.width) if sideways else (camera.width, camera.height)
        self._newest: Update | None = None

    @property
    def handlers(self) -> dict[str, Handler]:
        return {
            "people": self.people,
            "clear_fall": self.clear_fall,
            "snapshot": self.snapshot,
            "restart": self.restart,
        }

    def publish(self, update: Update) -> None:
        self._newest, self._frame = update, (update.frame.width, update.frame.height)

    def tick(self) -> None:
        """Publish a snapshot if one is due; call this regularly."""
        self._snapshots.tick(self._view())

    def people(self) -> PeopleOut:
        """The people in view. Raises RequestError while the state is unknown."""
        self._check_continuous("people")
        camera = self._supervisor.camera
        if camera != "ok":
            raise RequestError("people", *UNKNOWN[camera])
        assert self._newest
        assert self._newest.outcome.state
        return people_out(self._newest.outcome.state, self._newest.seen)

    def clear_fall(self) -> ClearedOut:
        """Clear all confirmed falls at once. Raises RequestError if the rule is off."""
        self._check_continuous("clear_fall")
        if not self._settings.config.fall.enabled:
            raise RequestError("clear_fall", "falls are switched off", "switch them on with set/fall")
        return ClearedOut(falls=self._supervisor.clear_falls("cleared by request"))

    def snapshot(self) -> "Future[SnapshotOut]":
        return self._snapshots.request(self._view())

    def restart(self) -> None:
        log.info("restarting by request")
        self._restart.set()

    def _check_continuous(self, request: str) -> None:
        if not self._continuous:
            problem = "the pictures of this source need not be related, so there is no state"
            raise RequestError(request, problem, "use a camera or a video")

    def _view(self) -> View:
        camera, config = self._supervisor.camera, self._settings.config
        seen = self._newest.seen if self._newest and camera == "ok" else None
        return View(camera, self._frame, seen, config.zones, config.lines)
