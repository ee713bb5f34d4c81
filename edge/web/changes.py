"""What the page changes: settings, zones and lines, requests, and whether pictures are shown."""

import asyncio
from typing import Any

import msgspec

from edge.config import Config, Line, Zone
from edge.config.settings import SETTINGS
from edge.config.validation import explain
from edge.errors import EdgeError
from edge.web.handler import Handler, RefusedError, refused
from edge.web.hub import encode_places
from edge.web.seams import Pictures, Places

REQUESTS = ("clear_fall", "reset_settings")
POLL_S, POLLS = 0.04, 25  # how often a request looks for a newer picture
WATCH_S = 120  # how long pictures are shown


class SettingHandler(Handler):
    """Changes a setting."""

    async def post(self, name: str) -> None:
        if name not in SETTINGS:
            raise RefusedError(404, "unknown setting", f"use one of {', '.join(SETTINGS)}", name)
        value = _read(self.request.body, "value").get("value")
        if not isinstance(value, str):
            raise RefusedError(400, "the value is missing", 'send an object such as {"value": "ON"}', name)
        await self.done(self.site.sensor.set(name, value))
        self.answer({"ok": True})


class RequestsHandler(Handler):
    """Carries out a request."""

    async def post(self, name: str) -> None:
        if name not in REQUESTS:
            raise RefusedError(404, "unknown request", f"use one of {', '.join(REQUESTS)}", name)
        data = await self.done(self.site.sensor.request(name))
        self.answer({"ok": True, "data": data})


class PlacesHandler(Handler):
    """Changes zones and lines."""

    async def put(self) -> None:
        zones, lines = _places(self.request.body)
        await self.done(self.site.sensor.use_places(zones, lines))
        self._show()

    async def delete(self) -> None:
        await self.done(self.site.sensor.reset_places())
        self._show()

    def _show(self) -> None:
        places = self.site.feed.latest("places")
        assert isinstance(places, Places)
        self.answer(encode_places(places))


class PicturesHandler(Handler):
    """Starts and ends the pictures behind the skeletons."""

    def post(self) -> None:
        pictures = self.site.feed.latest("pictures")
        if not (isinstance(pictures, Pictures) and pictures.allowed):
            remedy = "set privacy.allow_pictures = true in the configuration file, and restart the service"
            raise RefusedError(403, "pictures are not allowed", remedy, "privacy.allow_pictures")
        try:
            token = self.site.sensor.open_pictures()
        except EdgeError as exc:
            raise refused(409, exc) from exc
        self.answer({"token": token, "seconds": WATCH_S})

    def delete(self) -> None:
        self.site.sensor.close_pictures(self.get_query_argument("token", ""))
        self.answer({"ok": True})


class PictureHandler(Handler):
    """Answers with the newest picture."""

    async def get(self) -> None:
        token, after = self.get_query_argument("token", ""), _number(self.get_query_argument("after", ""))
        for _ in range(POLLS):
            if picture := self._picture(token, after):
                break
            await asyncio.sleep(POLL_S)
        else:
            self.set_status(204)
            return
        sequence, jpeg = picture
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("X-Sequence", str(sequence))
        self.finish(jpeg)

    def _picture(self, token: str, after: int) -> tuple[int, bytes] | None:
        try:
            return self.site.sensor.picture(token, after)
        except EdgeError as exc:
            raise refused(404, exc) from exc


def _number(text: str) -> int:
    """A frame's number in the address; -1 without one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1


def _read(body: bytes, *known: str) -> dict[str, Any]:
    """A JSON object with no other than the known keys. Raises RefusedError."""
    try:
        content = msgspec.json.decode(body)
    except (ValueError, RecursionError) as exc:  # msgspec's errors are ValueErrors
        raise RefusedError(400, "the body is not JSON", "send an object") from exc
    if not isinstance(content, dict):
        raise RefusedError(400, "the body is not an object", "send an object")
    if unknown := sorted(content.keys() - set(known)):
        raise RefusedError(400, "unknown key", f"use only {', '.join(known)}", unknown[0][:64])
    return content


def _places(body: bytes) -> tuple[tuple[Zone, ...], tuple[Line, ...]]:
    """Zones and lines as in the configuration file. Raises RefusedError."""
    tables = _read(body, "zones", "lines")
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as exc:
        key, problem, remedy = explain(exc, tables, Config)
        raise RefusedError(400, problem, remedy, key) from exc
    return config.zones, config.lines
