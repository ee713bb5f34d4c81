"""The page itself: its files, the login, and the answers for other programs."""

import base64
import html
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from edge.mqtt.messages import Info
from edge.web.handler import PlainHandler, RefusedError
from edge.web.readings import problem_of
from edge.web.sessions import SESSION_S

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
MESSAGE = b"<!--message-->"  # in login.html: the place of an error message
LOGOUT = b'<form id="logout"'  # in index.html: hidden if there is no password
# A link from another site does not bring the cookie (SameSite=Strict), but opening the page again does.
AGAIN = b'<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>edge-pose</title>\n'

_info = msgspec.json.Decoder(Info).decode


def package_files() -> dict[str, bytes]:
    """The files of the page by name."""
    return {file.name: file.read_bytes() for file in STATIC.glob("*.*")}


class _FileHandler(PlainHandler):
    def show_file(self, name: str, change: Mapping[bytes, bytes] | None = None) -> None:
        """Answer with a file, with some texts replaced. Raises RefusedError."""
        content = self.site.files.get(name)
        if content is None:
            raise RefusedError(404, "there is no such page")
        for old, new in (change or {}).items():
            content = content.replace(old, new)
        self.set_header("Content-Type", KINDS.get(Path(name).suffix, "application/octet-stream"))
        self.set_header("Cache-Control", "no-cache")  # ask again, with the ETag
        self.finish(content)

    def compute_etag(self) -> str | None:
        return f'"{sha256(b"".join(self._write_buffer)).hexdigest()[:32]}"'


class FileHandler(_FileHandler):
    """Answers with files of the package, and no others."""

    public = True

    def get(self, name: str) -> None:
        self.show_file(name)

    head = get


class HomeHandler(_FileHandler):
    """The page, or a redirect to the login."""

    def get(self) -> None:
        without_password = {LOGOUT: LOGOUT + b" hidden"} if self.site.sessions is None else None
        self.show_file("index.html", without_password)

    head = get

    def refuse_stranger(self) -> None:
        if self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(AGAIN)
        else:
            self.redirect("/login")


class LoginHandler(_FileHandler):
    """Asks for the password."""

    public = True

    def get(self) -> None:
        if self.signed_in:
            self.redirect("/")
        else:
            self.show_file("login.html")

    head = get

    def post(self) -> None:
        """Start a session if the password is right."""
        sessions = self.site.sessions
        if sessions is not None:
            if not self.check_password(self.get_body_argument("password", "", strip=False)):
                raise RefusedError(401, "The password is wrong.")
            self.set_cookie(
                self.site.cookie, sessions.issue(), expires_days=None, max_age=SESSION_S, path="/", httponly=True,
                secure=self.site.tls, samesite="Strict",
            )  # fmt: skip
        self.redirect("/", status=303)

    def show_error(self, error: RefusedError) -> None:
        if error.status_code not in {401, 429} or "login.html" not in self.site.files:
            super().show_error(error)
            return
        text = error.problem if error.status_code == 401 else f"{error.problem}; {error.remedy}".capitalize() + "."
        message = f'<p class="message" role="alert">{html.escape(text)}</p>'
        self.show_file("login.html", {MESSAGE: message.encode()})


class LogoutHandler(PlainHandler):
    """Ends the session of this browser."""

    public = True

    def post(self) -> None:
        self.clear_cookie(self.site.cookie, path="/")
        self.redirect("/login", status=303)


class HealthzHandler(PlainHandler):
    """Says whether the sensor works, from the camera to the broker."""

    public = True

    async def get(self) -> None:
        problem = problem_of(await self.site.readings.newest(), connected=self.site.sensor.connected)
        self.set_status(503 if problem else 200)
        self.finish(f"{problem or 'ok'}\n")

    head = get


class MetricsHandler(PlainHandler):
    """Metrics for Prometheus, with the password or in a session."""

    async def get(self) -> None:
        health = await self.site.readings.newest()
        if health is None:
            raise RefusedError(503, "the sensor does not answer")
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.site.render(health, self._info(), connected=self.site.sensor.connected))

    head = get

    @property
    def signed_in(self) -> bool:
        header = self.request.headers.get("Authorization", "")
        return super().signed_in or (bool(header) and self.check_password(_basic_password(header)))

    def refuse_stranger(self) -> None:
        headers = {"WWW-Authenticate": 'Basic realm="edge-pose", charset="UTF-8"'}
        raise RefusedError(401, "not logged in", "use HTTP basic authentication", headers=headers)

    def _info(self) -> Info | None:
        found = self.site.feed.latest("info")
        return _info(found) if isinstance(found, bytes) else None


def _basic_password(header: str) -> str:
    """The password in a header with basic authentication; empty if it has none."""
    try:
        return base64.b64decode(header.partition(" ")[2], validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
