"""Show pictures on the page, for two minutes at a time. Only this module copies frames for viewers."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.errors import RequestError
from edge.types import Frame, Image

log = logging.getLogger(__name__)

WATCHED_S = 120.0
PERIOD_S = 0.2  # between two pictures
WIDTH_PX = 640  # of a picture, at most
MAX_VIEWERS = 20


@dataclass(slots=True, eq=False)
class _Picture:
    """A reduced copy of a frame."""

    sequence: int
    image: Image
    jpeg: bytes | None = None


class Shutter:
    """Copies pictures while a viewer watches them, and drops them otherwise.

    The inference thread calls `see`, the main thread `tick`, `show` and `switch`, the thread of the page the rest.
    """

    def __init__(
        self,
        encode: Callable[[Image], bytes],
        *,
        mirror: bool,
        on: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`encode` makes a JPEG. With `mirror`, pictures are shown as in a mirror. `on`: whether the camera is on."""
        self._encode = encode
        self._mirror = mirror
        self._monotonic = monotonic
        self.changed: Callable[[bool], None] = lambda _watched: None  # called by `show`
        self._lock = threading.Lock()  # guards the rest
        self._ends_s: dict[str, float] = {}  # by token; those that are over are removed by `tick`
        self._on = on
        self._shown = False  # whether `health` says that pictures are watched: none is copied before
        self._next_s = float("-inf")  # when the next frame is copied
        self._picture: _Picture | None = None

    @property
    def watched(self) -> bool:
        """Whether a viewer may see pictures now."""
        with self._lock:
            return self._is_watched()

    def open(self) -> str:
        """A token for WATCHED_S of pictures, which begin with the next call of `show`. Raises RequestError."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            if not self._on:
                raise RequestError("pictures", "the camera is switched off", "switch it on first")
            self._forget()
            while len(self._ends_s) >= MAX_VIEWERS:
                del self._ends_s[next(iter(self._ends_s))]
            self._ends_s[token] = self._monotonic() + WATCHED_S
        return token

    def close(self, token: str) -> None:
        """End the pictures of a token. Does nothing if they are over."""
        with self._lock:
            self._ends_s.pop(token, None)
            self._forget()

    def switch(self, *, on: bool) -> None:
        """Note that the camera is switched on or off. Without it, the pictures of all viewers end."""
        with self._lock:
            self._on = on
            if not on:
                self._ends_s = {}
                self._forget()

    def show(self, *, watched: bool) -> None:
        """Note that `health` now says whether pictures are watched; this is also logged."""
        if watched == self._shown:
            return
        with self._lock:
            self._shown = watched
        log.info("the page %s the camera's picture", "shows" if watched else "no longer shows")
        self.changed(watched)

    def tick(self) -> None:
        """Drop the picture when the time of all viewers is over; call this regularly, also without frames."""
        if self._ends_s:
            with self._lock:
                self._forget()

    def see(self, frame: Frame) -> None:
        """Copy a frame, if it is watched and the last copy is old enough."""
        if not self._ends_s:  # nearly always
            return
        with self._lock:
            now_s = self._monotonic()
            if not self._shown or now_s < self._next_s or not self._is_watched():
                return
            step = -(-frame.image.shape[1] // WIDTH_PX)
            image = frame.image[::step, ::step]
            self._picture = _Picture(frame.sequence, np.array(image[:, ::-1] if self._mirror else image, order="C"))
            # Counted from the due time, so that frames that come slightly late do not lower the rate.
            self._next_s = max(self._next_s, now_s - PERIOD_S) + PERIOD_S

    def picture(self, token: str, after: int) -> tuple[int, bytes] | None:
        """The newest picture: the number of its frame, and a JPEG. None if it is not newer than frame `after`.

        Raises RequestError if the pictures of this token are over.
        """
        with self._lock:
            self._check(token)
            picture = self._picture
        if picture is None or picture.sequence <= after:
            return None
        if picture.jpeg is None:
            picture.jpeg = self._encode(picture.image)
            with self._lock:
                self._check(token)  # encoding takes a moment, in which the camera may have been switched off
        return picture.sequence, picture.jpeg

    def _check(self, token: str) -> None:
        if self._monotonic() >= self._ends_s.get(token, float("-inf")):
            raise RequestError("pictures", "the two minutes are over", "press Show picture again")

    def _is_watched(self) -> bool:
        now_s = self._monotonic()
        return any(now_s < end_s for end_s in self._ends_s.values())

    def _forget(self) -> None:
        """Forget the tokens whose time is over, and the picture if there is none left."""
        now_s = self._monotonic()
        self._ends_s = {token: end_s for token, end_s in self._ends_s.items() if now_s < end_s}
        if not self._ends_s:
            self._picture = None
