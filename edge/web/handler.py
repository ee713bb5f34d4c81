"""What every answer of the page has in common: access checks, headers and errors."""

import asyncio
import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http.client import responses
from typing import Any, TypeVar

import msgspec
from tornado.iostream import IOStream
from tornado.web import HTTPError, RequestHandler

from edge.errors import EdgeError
from edge.web.attempts import Attempts
from edge.web.feed import Feed
from edge.web.hosts import is_own_host
from edge.web.hub import Hub
from edge.web.readings import Readings
from edge.web.seams import Render, Sensor
from edge.web.sessions import Sessions

T = TypeVar("T")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers send `Origin: null` with the form of the login.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Type": "text/plain; charset=utf-8",
}
PATIENCE_S = 10.0  # for the main thread to carry out a request
_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """What the handlers work with."""

    port: int
    tls: bool
    names: set[str]  # under which the page may be opened
    sessions: Sessions | None  # None: no password
    attempts: Attempts
    files: Mapping[str, bytes]
    feed: Feed
    sensor: Sensor
    readings: Readings
    hub: Hub
    watched: set[IOStream]  # of viewers; they are not closed for new connections
    render: Render

    @property
    def cookie(self) -> str:
        """Its name has the port, because cookies are shared by all ports of a host."""
        return f"edge_pose_{self.port}"


class RefusedError(HTTPError):
    """An answer with a status other than 200, and what is wrong."""

    def __init__(
        self, status: int, problem: str, remedy: str = "", key: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status)
        self.key, self.problem, self.remedy = key, problem, remedy
        self.headers = headers or {}


class Handler(RequestHandler):
    """Checks Host, Origin and session before the method of a subclass runs."""

    site: Site
    public = False  # whether it needs no session

    def initialize(self, site: Site) -> None:
        self.site = site

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        host = self.request.headers.get("Host")  # browsers always send it
        if host is not None and not is_own_host(host, self.site.names):
            problem = f"{host[:100]!a} is not a name of this sensor"
            raise RefusedError(421, problem, "use its IP address, or add the name to web.names in the configuration")
        if self.site.tls and self.request.protocol != "https":
            if host is None:
                raise RefusedError(400, "this page is encrypted", "use https")
            self.redirect(f"https://{host}{self.request.uri}", permanent=True)
            return
        method = self.request.method
        if method not in self.methods():
            raise RefusedError(405, f"use one of {', '.join(self.methods())}")
        if method not in _SAFE and not self._is_same_origin(host):
            raise RefusedError(403, "the request does not come from this page", "open the page itself")
        if not (self.public or method == "OPTIONS" or self.signed_in):
            self.refuse_stranger()

    @classmethod
    def methods(cls) -> list[str]:
        """The methods that a subclass has."""
        names = ("get", "head", "post", "put", "delete", "options")
        return [name.upper() for name in names if getattr(cls, name) is not getattr(RequestHandler, name)]

    @property
    def address(self) -> str:
        """Of the client."""
        return self.request.remote_ip or ""

    @property
    def signed_in(self) -> bool:
        """Whether there is no password, or a valid session."""
        return self.site.sessions is None or self.site.sessions.is_valid(self.get_cookie(self.site.cookie, "") or "")

    def refuse_stranger(self) -> None:
        """Answer a request that needs a session and has none."""
        raise RefusedError(401, "not logged in", "open the page and log in")

    def check_password(self, password: str) -> bool:
        """Whether this is the password. Raises RefusedError after too many wrong ones."""
        assert self.site.sessions is not None
        wait_s = math.ceil(self.site.attempts.wait_s(self.address))
        if wait_s:
            headers = {"Retry-After": str(wait_s)}
            raise RefusedError(429, "too many wrong passwords", f"try again in {wait_s} s", headers=headers)
        if self.site.sessions.is_password(password):
            self.site.attempts.succeeded(self.address)
            return True
        self.site.attempts.failed(self.address)
        return False

    def options(self, *_arguments: str) -> None:
        self.set_header("Allow", ", ".join(self.methods()))
        self.set_status(204)

    async def done(self, work: "Future[T]") -> T:
        """The result of what the main thread does. Raises RefusedError."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.wrap_future(work)
        except EdgeError as exc:
            raise refused(400, exc) from exc
        except TimeoutError as exc:
            raise RefusedError(503, "the sensor does not answer", "try again") from exc

    def answer(self, content: Any) -> None:
        """Answer with JSON."""
        self.set_header("Content-Type", "application/json")
        self.finish(content if isinstance(content, bytes) else msgspec.json.encode(content))

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with the problem and the remedy, and never with a traceback."""
        error = details["exc_info"][1] if "exc_info" in details else None
        if not isinstance(error, RefusedError):
            remedy = "see the log of the service" if status_code >= 500 else ""
            error = RefusedError(status_code, responses.get(status_code, "error").lower(), remedy)
        for name, value in error.headers.items():
            self.set_header(name, value)
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.methods()))
        self.show_error(error)

    def show_error(self, error: RefusedError) -> None:
        """Answer with an error as JSON; pages for people answer otherwise."""
        self.answer({"error": {"key": error.key, "problem": error.problem, "remedy": error.remedy}})

    def log_exception(self, *error: Any) -> None:
        """Log what is unexpected, and not each mistake of a client."""
        if not isinstance(error[1], HTTPError):
            super().log_exception(*error)

    def compute_etag(self) -> str | None:
        """None: only files have one."""

    def _is_same_origin(self, host: str | None) -> bool:
        """Whether the request comes from this page. Without TLS, a proxy on this machine may add it."""
        schemes = ("https",) if self.site.tls else ("http", "https")
        return self.request.headers.get("Origin") in {f"{scheme}://{host}" for scheme in schemes}


class PlainHandler(Handler):
    """A handler whose errors are text."""

    def show_error(self, error: RefusedError) -> None:
        self.finish("; ".join(filter(None, (error.problem, error.remedy))) + "\n")


class NotFound(PlainHandler):
    """Everything that does not exist."""

    public = True

    def get(self) -> None:
        raise RefusedError(404, "there is no such page")

    head = post = put = delete = get


def refused(status: int, error: EdgeError) -> RefusedError:
    """The answer to a request that the sensor refused."""
    return RefusedError(status, error.problem, error.remedy, error.key)
