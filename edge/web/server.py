"""The page's server, in a thread of its own. It never stops the sensor."""

import asyncio
import logging
import threading
from contextlib import suppress

from edge.config import Web, web_password
from edge.config.checks import check_reach
from edge.web.feed import Feed
from edge.web.plan import Plan
from edge.web.seams import Render, Sensor

log = logging.getLogger(__name__)


class WebServer:
    """Serves the page from `start` to `close`. If it cannot be opened, it logs one warning and keeps trying."""

    def __init__(  # noqa: PLR0913 - the parts of the page
        self, web: Web, *, feed: Feed, sensor: Sensor, device_id: str, render: Render, first_retry_s: float = 1.0
    ) -> None:
        """Raises ConfigError if other machines could open the page without a password."""
        password = web_password(web)
        check_reach(web, has_password=password is not None)
        self._plan = Plan(web, password, device_id, feed, sensor, render, first_retry_s)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()  # set in the loop
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Open the page in the background."""
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Close the page and its connections, and wait at most `timeout_s` for that. May be called more than once."""
        self._stopping.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._ended.set)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            log.exception("unexpected error, and the page is closed; please report it with these lines")

    async def _serve(self) -> None:
        # Tornado takes memory and time to import, so only a sensor with a page does so, and beside its first frames.
        from edge.web.serving import serve  # noqa: PLC0415

        self._loop = asyncio.get_running_loop()
        if not self._stopping.is_set():
            await serve(self._plan, self._ended)
