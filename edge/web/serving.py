"""Open the page, as soon as that is possible, and serve it."""

import asyncio
import logging
import os
from contextlib import suppress

from tornado.iostream import IOStream

from edge.errors import ConfigError, EdgeError
from edge.system.state_dir import state_file
from edge.web.application import application
from edge.web.attempts import Attempts
from edge.web.handler import Site
from edge.web.hosts import host_names
from edge.web.hub import Hub
from edge.web.listener import Listener
from edge.web.pages import package_files
from edge.web.plan import Plan
from edge.web.readings import Readings
from edge.web.sessions import Sessions, kept_secret
from edge.web.tls import open_tls

log = logging.getLogger(__name__)

LONGEST_RETRY_S = 60.0


async def serve(plan: Plan, ended: asyncio.Event) -> None:
    """Serve the page until `ended` is set. If it cannot be opened, keep trying; the failure is logged once."""
    logging.getLogger("tornado.general").setLevel(logging.ERROR)  # it warns of each client that breaks off
    retry_s, warned = plan.first_retry_s, False
    while not ended.is_set():
        try:
            await _serve_once(plan, ended)
        except EdgeError as exc:
            if not warned:
                log.warning("the page cannot be opened yet, and the sensor keeps trying: %s", exc)
            warned = True
            with suppress(TimeoutError):
                async with asyncio.timeout(retry_s):
                    await ended.wait()
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)


async def _serve_once(plan: Plan, ended: asyncio.Event) -> None:
    """Open the page and serve it until `ended` is set. Raises EdgeError if it cannot be opened."""
    web = plan.web
    tls = open_tls(web, plan.device_id) if web.tls else None
    readings = Readings(plan.sensor)
    hub = Hub(plan.feed, plan.sensor, readings)
    watched: set[IOStream] = set()
    secret = kept_secret(state_file("page_secret", plan.device_id)) if plan.password else b""
    site = Site(
        port=web.port,
        tls=tls is not None,
        names=host_names(web.names),
        sessions=Sessions(secret, plan.password) if plan.password else None,
        attempts=Attempts(),
        files=package_files(),
        feed=plan.feed,
        sensor=plan.sensor,
        readings=readings,
        hub=hub,
        watched=watched,
        render=plan.render,
    )
    listener = Listener(application(site), tls, watched)
    try:
        listener.open(web.host, web.port)
    except OSError as exc:
        problem = f"port {web.port} of {web.host} cannot be used ({_reason(exc)})"
        raise ConfigError("web.port", problem, "use a free port and an address of this machine") from exc
    log.info("the page listens on %s port %d with %s", web.host, web.port, "https" if tls else "http")
    hub.open()
    try:
        await ended.wait()
    finally:
        hub.close()
        listener.close()


def _reason(error: OSError) -> str:
    """Without the address, which Python appends to the reason."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
