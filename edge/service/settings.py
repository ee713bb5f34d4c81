"""What is in force: the configuration file, zones and lines from the page, and settings that were changed."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.config import Config, Line, Zone
from edge.config.places import same_places, with_places
from edge.config.settings import SETTINGS, Value, parse, value_of, with_values
from edge.errors import ConfigError, RequestError
from edge.service.allowance import Allowance
from edge.service.places import SavedPlaces
from edge.system.state_dir import set_aside, write_state

log = logging.getLogger(__name__)

SAVE_S = 1.0
# So many changes of zones and lines are saved at once, and then one per PLACES_REFILL_S.
PLACES_BURST, PLACES_REFILL_S = 10, 2.0


class Override(msgspec.Struct, frozen=True):
    """A changed setting. It holds until the file says something else than it did then."""

    value: bool | float
    file: bool | float


class _Saved(msgspec.Struct, frozen=True):
    v: int
    settings: dict[str, Override]


@dataclass(frozen=True, slots=True)
class Overrides:
    """The changed settings of one device, and the file that keeps them across restarts."""

    path: Path | None  # None: they are not kept

    def load(self, config: Config) -> tuple[dict[str, Override], bool]:
        """Those that still hold for this configuration, and whether the file has others, which must be deleted.

        Otherwise they would hold again once the configuration says what it said then.
        """
        if self.path is None:
            return {}, False
        try:
            saved = msgspec.json.decode(self.path.read_bytes(), type=_Saved)
        except FileNotFoundError:
            return {}, False
        except (OSError, msgspec.DecodeError, RecursionError) as exc:
            log.warning("the saved settings cannot be used (%s); see %s", exc, set_aside(self.path))
            return {}, False
        found: dict[str, Override] = {}
        for name, override in saved.settings.items():
            if name not in SETTINGS or value_of(config, name) != override.file:
                continue
            try:
                with_values(config, {name: override.value})
            except ConfigError as exc:
                log.warning("the setting %s of %s is dropped: %s", name, self.path, exc.text)
            else:
                found[name] = override
        return found, found != saved.settings

    def save(self, overrides: Mapping[str, Override]) -> None:
        """Raises OSError."""
        if self.path is not None:
            write_state(self.path, msgspec.json.format(msgspec.json.encode(_Saved(1, dict(overrides)))))


class Settings:
    """Changes settings, zones and lines, and calls `changed` with the configuration that was in force before.

    `file` is the configuration file, `basis` has the zones and lines in force, and `config` the settings, too.
    """

    def __init__(
        self,
        file: Config,
        overrides: Overrides,
        places: SavedPlaces | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without `places`, zones and lines are not kept."""
        self.file = file
        self._monotonic = monotonic
        self._store = overrides
        self._places = places or SavedPlaces(None)
        self._drawn = Allowance(PLACES_BURST, PLACES_REFILL_S, monotonic())
        self._unwritable = False
        self._saved_s = float("-inf")
        self._overrides, self._unsaved = overrides.load(file)
        self.tick()
        self.basis = self._places.load(file)
        self.config = self._in_force()
        self.camera_off: Callable[[], None] = lambda: None  # called first, because saving may take a second
        self.changed: Callable[[Config], None] = lambda _before: None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(SETTINGS)

    @property
    def overrides(self) -> dict[str, Value]:
        """The settings that differ from the file."""
        return {name: override.value for name, override in self._overrides.items()}

    @property
    def places_changed(self) -> bool:
        """Whether zones and lines differ from the file."""
        return not same_places(self.basis, self.file)

    def checked(self, name: str, text: str) -> Value:
        """The value that a text means for a setting. Raises ConfigError."""
        value = parse(name, text)
        with_values(self.config, {name: value})
        return value

    def set(self, name: str, text: str) -> None:
        """Change a setting. Raises ConfigError, and changes nothing then."""
        value, before = self.checked(name, text), value_of(self.file, name)
        changed = {key: one for key, one in self._overrides.items() if key != name}
        self._use(changed if value == before else changed | {name: Override(value, before)}, self.basis)

    def use_places(self, zones: Iterable[Zone], lines: Iterable[Line]) -> None:
        """Save these zones and lines, and then use them. Raises EdgeError, and changes nothing then."""
        zones, lines = tuple(zones), tuple(lines)
        if (zones, lines) == (self.basis.zones, self.basis.lines):
            return
        if not self._drawn.take(self._monotonic()):  # saving wears out SD cards, and checking many corners takes time
            raise RequestError("places", "zones and lines were changed too often", "try again in a few seconds")
        basis = with_places(self.file, zones, lines)
        self._places.save(basis, self.file)
        self._use(self._overrides, basis)

    def reset_places(self) -> None:
        """Go back to the zones and lines of the file. Raises RequestError, and changes nothing then."""
        if self.places_changed:
            self._places.save(self.file, self.file)
            self._use(self._overrides, self.file)

    def reset(self) -> None:
        """Go back to the file; but a camera that was switched off stays off. Raises RequestError as `reset_places`."""
        kept = {
            name: override
            for name, override in self._overrides.items()
            if name == "enabled" and override.value is False
        }
        if self.places_changed:
            self._places.save(self.file, self.file)
        self._use(kept, self.file)

    def tick(self) -> None:
        """Save changes, at most once per SAVE_S, because that wears out SD cards; call this regularly."""
        if self._unsaved and self._monotonic() - self._saved_s >= SAVE_S:
            self.save()

    def save(self) -> None:
        """Save changes now."""
        if not self._unsaved:
            return
        self._saved_s = self._monotonic()
        try:
            self._store.save(self._overrides)
        except OSError as exc:
            if not self._unwritable:
                path = self._store.path
                log.warning("settings will not outlast a restart: %s cannot be written (%s)", path, exc.strerror)
            self._unwritable = True
        else:
            self._unsaved = self._unwritable = False

    def _use(self, overrides: dict[str, Override], basis: Config) -> None:
        if overrides == self._overrides and same_places(basis, self.basis):
            return
        before = self.config
        self._unsaved = self._unsaved or overrides != self._overrides
        self._overrides, self.basis = overrides, basis
        self.config = self._in_force()
        if before.camera.enabled and not self.config.camera.enabled:
            self.camera_off()
            self.save()  # before `changed` reports it: it must outlast even a crash in the next second
        self.tick()
        self.changed(before)

    def _in_force(self) -> Config:
        return with_values(self.basis, self.overrides)
