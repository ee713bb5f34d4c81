"""What was announced last, across restarts: entities that are gone must be deleted in Home Assistant."""

import logging
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from edge.homeassistant.entities import Platform
from edge.system.state_dir import set_aside, write_state

log = logging.getLogger(__name__)


class Announced(Struct, frozen=True, forbid_unknown_fields=True):
    """An announcement: its topic, and the platform of each entity by key."""

    topic: Annotated[str, Meta(pattern=r"^[^+#\x00]+$")]
    entities: dict[Annotated[str, Meta(pattern="^[a-z0-9_]+$")], Platform]


class Memory:
    """A file with the last announcement."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: Announced | None = None  # in the file

    def read(self) -> Announced | None:
        """The last announcement; None if there was none, or if the file cannot be used."""
        try:
            self._last = msgspec.json.decode(self._path.read_bytes(), type=Announced)
        except FileNotFoundError:
            return None
        except OSError as exc:
            log.warning("cannot read %s (%s); entities that are gone stay in Home Assistant", self._path, exc.strerror)
        except (msgspec.DecodeError, UnicodeDecodeError):
            log.warning("%s is damaged; see %s", self._path, set_aside(self._path))
        return self._last

    def write(self, announced: Announced | None) -> None:
        """Keep the announcement; None deletes it."""
        if announced == self._last:
            return
        try:
            if announced is None:
                self._path.unlink(missing_ok=True)
            else:
                write_state(self._path, msgspec.json.encode(announced))
        except OSError as exc:
            log.warning("cannot write %s (%s)", self._path, exc.strerror)
        self._last = announced
