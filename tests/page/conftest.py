"""Fixtures of the tests with a real browser."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.page.browser import CHROMIUM, DRIVER, Page, chromium
from tests.page.stand_in import StandIn

WANTED = "EDGE_POSE_BROWSER" in os.environ
# Chromium logs each answer with a status of 400 or more, and each connection that is lost.
CANVAS = "Canvas2D: Multiple readback operations"  # which only tests do
NETWORK = r"Failed to load resource: (the server responded with a status of %s|net::ERR_%s)"


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    if not WANTED or CHROMIUM is None or DRIVER is None:
        pytest.skip("NOT TESTED IN A BROWSER: run: make test-page")
    with chromium() as driver:
        yield driver


@pytest.fixture
def accepted() -> list[str]:
    """Regular expressions for the errors on the console that a test causes on purpose."""
    return [CANVAS]


@pytest.fixture
def page(driver: Chrome, accepted: list[str]) -> Iterator[Page]:
    """An empty tab on a desktop. The test fails if the page logs an error that is not accepted."""
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    page = Page(driver)
    page.errors()
    page.look()
    yield page
    found = [text for text in page.errors() if not any(re.search(pattern, text) for pattern in accepted)]
    page.open("about:blank")
    driver.close()
    driver.switch_to.window(first)
    assert found == []


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., StandIn]]:
    """A function that starts the page's server with a sensor that shows what the test wants."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    with ExitStack() as stack:

        def start(**settings: str) -> StandIn:
            opened = StandIn(tmp_path, **settings)
            stack.callback(opened.stop)
            opened.start()
            return opened

        yield start
