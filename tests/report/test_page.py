"""The page: well-formed, complete in itself, safe, and readable without a picture."""

import dataclasses
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.report.figures import Visits
from edge.report.page import POLICY, Report, page
from tests.report.reports import NOON_S, SPACE, found, report_of, report_of_files, text_of, tree_of
from tests.support.bodies import SITTING, STANDING
from tests.support.days import CHAIR, DOOR, TABLE, Script, falling, still, walking, waving

VOID = {"meta", "br", "rect", "path", "line", "circle", "col"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A visit with a fall, a gesture, a line, zones and a gap."""
    script = Script(NOON_S)
    script.frames(5.8, walking(1, DOOR, CHAIR, 5.8), step_s=0.1)
    script.frames(30, still(1, SITTING, CHAIR), step_s=0.1)
    script.empty(30)
    script.end("camera stalled", 60)
    script.frames(10, still(2, STANDING, TABLE), step_s=0.1)
    script.frames(55, falling(2, TABLE), step_s=0.1)
    script.frames(5, waving(2, TABLE), step_s=0.1)
    script.empty(20)
    return report_of(tmp_path_factory.mktemp("report"), script)[0]


class Checker(HTMLParser):
    """Notes elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.seen.add(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag not in VOID:
            self.wrong.append(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")


def test_the_page_is_well_formed_html_and_xml(report: Report) -> None:
    checker = Checker()
    checker.feed(page(report))
    assert (checker.open, checker.wrong) == ([], [])
    assert {"main", "figure", "svg", "table", "details"} <= checker.seen
    assert tree_of(report).tag == f"{SPACE}html"


def test_the_page_loads_nothing_else(report: Report) -> None:
    text = page(report).replace('xmlns="http://www.w3.org/1999/xhtml"', "")
    assert "http:" not in text
    assert not re.search(r"https:|//[a-z]|url\(|@import|<script|<link|<img|<iframe|\bsrc=|\bon[a-z]+=", text)
    assert f'content="{POLICY.replace(chr(39), "&#x27;")}"' in text
    tree = tree_of(report)
    links = [one.get("href", "") for one in tree.iter(f"{SPACE}a")]
    ids = [one.get("id") for one in tree.iter() if one.get("id")]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert len(ids) == len(set(ids))


def test_the_same_recording_gives_the_same_page(tmp_path: Path) -> None:
    pages = set()
    for _ in range(2):
        script = Script(NOON_S)
        script.frames(20, falling(1, TABLE), step_s=0.1)
        pages.add(page(report_of(tmp_path, script)[0]))
    assert len(pages) == 1


def test_of_many_falls_the_first_three_times_are_in_the_summary(tmp_path: Path) -> None:
    script = Script(NOON_S)
    for person in range(1, 5):
        script.frames(55, falling(person, TABLE), step_s=0.1)
        script.empty(20)
    text = text_of(tree_of(report_of(tmp_path, script)[0]))
    assert re.search(r"4 falls were confirmed, at [\d:]+, [\d:]+, [\d:]+ and later\.", text)


def test_a_fall_has_a_card_with_eight_skeletons_and_their_times(report: Report) -> None:
    (card,) = found(tree_of(report), "fall")
    (strip,) = found(card, "strip")
    panels = list(strip)
    assert len(panels) == 8
    assert [text_of(panel)[:6].strip() for panel in panels][:2] == ["−2.4 s", "−1.2 s"]
    times = [text_of(next(panel.iter(f"{SPACE}time"))) for panel in panels]
    assert times == sorted(times)
    assert [text_of(next(found(panel, "posture"))) for panel in panels][::7] == ["standing", "standing"]
    assert "lying" in text_of(strip)
    assert all(sum(1 for _ in found(panel, "person")) == 1 for panel in panels)
    (mark,) = (one for one in found(tree_of(report), "mark") if one.tag == f"{SPACE}a")
    assert mark.get("href") == f"#{card.get('id')}"


def test_other_events_have_small_strips(report: Report) -> None:
    titles = [text_of(next(one.iter(f"{SPACE}h4"))) for one in found(tree_of(report), "small")]
    assert any(title.endswith("Waving") for title in titles)
    assert any("door: crossed inwards" in title for title in titles)
    assert any("armchair: entered" in title for title in titles)


def test_gaps_are_drawn_and_explained(report: Report) -> None:
    tree = tree_of(report)
    (background,) = found(tree, "background")
    assert len(list(background.iter(f"{SPACE}b"))) >= 1
    (gaps,) = found(tree, "gaps")
    assert "1 min" in text_of(gaps)
    assert "delivered no frames" in text_of(gaps)


def test_drawings_have_texts_or_tables_beside_them(report: Report) -> None:
    tree = tree_of(report)
    for drawing in tree.iter(f"{SPACE}svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.find(f"{SPACE}title") is not None
    assert len(list(tree.iter(f"{SPACE}details"))) == 2
    for table in tree.iter(f"{SPACE}table"):
        assert next(table.iter(f"{SPACE}th"), None) is not None or table.find(f"{SPACE}caption") is not None
    levels = [int(one.tag[-1]) for one in tree.iter() if re.fullmatch(rf"{SPACE}h[1-6]", one.tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


NASTY = "<script>alert(1)</script>&\"'\x00\x1b\u202e"


def test_names_are_escaped(tmp_path: Path) -> None:
    """The configuration refuses such names, but pages must not depend on that."""
    script = Script(NOON_S)
    script.frames(5.8, walking(1, CHAIR, DOOR, 5.8), step_s=0.1)
    script.end(NASTY, 30)
    script.empty(10)
    path = script.write(tmp_path / "<b>.jsonl")
    path.write_bytes(path.read_bytes() + b"<i>damaged</i>\n")
    report, flaws = report_of_files(path)
    assert len(flaws) == 1
    ((device, day, figures),) = report.days
    device.name = day.device = NASTY
    zones = tuple(replace(one, name=NASTY) for one in day.watched.zones)
    lines = tuple(replace(one, name=NASTY) for one in day.watched.lines)
    day.watched = dataclasses.replace(day.watched, zones=zones, lines=lines)
    for one in day.occurrences:
        one.first = dataclasses.replace(one.first, zone=NASTY)
        one.phases = [dataclasses.replace(phase, reasons=(NASTY,)) for phase in one.phases]
    object.__setattr__(figures, "zones", {NASTY: Visits(1.0, 1)})
    text, tree = page(report), tree_of(report)
    assert "<script" not in text
    assert not set("\x00\x1b\u202e") & set(text)
    shown = text_of(tree)
    assert shown.count("<script>alert(1)</script>&\"'") > 5
    assert "<b>.jsonl, line" in shown


def test_an_empty_recording_gives_a_page_that_says_so(tmp_path: Path) -> None:
    report, _ = report_of(tmp_path, Script(NOON_S))
    assert "nothing to show" in text_of(next(found(tree_of(report), "empty")))


def test_an_empty_room_gives_a_page_that_says_so(tmp_path: Path) -> None:
    script = Script(NOON_S)
    script.empty(600)
    tree = tree_of(report_of(tmp_path, script)[0])
    assert "No people were seen in 9 min 58 s of recording. No fall was suspected." in text_of(tree)
    assert not list(found(tree, "strip"))


def test_a_single_frame_has_a_page(tmp_path: Path) -> None:
    script = Script(NOON_S)
    script.frames(0.1, still(1, STANDING, TABLE), step_s=0.1)
    assert "1 frame in 1 file" in text_of(tree_of(report_of(tmp_path, script)[0]))


def test_several_days_have_a_section_each_and_an_overview(tmp_path: Path) -> None:
    script = Script(datetime(2026, 12, 1, 23, 59, tzinfo=UTC).timestamp())
    script.frames(120, still(1, STANDING, TABLE), step_s=0.1)
    tree = tree_of(report_of(tmp_path, script)[0])
    assert [one.get("id") for one in found(tree, "day")] == ["d1-2026-12-01", "d1-2026-12-02"]
    (overview,) = found(tree, "overview")
    assert [one.get("href") for one in overview.iter(f"{SPACE}a")] == ["#d1-2026-12-01", "#d1-2026-12-02"]


def test_damaged_files_are_named_without_their_folders(tmp_path: Path) -> None:
    script = Script(NOON_S)
    script.empty(10)
    path = script.write(tmp_path / "hall-000001.jsonl")
    path.write_bytes(path.read_bytes() + b"damaged\n" * 80)
    report, flaws = report_of_files(path)
    assert len(flaws) == 80
    (section,) = found(tree_of(report), "flaws")
    assert "hall-000001.jsonl, line 7:" in text_of(section)
    assert "and 30 more" in text_of(section)
    assert str(tmp_path) not in page(report)
