"""Show the report of `edge-pose evaluate-events` as tables."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

NOT_MEASURED = "not measured"
LISTED = 10  # clips, per list


def show(report: dict[str, Any]) -> None:
    """Print the report to standard output."""
    out = Console(highlight=False)
    total = report["total"]
    out.print(_facts(report))
    out.print(_table("people", _people_rows(total["people"])))
    out.print(_table("falls", _fall_rows(total["fall"])))
    out.print(_table("gestures", _gesture_rows(total["gesture"])))
    out.print(_postures(total["posture"]))
    for line in _worst(report["clips"]):
        out.print(line)


def _facts(report: dict[str, Any]) -> Text:
    total = report["total"]
    minutes, seconds = divmod(round(total["duration_s"]), 60)
    rate = f"{report['fps']:g} fps" if report["fps"] else "all frames"
    return Text(
        f"{total['clips']} clips, {minutes} min {seconds} s, {total['frames']} frames ({rate}), "
        f"{report['config']['model']['name']}",
        style="dim",
    )


Rows = Iterator[tuple[str, str, str]]


def _people_rows(people: dict[str, Any] | None) -> Rows:
    if people is None:
        yield "people", NOT_MEASURED, "the truth does not say how many there are"
        return
    frames = people["frames"]
    yield "frames with a person too many", _percent(people["too_many_share"]), f"{people['too_many']} of {frames}"
    yield "frames with a person too few", _percent(people["too_few_share"]), f"{people['too_few']} of {frames}"
    yield "IDs per person", _number(people["ids_per_person"]), f"{people['ids']} for {people['people']} people"
    yield "IDs that were never a person", _count(people["ghost_ids"]), ""
    yield "ID switches", _count(people["switches"]), ""
    seen = f"in {people['down_seen']} of {people['down_frames']} frames"
    yield "people seen after a fall", _percent(people["down_seen_share"]), seen


def _fall_rows(fall: dict[str, Any] | None) -> Rows:
    if fall is None:
        yield "falls", NOT_MEASURED, "falls are not reported"
        return
    late = f", {fall['late']} late" if fall["late"] else ""
    yield "recall", _percent(fall["recall"]), f"{fall['found']} of {fall['falls']} falls{late}"
    yield "precision", _percent(fall["precision"]), f"{fall['repeated']} alarms were repeated"
    yield "false alarms", _count(fall["false_alarms"]), f"{_number(fall['false_alarms_per_h'])} per hour"
    yield "false suspicions", _count(fall["false_suspicions"]), ""
    yield "delay", _seconds(fall["delay_median_s"]), f"median; p95 {_seconds(fall['delay_p95_s'])}"
    early = f", {fall['cleared_early']} cleared too early"
    yield "cleared", _percent(fall["clear_recall"]), f"{fall['cleared']} of {fall['to_clear']} who got up{early}"
    yield "named another person", _count(fall["wrong_person"]), ""
    yield "missed in clips that end within 5 s", _count(fall["missed_in_short_clips"]), ""
    names = {"slow": "slow falls", "deliberate": "lying down on purpose", "bed": "falls onto a bed"}
    for kind, counts in fall["apart"].items():
        if counts["happened"]:
            yield f"apart: {names[kind]}", f"{counts['reported']}", f"alarms in {counts['happened']}"


def _gesture_rows(gesture: dict[str, Any] | None) -> Rows:
    if gesture is None:
        yield "gestures", NOT_MEASURED, "gestures are not reported, or not in the truth"
        return
    yield "recall", _percent(gesture["recall"]), f"{gesture['found']} of {gesture['gestures']}"
    yield "precision", _percent(gesture["precision"]), f"{gesture['false']} false"
    yield "delay", _seconds(gesture["delay_median_s"]), f"median; p95 {_seconds(gesture['delay_p95_s'])}"


def _postures(posture: dict[str, Any] | None) -> Table:
    if posture is None:
        return _table("postures", iter([("postures", NOT_MEASURED, "they are not reported, or not in the truth")]))
    names = list(posture["confusion"])
    table = Table("true \\ reported", *names, title=f"postures: accuracy {_percent(posture['accuracy'])}", width=80)
    for column in table.columns[1:]:
        column.justify = "right"
    for true in names:
        table.add_row(true, *(str(posture["confusion"][true][name]) for name in names))
    return table


def _worst(clips: list[dict[str, Any]]) -> Iterator[str]:
    """The clips with missed falls and false alarms."""
    for clip in clips:
        falls = clip["falls"]
        if falls is None:
            continue
        for fall in falls["falls"]:
            if fall["kind"] == "fall" and not fall["found"]:
                yield f"{clip['name']}: the fall at {fall['start_s']:g} s is missed"
        for alarm in falls["false_alarms"]:
            yield f"{clip['name']}: false alarm at {alarm['at_s']:g} s: {', '.join(alarm['reasons'])}"


def _table(title: str, rows: Rows) -> Table:
    table = Table(title, "", "", width=80)
    table.columns[1].justify = "right"
    for row in rows:
        table.add_row(*row)
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _count(value: int | None) -> str:
    return NOT_MEASURED if value is None else str(value)
