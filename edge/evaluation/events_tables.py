"""Show the report of `edge-pose evaluate-events` as tables."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

NOT_MEASURED = "not measured"
LISTED = 20  # mistakes; --json lists all of them
WIDTH = 78  # of 80 columns
WIDTHS = (34, 12, 26)  # of the columns
APART = {"slow": "slow falls", "deliberate": "lying down on purpose", "bed": "falls onto a bed"}
RULES = {"presence": "presence", "zone": "zones", "line": "lines"}

Row: TypeAlias = tuple[str, str, str]  # what, its figure, and where that comes from


def show(report: dict[str, Any]) -> None:
    """Print the report to standard output."""
    out = Console(highlight=False)
    total = report["total"]
    out.print(_facts(report))
    for table in (
        _table("People", _people(total["people"])),
        _table("Presence, zones and lines", _expected(total)),
        _postures(total["posture"]),
        _table("Falls", _falls(total["fall"])),
        _table("Gestures", _gestures(total["gesture"])),
    ):
        out.print()
        out.print(table)
    mistakes = list(_mistakes(report["clips"]))
    if mistakes:
        out.print()
        out.print(_listed(mistakes[:LISTED]))
    for clip in report["clips"]:
        for flaw in clip["flaws"]:
            out.print(f" {flaw}", style="yellow", markup=False)
    if len(mistakes) > LISTED:
        out.print(f" ... and {len(mistakes) - LISTED} more, which --json lists", style="dim")


def _facts(report: dict[str, Any]) -> Text:
    total = report["total"]
    minutes, seconds = divmod(round(total["duration_s"]), 60)
    rate = f" at {report['fps']:g} per second" if report["fps"] else ""
    clips = f"{total['clips']} clip{'s' * (total['clips'] != 1)}"
    networks = {" + ".join(clip["networks"]) or "recordings": None for clip in report["clips"]}
    facts = f" {clips} · {minutes} min {seconds:02} s · {total['frames']} frames{rate}\n {', '.join(networks)}"
    return Text(facts, style="dim")


def _people(people: dict[str, Any] | None) -> Iterator[Row]:
    if people is None:
        yield "people", NOT_MEASURED, "not in the truth"
        return
    frames = people["frames"]
    yield "frames with a person too many", _share(people["too_many_share"]), f"{people['too_many']} of {frames}"
    yield "frames with a person too few", _share(people["too_few_share"]), f"{people['too_few']} of {frames}"
    yield "IDs per person", _number(people["ids_per_person"]), f"{people['ids']} for {_people_count(people['people'])}"
    yield "IDs that were never a person", _count(people["ghost_ids"]), ""
    yield "ID switches", _count(people["switches"]), ""
    seen = f"{people['down_seen']} of {people['down_frames']} frames"
    yield "a fallen person is seen", _share(people["down_seen_share"]), seen


def _people_count(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _expected(total: dict[str, Any]) -> Iterator[Row]:
    present = total["present"]
    if present is None:
        yield "present while a person is in view", NOT_MEASURED, "not reported, or unknown"
    else:
        counts = f"{present['present']} of {present['occupied']} frames"
        yield "present while a person is in view", _share(present["present_share"]), counts
        counts = f"{present['absent']} of {present['empty']} frames"
        yield "absent while the room is empty", _share(present["absent_share"]), counts
    for rule, name in RULES.items():
        figures = total[rule]
        if figures is None:
            yield f"events of {name}", NOT_MEASURED, "not in the truth"
        else:
            yield f"{name}: recall", _share(figures["recall"]), f"{figures['found']} of {figures['events']} events"
            yield f"{name}: precision", _share(figures["precision"]), f"{figures['false']} false"


def _falls(fall: dict[str, Any] | None) -> Iterator[Row]:
    if fall is None:
        yield "falls", NOT_MEASURED, "not reported"
        return
    late = f", {fall['late']} late" if fall["late"] else ""
    yield "recall", _share(fall["recall"]), f"{fall['found']} of {fall['falls']}{late}"
    yield "precision", _share(fall["precision"]), f"{fall['repeated']} repeated"
    yield "false alarms", _count(fall["false_alarms"]), f"{_number(fall['false_alarms_per_h'])} per hour"
    yield "false suspicions", _count(fall["false_suspicions"]), ""
    if fall["found"]:
        yield "delay", _seconds(fall["delay_median_s"]), f"median; p95 {_seconds(fall['delay_p95_s'])}"
    if fall["to_clear"]:
        yield "cleared", _share(fall["clear_recall"]), f"{fall['cleared']} of {fall['to_clear']} that got up"
    yield "cleared too early", _count(fall["cleared_early"]), ""
    yield "names another person", _count(fall["wrong_person"]), ""
    if fall["missed_in_short_clips"]:
        yield "missed in the last 5 s of a clip", _count(fall["missed_in_short_clips"]), ""
    for kind, counts in fall["apart"].items():
        if counts["happened"]:
            yield f"apart: {APART[kind]}", f"{counts['reported']} of {counts['happened']}", "with an alarm"


def _gestures(gesture: dict[str, Any] | None) -> Iterator[Row]:
    if gesture is None:
        yield "gestures", NOT_MEASURED, "not reported, or unknown"
        return
    yield "recall", _share(gesture["recall"]), f"{gesture['found']} of {gesture['gestures']}"
    yield "precision", _share(gesture["precision"]), f"{gesture['false']} false"
    if gesture["found"]:
        yield "delay", _seconds(gesture["delay_median_s"]), f"median; p95 {_seconds(gesture['delay_p95_s'])}"


def _postures(posture: dict[str, Any] | None) -> Table:
    if posture is None:
        return _table("Postures", [("postures", NOT_MEASURED, "not reported, or unknown")])
    names = list(posture["confusion"])
    accuracy = f"Postures, {_share(posture['accuracy'])} right"
    table = Table(accuracy, *(f"as {name}" for name in names), box=box.SIMPLE_HEAD, show_edge=False, width=WIDTH)
    for column in table.columns[1:]:
        column.justify = "right"
    for true in names:
        row = posture["confusion"][true]
        cells = [Text(str(row[name]), "green" if name == true != "unknown" else "") for name in names]
        table.add_row(true, *cells, style="dim" if true == "unknown" else None)
    return table


def _mistakes(clips: list[dict[str, Any]]) -> Iterator[Row]:
    """The events that are missing or false, clip by clip."""
    for clip in clips:
        mistakes = [*_fall_mistakes(clip["falls"]), *_gesture_mistakes(clip["gestures"])]
        for rule, figures in clip["expected"].items():
            mistakes += [
                (one["at_s"], _text("missed", rule, one)) for one in figures["expected"] if one["found_s"] is None
            ]
            mistakes += [(one["at_s"], _text("false", rule, one)) for one in figures["false"]]
        for at_s, what in sorted(mistakes):
            yield clip["name"], f"{at_s:.1f} s", what


def _fall_mistakes(figures: dict[str, Any] | None) -> Iterator[tuple[float, str]]:
    for fall in figures["falls"] if figures else ():
        if fall["kind"] == "fall" and not fall["found"]:
            yield fall["start_s"], f"missed fall {fall['how']}".rstrip()
    for alarm in figures["false_alarms"] if figures else ():
        yield alarm["at_s"], f"false fall: {', '.join(alarm['reasons'])}"


def _gesture_mistakes(figures: dict[str, Any] | None) -> Iterator[tuple[float, str]]:
    for gesture in figures["gestures"] if figures else ():
        if gesture["found_s"] is None and not gesture["optional"]:
            yield gesture["on_s"], f"missed {gesture['name']}"
    for gesture in figures["false"] if figures else ():
        yield gesture["at_s"], f"false {gesture['name']}"


def _text(what: str, rule: str, event: dict[str, Any]) -> str:
    return " ".join(filter(None, (what, rule, event["type"], event["zone"])))


def _listed(mistakes: Iterable[Row]) -> Table:
    table = Table("Clip", "at", "mistake", box=box.SIMPLE_HEAD, show_edge=False, width=WIDTH)
    table.columns[0].no_wrap = True
    table.columns[1].justify, table.columns[1].no_wrap = "right", True
    for name, at, what in mistakes:
        table.add_row(Text(name), at, Text(what))
    return table


def _table(title: str, rows: Iterable[Row]) -> Table:
    table = Table(title, "", "", box=box.SIMPLE_HEAD, show_edge=False, width=WIDTH)
    for column, width in zip(table.columns, WIDTHS, strict=True):
        column.width = width
    table.columns[1].justify = "right"
    table.columns[2].style = "dim"
    for what, figure, source in rows:
        table.add_row(what, Text(figure, "dim" if figure == NOT_MEASURED else "bold"), source)
    return table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _count(value: int | None) -> str:
    return NOT_MEASURED if value is None else str(value)
