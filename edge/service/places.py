"""Keep the zones and lines that were drawn on the page across restarts."""

import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.config import Config, Line, Zone
from edge.config.places import same_places, with_places
from edge.errors import ConfigError, RequestError
from edge.system.state_dir import delete_state, set_aside, write_state

log = logging.getLogger(__name__)


class _Places(msgspec.Struct, frozen=True):
    zones: tuple[Zone, ...]
    lines: tuple[Line, ...]


class _Saved(msgspec.Struct, frozen=True):
    v: int
    drawn: _Places
    file: _Places  # of the configuration file when they were drawn; they hold until it has others


@dataclass(frozen=True, slots=True)
class SavedPlaces:
    """The file with the drawn zones and lines of one device."""

    path: Path | None  # None: they are not kept

    def load(self, file: Config) -> Config:
        """`file` with the zones and lines that were drawn, if they still hold for it.

        If they do not, the saved ones are deleted: otherwise they would hold again once the configuration file has the
        places that it had then.
        """
        if self.path is None:
            return file
        try:
            saved = msgspec.json.decode(self.path.read_bytes(), type=_Saved)
        except (FileNotFoundError, NotADirectoryError):
            return file
        except (OSError, ValueError, RecursionError) as exc:  # msgspec's errors are ValueErrors
            self._set_aside(exc)
            return file
        if saved.file == _places_of(file):
            try:
                return with_places(file, saved.drawn.zones, saved.drawn.lines)
            except ConfigError as exc:
                self._set_aside(exc)
                return file
        log.info("the configuration file has other zones or lines now, so those drawn on the page no longer hold")
        self._delete()
        return file

    def save(self, drawn: Config, file: Config) -> None:
        """Keep the zones and lines of `drawn` instead of those of `file`. Raises RequestError, and changes nothing."""
        if self.path is None:
            return
        try:
            if same_places(drawn, file):
                delete_state(self.path)
            else:
                content = msgspec.json.encode(_Saved(1, _places_of(drawn), _places_of(file)))
                write_state(self.path, msgspec.json.format(content))
        except OSError as exc:
            problem = f"zones and lines cannot be saved: {self.path} cannot be written ({exc.strerror})"
            raise RequestError("places", problem, "make its folder writable for the service") from exc

    def _delete(self) -> None:
        assert self.path is not None
        try:
            delete_state(self.path)
        except OSError as exc:
            log.warning("%s cannot be deleted (%s)", self.path, exc.strerror)

    def _set_aside(self, exc: Exception) -> None:
        assert self.path is not None
        kept = set_aside(self.path)
        log.warning("the zones and lines that were drawn on the page cannot be used (%s); see %s", exc, kept)


def _places_of(config: Config) -> _Places:
    return _Places(config.zones, config.lines)
