"""Put a report together: one HTML page that needs no other file, no network and no script."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from importlib.resources import files

from edge import __version__
from edge.recording.read import Flaw
from edge.report import events
from edge.report.axis import axis_of, is_long
from edge.report.collect import Day, Device
from edge.report.days import zone_name
from edge.report.figures import DayFigures, day_figures, gaps_of, jumps_of
from edge.report.markup import Html, el
from edge.report.room import room
from edge.report.summary import figures_in_words, overview, sentences
from edge.report.timeline import bins_table, timeline
from edge.report.words import GAPS, clock_on, counted, duration, listed

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
MOST_FLAWS = 50
MOST_GAPS = 30


@dataclass(frozen=True, slots=True)
class Report:
    """What a page shows."""

    devices: tuple[Device, ...]
    zone: tzinfo | None  # of all times; None: that of this machine
    files: int
    frames: int
    flaws: tuple[Flaw, ...] = ()
    more_flaws: int = 0  # beyond those
    days: tuple[tuple[Device, Day, DayFigures], ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find the days, in order."""
        days = [
            (device, day, day_figures(device, day, self.zone))
            for device in self.devices
            for _, day in sorted(device.days.items())
        ]
        object.__setattr__(self, "days", tuple(days))


def page(report: Report) -> str:
    """The whole page."""
    title = ", ".join(filter(None, (_names(report), _dates(report))))
    style = Html(files("edge.report").joinpath("style.css").read_text(encoding="utf-8"))
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="generator", content=f"edge-pose {__version__}"),
        el("title", title),
        el("style", style),
    )
    whole = any(is_long(day) for _, day, _ in report.days)
    sections = [_day(report, device, day, figures, whole=whole) for device, day, figures in report.days]
    empty = el("p", "These recordings have no frames, so there is nothing to show.", class_="empty")
    body = el(
        "body",
        _header(report),
        el("main", overview(report.days) if len(sections) > 1 else None, sections or empty),
        _footer(report),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='en', xmlns='http://www.w3.org/1999/xhtml')}\n"


def _names(report: Report) -> str:
    return listed([device.name for device in report.devices]) or "Nothing recorded"


def _dates(report: Report) -> str:
    """From the first to the last day."""
    days = sorted({day.day.date for _, day, _ in report.days})
    texts = dict.fromkeys(f"{one:%-d %B %Y}" for one in (*days[:1], *days[-1:]))
    return " to ".join(texts)


def _header(report: Report) -> Html:
    zones = dict.fromkeys(
        name for _, day, _ in report.days for name in (zone_name(one, report.zone) for one in _ends(day))
    )
    times = f" Times are local: {listed(list(zones))}." if zones else ""
    many = f"{_dates(report)}. " if len(report.days) > 1 else ""
    made = f"{many}{counted(report.frames, 'frame')} in {counted(report.files, 'file')}.{times}"
    return el("header", el("p", "edge-pose report", class_="brand"), el("h1", _names(report)), el("p", made))


def _ends(day: Day) -> tuple[float, float]:
    return day.day.start_s, day.day.end_s - 1


def _day(report: Report, device: Device, day: Day, figures: DayFigures, *, whole: bool) -> Html:
    zone, key = report.zone, _key(report, device, day)
    axis = axis_of(day, whole=whole)
    name = f"{device.name}, " if len(report.devices) > 1 else ""
    return el(
        "section",
        el("h2", f"{name}{day.day.date:%A}", " ", el("small", f"{day.day.date:%-d %B %Y}")),
        figures_in_words(day, figures, zone),
        el("p", sentences(day, figures, zone), class_="words"),
        timeline(device, day, axis, zone, key),
        bins_table(day, axis, zone),
        el("div", el("section", el("h3", "Where"), room(day)), _side(device, day, figures, zone), class_="columns"),
        events.falls(day, zone, key),
        events.others(day, zone),
        events.table(day, zone),
        class_="day",
        id=key,
    )


def _key(report: Report, device: Device, day: Day) -> str:
    return f"d{report.devices.index(device) + 1}-{day.day.date.isoformat()}"


def _side(device: Device, day: Day, figures: DayFigures, zone: tzinfo | None) -> Html:
    """Tables beside the map: zones, lines, gaps."""
    zones = [
        (name, duration(one.occupied_s) if one.occupied_s else "–", str(one.visits))
        for name, one in figures.zones.items()
    ]
    lines = [(name, str(one.inwards), str(one.outwards)) for name, one in figures.lines.items()]
    return el(
        "div",
        _table("Zones", ("Zone", "Occupied", "Visits"), zones),
        _table("Lines", ("Line", "Inwards", "Outwards"), lines),
        _gaps(device, day, zone),
    )


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Html | None:
    if not rows:
        return None
    body = [el("tr", el("th", row[0], scope="row"), [el("td", cell) for cell in row[1:]]) for row in rows]
    columns = el("tr", [el("th", one, scope="col") for one in head])
    return el("section", el("h3", title), el("table", el("thead", columns), el("tbody", body)))


def _gaps(device: Device, day: Day, zone: tzinfo | None) -> Html:
    date = day.day.date.isoformat()
    items = [
        el(
            "li",
            el("b", f"{clock_on(one.start_s, zone, date)} to {clock_on(one.end_s, zone, date)}"),
            f", {duration(one.end_s - one.start_s)}: {GAPS.get(one.reason, one.reason)}",
        )
        for one in gaps_of(device, day)
    ]
    for one in jumps_of(device, day):
        before, after = (clock_on(at_s, zone, date) for at_s in (one.before_s, one.after_s))
        items.append(el("li", el("b", before), f": the clock was set to {after}"))
    if day.dropped:
        items.append(el("li", f"{counted(day.dropped, 'frame')} not written, because the disk was slow or full"))
    if day.watched_changed:
        items.append(el("li", "The settings of the rules changed on this day; zones and lines are those at its end."))
    if not items:
        items = [el("li", "None between the first and the last frame.")]
    more = len(items) - MOST_GAPS
    if more > 0:
        items[MOST_GAPS:] = [el("li", f"and {more} more")]
    return el("section", el("h3", "Gaps"), el("ul", items, class_="gaps"))


def _footer(report: Report) -> Html:
    flaws = [el("li", f"{flaw.path.name}, line {flaw.line}: {flaw.problem}") for flaw in report.flaws]
    if report.more_flaws:
        flaws.append(el("li", f"and {report.more_flaws} more"))
    return el(
        "footer",
        el("section", el("h2", "Problems in the files"), el("ul", flaws), class_="flaws") if flaws else None,
        el("h2", "About this report"),
        el(
            "p",
            "It was made from keypoints; recordings contain no pictures. It shows how people moved, so keep it as safe "
            "as the recordings. People have numbers, not names: a number follows a person while they are detected, "
            "and the same person may get several.",
        ),
        el(
            "p",
            "edge-pose is not a medical device. It misses some falls, and reports some that did not happen. Nothing is "
            "known about the time of a gap.",
        ),
        el("p", f"Made by edge-pose {__version__}.", class_="note"),
    )
