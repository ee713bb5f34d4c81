"""The page while the sensor comes and goes, and over hours."""

from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from edge.web.hub import MAX_VIEWERS
from tests.page import contents
from tests.page.browser import PHONE, Page
from tests.page.canned import FPS, flood
from tests.page.conftest import NETWORK
from tests.page.stand_in import StandIn
from tests.support.browser import Browser
from tests.support.people import person
from tests.support.waiting import until

TWO_HOURS = 2 * 3600 * FPS  # frames
LOST = [NETWORK % ("5..", ".*"), NETWORK % ("", "")]


@pytest.fixture
def sensor(stand_in: Callable[..., StandIn], page: Page) -> StandIn:
    opened = stand_in()
    page.open(opened.url)
    page.await_text("#link", "Live")
    return opened


def test_a_page_without_news_says_so_and_comes_back_by_itself(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    accepted += LOST
    sensor.show_people(person(1), person(2))
    page.await_text("#people-count", "2")
    sensor.stop()
    page.await_text("#link", "No data since")
    page.await_text("#cover", "No data since")
    assert "stale" in page.run("return document.body.className")
    sensor.start()
    sensor.show_people(person(1))
    page.await_text("#link", "Live")
    page.await_text("#people-count", "1")
    until(lambda: not page.sees("#cover"))
    assert "stale" not in page.run("return document.body.className")


def test_people_of_before_are_not_drawn_again_after_a_lost_connection(
    sensor: StandIn, page: Page, accepted: list[str]
) -> None:
    accepted += LOST
    sensor.show_people(person(1))
    until(lambda: sequence(page) == "1")
    sensor.stop()
    page.await_text("#link", "No data since")
    assert sequence(page) == "1"
    sensor.start()
    page.await_text("#link", "Live")
    until(lambda: sequence(page) == "")


def test_a_change_that_nothing_answers_is_given_up_soon(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    """Without Wi-Fi, a browser waits for minutes; meanwhile, the switch would show a state that is not in force."""
    accepted += LOST
    page.run("AbortSignal.timeout = ((real) => () => real(500))(AbortSignal.timeout.bind(AbortSignal))")
    sensor.sensor.hangs = True
    page.press("#setting-enabled")
    page.await_text("#settings-error", "try again when the page is live")
    assert page.find("#setting-enabled").is_selected()


def test_a_page_says_that_there_are_too_many_viewers(
    stand_in: Callable[..., StandIn], page: Page, accepted: list[str]
) -> None:
    accepted += LOST
    sensor = stand_in()
    browser = Browser(urlsplit(sensor.url).port or 0)
    with ExitStack() as viewers:
        for _ in range(MAX_VIEWERS):
            viewers.enter_context(browser.live())
        page.open(sensor.url)
        page.await_text("#cover", f"{MAX_VIEWERS} viewers are watching already")
    page.await_text("#link", "Live")
    until(lambda: not page.sees("#cover"))


def test_after_a_sleep_nothing_old_is_shown_as_live(page: Page) -> None:
    with flood() as (source, url):
        page.open(url)
        source.send(FPS)
        page.await_text("#link", "Live")
        # In a sleep, performance.now() stands still in some browsers.
        page.run("const then = performance.now(); performance.now = () => then")
        page.run("const now = Date.now; Date.now = () => now() + 8 * 3600_000")
        page.await_text("#link", "No data since")
        source.send(FPS)
        page.await_text("#link", "Live")


def test_the_bar_fits_on_a_phone_without_news(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    accepted += LOST
    page.look(PHONE)
    sensor.say("info", contents.info(overrides={"enabled": False}))
    until(lambda: page.sees(".setting.changed #setting-enabled"))
    name = page.find("#device")
    assert page.run("return arguments[0].scrollWidth <= arguments[0].clientWidth", name)
    sensor.stop()
    page.await_text("#link", "No data since")
    switch = page.find("#setting-enabled").rect
    assert switch["x"] + switch["width"] <= PHONE[0]
    link = page.find("#link").rect
    assert link["x"] + link["width"] <= switch["x"]


def test_a_change_while_the_sensor_is_away_is_refused(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    accepted += LOST
    sensor.stop()
    page.press("#setting-fall")
    page.await_text("#settings-error", "does not answer")
    assert page.find("#setting-fall").is_selected()


def test_what_is_drawn_survives_a_restart_of_the_sensor(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    accepted += LOST
    page.press("#edit")
    page.drag((0.2, 0.8), (0.5, 0.5))
    sensor.stop()
    page.press("#save")
    page.await_text("#places-error", "does not answer")
    sensor.start()
    page.await_text("#link", "Live")
    page.press("#save")
    until(lambda: not page.sees("#save"))
    assert sensor.sensor.config.zones[0].points[0][0] > 0.3


def test_a_silent_connection_is_not_shown_as_live(page: Page) -> None:
    with flood() as (source, url):
        page.open(url)
        source.send(FPS)
        page.await_text("#link", "Live")
        page.await_text("#link", "No data since")  # although the connection is open
        source.send(FPS)
        page.await_text("#link", "Live")


def test_a_page_in_the_background_leaves_the_sensor_alone(sensor: StandIn, page: Page) -> None:
    assert sensor.sensor.feed.viewers == 1
    page.run("Object.defineProperty(document, 'hidden', { get: () => window.away ?? true })")
    page.run("return new Promise((done) => setTimeout(done, 1100))")  # the page looks twice per second
    page.run("const now = performance.now.bind(performance); performance.now = () => now() + 61_000")
    until(lambda: sensor.sensor.feed.viewers == 0)
    page.run("window.away = false")
    until(lambda: sensor.sensor.feed.viewers == 1)
    sensor.show_people(person(1))
    page.await_text("#people-count", "1")
    page.await_text("#link", "Live")


def test_memory_does_not_grow_over_two_hours_of_frames(page: Page) -> None:
    with flood() as (source, url):
        page.open(url)
        source.send(TWO_HOURS // 20)
        await_frame(page, TWO_HOURS // 20)
        before = page.memory()
        source.send(TWO_HOURS)
        await_frame(page, TWO_HOURS + TWO_HOURS // 20)
        after = page.memory()
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] + 1e6, (before, after)
    assert after["Nodes"] <= before["Nodes"] + 50, (before, after)
    assert after["JSEventListeners"] <= before["JSEventListeners"] + 5, (before, after)


def await_frame(page: Page, count: int) -> None:
    """Wait until the view shows the last of so many frames."""
    until(lambda: sequence(page) == str(count - 1), 600)


def sequence(page: Page) -> str:
    """The number of the frame whose people are drawn."""
    return str(page.run("return document.getElementById('canvas').dataset.sequence"))


def test_the_history_of_ten_minutes_is_drawn(sensor: StandIn, page: Page) -> None:
    sensor.say("health", contents.health())
    page.await_text("#health", "14.9")
    until(lambda: page.run("return document.querySelector('.spark .line').getAttribute('d')").startswith("M"))
