"""The events of a day on the page: a card per fall, small strips for the others, and a table of all."""

from collections.abc import Sequence
from datetime import tzinfo

from edge.report.collect import Day, Occurrence
from edge.report.figures import is_confirmed, of_rule
from edge.report.markup import Html, el, scrolling
from edge.report.skeletons import strip
from edge.report.strips import MOST_STRIPS
from edge.report.words import TYPES, clock, clock_on, counted, duration, listed, number_of, reasons, title_of

MOST_ROWS = 300  # of a table
PHASES = {
    "suspected": "Suspected",
    "confirmed": "Confirmed",
    "still_down": "Still on the floor",
    "dismissed": "Dismissed",
    "cleared": "Over",
}


def falls(day: Day, zone: tzinfo | None, key: str) -> Html | None:
    """A card per fall, up to the number of strips that are kept."""
    found = of_rule(day, "fall")
    cards = [
        _fall(one, day, zone, f"{key}-fall-{number}") for number, one in enumerate(found[: MOST_STRIPS["fall"]], 1)
    ]
    more = len(found) - len(cards)
    note = el("p", f"{counted(more, 'further fall')}: see all events.", class_="note") if more else None
    return el("section", el("h3", "Falls"), cards, note, class_="falls") if cards else None


def _fall(one: Occurrence, day: Day, zone: tzinfo | None, key: str) -> Html:
    confirmed = is_confirmed(one)
    date = day.day.date.isoformat()
    phases = [
        el(
            "li",
            el("time", clock_on(phase.wall_s, zone, date)),
            el("b", PHASES.get(phase.type, phase.type)),
            el("span", f"after {duration(phase.duration_s)}") if phase.duration_s else None,
            el("small", reasons(phase)),
        )
        for phase in one.phases
    ]
    head = el(
        "header",
        el("h4", el("time", clock(one.first.started_wall_s, zone)), " ", title_of(one)),
        el("p", _in_words(one)),
    )
    figure = strip(one, day.watched, zone)
    return el(
        "article",
        head,
        figure or el("p", "The frames from its beginning were not recorded.", class_="note"),
        el("ol", phases, class_="phases"),
        id=key,
        class_="fall confirmed" if confirmed else "fall",
    )


def _in_words(one: Occurrence) -> str:
    subject = number_of(one.last.person).capitalize() or "A person"
    if not is_confirmed(one):
        return f"{subject} seemed to fall, but the rule did not confirm it."
    if "cleared" in one.types:
        return f"{subject} fell; the event ended after {duration(one.last.duration_s)}."
    return f"{subject} fell; the recording ends before the event does."


def others(day: Day, zone: tzinfo | None) -> Html | None:
    """Small strips of gestures, lines and zones, in the order of time."""
    shown = []
    for one in day.occurrences:
        if one.first.rule == "fall":
            continue
        figure = strip(one, day.watched, zone)
        if figure:
            title = el("h4", el("time", clock(one.first.wall_s, zone)), " ", title_of(one))
            shown.append(el("article", title, figure, class_="small"))
    if not shown:
        return None
    full = [rule for rule, count in day.strips.items() if rule != "fall" and len(of_rule(day, rule)) > count]
    note = el("p", f"Only the first events of these kinds are drawn: {listed(full)}.", class_="note") if full else None
    return el("section", el("h3", "Gestures, lines and zones"), el("div", shown, class_="grid"), note)


def table(day: Day, zone: tzinfo | None) -> Html | None:
    """All events of the day with their reasons."""
    if not day.occurrences:
        return None
    rows = [_row(one, day, zone) for one in day.occurrences[:MOST_ROWS]]
    more = len(day.occurrences) - len(rows)
    note = el("p", f"{counted(more, 'further event')}: `edge-pose replay` prints all.", class_="note") if more else None
    head = el("tr", [el("th", one, scope="col") for one in ("Time", "Event", "Person", "Lasted", "Why")])
    body = el("table", el("thead", head), el("tbody", rows), class_="events")
    return el("section", el("h3", "All events"), scrolling("All events", body), note)


def _row(one: Occurrence, day: Day, zone: tzinfo | None) -> Html:
    last = one.last
    ended = len(one.phases) > 1
    return el(
        "tr",
        el("th", clock_on(one.first.wall_s, zone, day.day.date.isoformat()), scope="row"),
        el("td", _event_in_words(one)),
        el("td", "" if last.person is None else str(last.person)),
        el("td", duration(last.duration_s) if ended else "" if one.first.rule == "line" else "open"),
        el("td", _reasons(one)),
    )


def _event_in_words(one: Occurrence) -> str:
    first = one.first
    types = [TYPES.get(phase.type, phase.type) for phase in one.phases]
    name = {"presence": "A person", "zone": first.zone or "", "line": first.zone or ""}.get(first.rule, first.rule)
    return f"{name}: {', '.join(types)}"


def _reasons(one: Occurrence) -> Sequence[Html]:
    return [el("div", el("i", f"{TYPES.get(phase.type, phase.type)}: "), reasons(phase)) for phase in one.phases]
