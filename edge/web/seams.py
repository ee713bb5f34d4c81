"""What the page needs from the sensor, and the values that pass between them."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from edge.config import Line, Zone
from edge.mqtt.messages import Health, Info


class Render(Protocol):
    """Makes the text of /metrics. `info` is None before the sensor has published it."""

    def __call__(self, health: Health, info: Info | None, *, connected: bool) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Places:
    """The zones and lines in force."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    changed: bool = False  # whether they differ from those of the configuration file


@dataclass(frozen=True, slots=True)
class Pictures:
    """Whether the page may show pictures, and whether a viewer sees them now."""

    allowed: bool = False
    watched: bool = False


class Sensor(Protocol):
    """The sensor, as the thread of the page sees it. No method waits.

    The work behind a Future is done in the main thread between two frames. Every method may raise EdgeError, also
    through its Future.
    """

    @property
    def connected(self) -> bool: ...  # to the broker
    def set(self, name: str, text: str) -> "Future[None]": ...  # a setting, as `set/<name>` over MQTT
    def request(self, name: str) -> "Future[Any]": ...  # as `request/<name>` over MQTT; the result is the `data`
    # When these two are done, the feed has the places that are then in force.
    def use_places(self, zones: tuple[Zone, ...], lines: tuple[Line, ...]) -> "Future[None]": ...
    def reset_places(self) -> "Future[None]": ...  # back to those of the configuration file
    def health(self) -> "Future[Health]": ...
    def limits(self) -> Mapping[str, tuple[float, float]]: ...  # of the settings that are numbers, by name
    def open_pictures(self) -> str: ...  # a token for two minutes of pictures
    def close_pictures(self, token: str) -> None: ...  # does nothing if they are over

    def picture(self, token: str, after: int) -> tuple[int, bytes] | None:
        """The newest picture: the number of its frame, and a JPEG. None if it is not newer than frame `after`.

        Raises EdgeError if the pictures of this token are over.
        """
