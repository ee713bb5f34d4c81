"""axe-core finds no serious fault."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.page import contents
from tests.page.browser import DESKTOP, PHONE, Page
from tests.page.stand_in import StandIn
from tests.support.cache import cached
from tests.support.waiting import until
from tests.web.opened import PASSWORD

AXE = "axe-core@4.10.3"
SCHEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for faults, from npm."""

    def fetch(folder: Path) -> None:
        subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, check=True, capture_output=True)
        (file,) = folder.iterdir()
        subprocess.run(["tar", "-xzf", file.name, "package/axe.min.js"], cwd=folder, check=True)
        file.unlink()

    return (cached("axe-core", AXE, fetch) / "package/axe.min.js").read_text(encoding="utf-8")


def faults(page: Page, axe: str) -> list[Any]:
    """What axe finds: rule and elements."""
    page.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})  # the page's policy forbids other scripts
    script = "axe.run(document).then(arguments[0], (error) => arguments[0]({error: `${error}`}))"
    found = page.driver.execute_async_script(script)
    assert "violations" in found, found
    return [
        (one["id"], one["impact"], [node["html"] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical", "moderate"}
    ]


def fill(sensor: StandIn, page: Page) -> None:
    """Let the page show something everywhere."""
    page.await_text("#places", "door")
    sensor.show_people(*contents.people(3))
    sensor.say("state", contents.state((1, "standing"), (2, "lying"), (3, "unknown"), fall=True))
    sensor.say("event", contents.event(1, "fall", "suspected", reasons=["torso 78 degrees from upright"]))
    sensor.say("event", contents.event(2, "fall", "confirmed", reasons=["torso 78 degrees from upright"]))
    sensor.say("event", contents.event(3, "fall", "cleared"))
    sensor.say("info", contents.info(overrides={"fall": False}))
    page.await_text("#events", "Fall cleared")
    page.await_text("#people", "lying")


@SCHEMES
@SIZES
def test_axe_finds_no_fault_on_the_page(
    stand_in: Callable[..., StandIn], page: Page, axe: str, size: tuple[int, int], dark: bool
) -> None:
    page.look(size, dark=dark)
    sensor = stand_in()
    page.open(sensor.url)
    fill(sensor, page)
    assert faults(page, axe) == []
    page.press("#edit")
    page.press("#places li:first-child button")
    page.press("#place-form summary")
    assert faults(page, axe) == []
    page.press("#cancel")
    until(lambda: page.sees("#reset"))
    page.press("#reset")
    until(lambda: page.sees("#ask"))
    assert faults(page, axe) == []


@SCHEMES
@SIZES
def test_axe_finds_no_fault_on_the_login(
    stand_in: Callable[..., StandIn], page: Page, axe: str, size: tuple[int, int], dark: bool
) -> None:
    page.look(size, dark=dark)
    page.open(stand_in(password=PASSWORD).url)
    assert page.sees("#password")
    assert faults(page, axe) == []


@SIZES
def test_buttons_are_large_enough_for_a_finger(
    stand_in: Callable[..., StandIn], page: Page, size: tuple[int, int]
) -> None:
    page.look(size)
    sensor = stand_in()
    page.open(sensor.url)
    fill(sensor, page)
    script = """
        return [...document.querySelectorAll("button, input, select, summary")].map((one) => {
            const box = one.getBoundingClientRect();
            return [one.outerHTML, box.width, box.height];
        }).filter(([, width, height]) => width > 0 && (width < 44 || height < 44));"""
    assert page.run(script) == []
    page.press("#edit")
    page.press("#places li:first-child button")
    page.press("#place-form summary")
    assert page.run(script) == []
