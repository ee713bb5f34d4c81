"""A report in a real browser: on a desktop, a phone and paper."""

from datetime import UTC
from pathlib import Path

import pytest

from edge.report.page import page as page_of
from tests.page.browser import Page
from tests.page.test_accessibility import SCHEMES, SIZES, axe, faults
from tests.report.reports import NOON_S, report_of
from tests.support.bodies import SITTING, STANDING
from tests.support.days import CHAIR, DOOR, TABLE, Script, falling, still, walking, waving

__all__ = ["axe"]  # a fixture

PAPER = (688, 971)  # A4 without its margins, px of CSS
WIDER = "return document.documentElement.scrollWidth - innerWidth"
# Texts that are wider than their boxes, in px.
CUT = """return [...document.querySelectorAll("dd b, dd small, h1, h2, h4, td, th, li, time")]
    .filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a day with all that a page can show, but for several days."""
    folder: Path = tmp_path_factory.mktemp("report")
    script = Script(NOON_S)
    script.frames(5.8, walking(1, DOOR, CHAIR, 5.8), step_s=0.1)
    script.frames(6 * 3600, still(1, SITTING, CHAIR), step_s=4.0)
    script.end("camera stalled", 1000)
    script.frames(10, still(2, STANDING, TABLE), step_s=0.1)
    script.frames(55, falling(2, TABLE), step_s=0.1)
    script.frames(5, waving(2, TABLE), step_s=0.1)
    script.empty(20)
    path = script.write(folder / "hall.jsonl")
    path.write_bytes(path.read_bytes() + b"damaged\n")
    report, _ = report_of(folder, script, zone=UTC)
    (folder / "report.html").write_text(page_of(report), encoding="utf-8")
    return (folder / "report.html").as_uri()


@SCHEMES
@SIZES
def test_a_report_is_accessible_and_fits_the_screen(
    page: Page,
    axe: str,
    url: str,
    size: tuple[int, int],
    *,
    dark: bool,
) -> None:
    page.look(size, dark=dark)
    page.open(url)
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.run(WIDER) <= 0
    assert page.run(CUT) == []
    assert faults(page, axe) == []


def test_a_fall_is_reached_by_its_mark(page: Page, url: str) -> None:
    page.open(url)
    page.press("a.mark")
    assert page.sees(".fall:target")


def test_a_printed_report_is_light_and_fits_the_paper(page: Page, url: str) -> None:
    page.open(url)
    page.look(PAPER, dark=True)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": [dark]})
    assert page.run(WIDER) <= 0
    assert page.run(CUT) == []
    style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    assert page.run(style, "body", "color") == "rgb(28, 36, 48)"
    for figure in (".timeline", ".fall", ".room", ".small"):
        assert page.run(style, figure, "breakInside") == "avoid"
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
