"""What the page changes, and the login."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from edge.config.settings import SETTINGS, is_switch, text_of, value_of
from edge.web.seams import Pictures
from tests.page import contents
from tests.page.browser import Page
from tests.page.conftest import NETWORK
from tests.page.stand_in import StandIn
from tests.support.people import person
from tests.support.waiting import until

Start = Callable[..., StandIn]
PASSWORD = "correct horse <battery>"  # noqa: S105 - of the tests
ORANGE = (250, 120, 20)


@pytest.fixture
def sensor(stand_in: Start, page: Page) -> StandIn:
    opened = stand_in()
    page.open(opened.url)
    page.await_text("#settings", "Presence")
    return opened


def value(sensor: StandIn, name: str) -> str:
    return text_of(value_of(sensor.sensor.config, name))


@pytest.mark.parametrize("name", [name for name in SETTINGS if is_switch(name)])
def test_each_switch_switches(sensor: StandIn, page: Page, name: str) -> None:
    switch = page.find(f"#setting-{name}")
    assert switch.is_selected()
    for wanted in ("OFF", "ON"):
        page.press(f"#setting-{name}")
        until(lambda wanted=wanted: value(sensor, name) == wanted)  # type: ignore[misc]
        until(lambda wanted=wanted: switch.is_selected() == (wanted == "ON"))  # type: ignore[misc]


@pytest.mark.parametrize("name", [name for name in SETTINGS if not is_switch(name)])
def test_each_number_is_saved(sensor: StandIn, page: Page, name: str) -> None:
    page.write(f"#setting-{name}", "0.75" if name == "min_confidence" else "1.5")
    until(lambda: value(sensor, name) in {"0.75", "1.5"})
    assert not page.sees("#settings-error")


def test_a_refused_number_is_explained_beside_its_field(sensor: StandIn, page: Page, accepted: list[str]) -> None:
    accepted.append(NETWORK % ("400", ""))
    page.write("#setting-fall_confirm_s", "99")
    page.await_text(".setting #settings-error", "Confirm a fall after")
    assert page.find("#setting-fall_confirm_s").get_attribute("aria-invalid") == "true"
    assert value(sensor, "fall_confirm_s") == "2"
    page.type(Keys.ESCAPE)
    until(lambda: not page.sees("#settings-error"))
    assert page.find("#setting-fall_confirm_s").get_attribute("value") == "2"


def test_an_empty_number_is_not_sent(sensor: StandIn, page: Page) -> None:
    page.write("#setting-fall_confirm_s", Keys.BACKSPACE)
    page.await_text(".setting #settings-error", "Enter a number")
    assert value(sensor, "fall_confirm_s") == "2"


def test_changes_by_others_are_shown(sensor: StandIn, page: Page) -> None:
    sensor.sensor.set("fall", "OFF").result()
    sensor.sensor.set("presence_leave_s", "7").result()
    until(lambda: not page.find("#setting-fall").is_selected())
    until(lambda: page.find("#setting-presence_leave_s").get_attribute("value") == "7")


def test_settings_return_to_the_file(sensor: StandIn, page: Page) -> None:
    assert not page.sees("#reset")
    sensor.say("info", contents.info(overrides={"fall": False}))
    until(lambda: page.sees("#reset"))
    assert page.sees(".setting.changed #setting-fall")
    page.press("#reset")
    page.press("#ask-yes")
    until(lambda: sensor.sensor.requests == ["reset_settings"])


def test_the_privacy_switch_is_shown_clearly(sensor: StandIn, page: Page) -> None:
    page.press("#setting-enabled")
    until(lambda: value(sensor, "enabled") == "OFF")
    sensor.say("health", contents.health("off"))
    page.await_text("#cover", "The camera is off")
    page.press("#switch-on")
    until(lambda: value(sensor, "enabled") == "ON")


def test_the_picture_is_shown_behind_the_skeletons_on_a_press(sensor: StandIn, page: Page) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), ORANGE).save(file, "JPEG", quality=95)
    number = sensor.show(person(1))
    sensor.sensor.pictures[number] = file.getvalue()
    assert not page.sees("#watched")
    page.press("#show-picture")
    until(lambda: is_orange(page))
    assert page.sees("#watched")
    page.await_text("#show-picture-text", "Hide 1:")
    page.press("#show-picture")
    until(lambda: not is_orange(page))
    until(lambda: not page.sees("#watched"))
    page.await_text("#show-picture-text", "Show picture")


def test_a_picture_that_does_not_come_is_asked_for_again(sensor: StandIn, page: Page) -> None:
    """Without Wi-Fi, a browser waits for minutes; meanwhile, an old picture would be behind the skeletons."""
    assert sensor.url
    page.run("""
        const real = window.fetch;
        window.asked = 0;
        window.fetch = (path, options) => path.startsWith("/picture.jpg") && window.asked++ === 0
            ? new Promise((_, fail) => options.signal.addEventListener("abort", () => fail(options.signal.reason)))
            : real(path, options);""")
    page.press("#show-picture")
    until(lambda: page.run("return window.asked > 1"))


def test_others_see_that_a_picture_is_shown(sensor: StandIn, page: Page) -> None:
    token = sensor.sensor.open_pictures()
    until(lambda: page.sees("#watched"))
    sensor.sensor.close_pictures(token)
    until(lambda: not page.sees("#watched"))


def test_pictures_end_with_the_page(sensor: StandIn, page: Page) -> None:
    page.press("#show-picture")
    until(lambda: page.sees("#watched"))
    page.open("about:blank")
    until(lambda: sensor.sensor.feed.latest("pictures") == Pictures(allowed=True, watched=False))


def test_pictures_that_are_not_allowed_are_explained(stand_in: Start, page: Page) -> None:
    page.open(stand_in(pictures="forbidden").url)
    page.await_text("#link", "Live")
    page.press("#show-picture")
    page.await_text("#picture-note", "privacy.allow_pictures")


def is_orange(page: Page) -> bool:
    script = "return [...document.getElementById('canvas').getContext('2d').getImageData(5, 5, 1, 1).data]"
    return all(abs(a - b) < 8 for a, b in zip(page.run(script)[:3], ORANGE, strict=True))


def test_a_password_is_asked_for_once(stand_in: Start, page: Page, accepted: list[str]) -> None:
    accepted.append(NETWORK % ("401", ""))
    sensor = stand_in(password=PASSWORD)
    page.open(sensor.url)
    assert page.driver.current_url.endswith("/login")
    page.write("#password", "wrong")
    page.press("button")
    page.await_text("[role=alert]", "wrong")
    assert page.run("return document.activeElement.id") == "password"
    page.write("#password", PASSWORD)
    page.press("button")
    page.await_text("#link", "Live")
    sensor.stop()
    sensor.start()
    page.open(sensor.url)  # also after a restart
    page.await_text("#link", "Live")
    page.press("#logout button")
    until(lambda: page.sees("#password"))
    page.open(sensor.url)
    assert page.driver.current_url.endswith("/login")


def test_a_page_whose_session_has_ended_goes_to_the_login(stand_in: Start, page: Page, accepted: list[str]) -> None:
    accepted += [NETWORK % ("401", ""), NETWORK % ("", "")]
    sensor = stand_in(password=PASSWORD)
    page.open(sensor.url)
    page.write("#password", PASSWORD)
    page.press("button")
    page.await_text("#link", "Live")
    page.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    page.press("#setting-fall")
    until(lambda: page.driver.current_url.endswith("/login"))


def test_a_stream_whose_session_has_ended_goes_to_the_login(stand_in: Start, page: Page, accepted: list[str]) -> None:
    accepted += [NETWORK % ("401", ""), NETWORK % ("", "")]
    sensor = stand_in(password=PASSWORD)
    page.open(sensor.url)
    page.write("#password", PASSWORD)
    page.press("button")
    page.await_text("#link", "Live")
    sensor.stop()
    page.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    sensor.start()
    until(lambda: page.driver.current_url.endswith("/login"))


def test_without_a_password_nothing_offers_to_log_out(sensor: StandIn, page: Page) -> None:
    assert sensor.url
    assert not page.sees("#logout")


def test_another_site_changes_nothing(sensor: StandIn, page: Page, accepted: list[str], stand_in: Start) -> None:
    accepted += [".*"]  # Chromium explains at length why it blocks
    other = stand_in()  # another port is another origin
    page.open(other.url + "healthz")
    script = """
        const done = arguments[1];
        const options = { method: "POST", mode: "no-cors", credentials: "include", body: '{"value": "OFF"}' };
        fetch(arguments[0] + "settings/enabled", options).then(() => done("answered"), () => done("blocked"));"""
    page.driver.execute_async_script(script, sensor.url)
    assert value(sensor, "enabled") == "ON"
    page.open(sensor.url)
    page.await_text("#settings", "Presence")
    page.press("#setting-enabled")  # the page itself may
    until(lambda: value(sensor, "enabled") == "OFF")
