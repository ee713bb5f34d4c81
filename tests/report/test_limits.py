"""Pages stay small when much happens."""

from pathlib import Path

from edge.report.events import MOST_ROWS
from edge.report.page import MOST_GAPS, page
from edge.report.strips import MOST_STRIPS
from tests.report.reports import NOON_S, SPACE, found, report_of, text_of, tree_of
from tests.support.bodies import STANDING
from tests.support.days import DOOR, RULES, TABLE, Script, falling, still, walking


def test_many_falls_have_cards_up_to_a_limit(tmp_path: Path) -> None:
    script = Script(NOON_S, rules={**RULES, "zones": [], "lines": []})
    count = MOST_STRIPS["fall"] + 3
    for number in range(count):
        script.frames(13, falling(number, TABLE, down_s=2.5), step_s=0.1)
        script.empty(6)
    report, _ = report_of(tmp_path, script)
    ((_, _, figures),) = report.days
    assert figures.falls is not None
    assert figures.falls.suspected == count
    tree = tree_of(report)
    cards = [one for one in found(tree, "fall") if one.tag == f"{SPACE}article"]
    marks = [one for one in found(tree, "mark") if one.tag == f"{SPACE}a"]
    assert len(cards) == len(marks) == MOST_STRIPS["fall"]
    assert "3 further falls" in text_of(tree)


def test_many_crossings_and_gaps_are_listed_up_to_a_limit(tmp_path: Path) -> None:
    script = Script(NOON_S)
    for number in range(MOST_ROWS):
        script.frames(3, walking(number, DOOR, (0.9, -0.7), 3), step_s=0.2)
        script.frames(0.4, still(number, STANDING, (0.9, -0.7)), step_s=0.2)
        script.end("camera stalled", 20)
    report, _ = report_of(tmp_path, script)
    ((_, day, figures),) = report.days
    assert figures.lines["door"].inwards == MOST_ROWS
    assert len(figures.gaps) == MOST_ROWS - 1
    assert day.strips["line"] == MOST_STRIPS["line"]
    tree = tree_of(report)
    (table,) = found(tree, "events")
    assert len(list(table.iter(f"{SPACE}tr"))) == MOST_ROWS + 1
    assert "further events" in text_of(tree)
    (gaps,) = found(tree, "gaps")
    assert len(list(gaps)) == MOST_GAPS + 1
    assert len(page(report)) < 600_000
