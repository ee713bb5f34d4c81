"""The timeline of a day: people, postures, zones, falls and other events above one time axis."""

from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo

from edge.report.axis import Axis
from edge.report.collect import GAP_S, Day, Device, Occurrence
from edge.report.figures import is_confirmed, of_rule
from edge.report.markup import Html, el, join, num, percent, scrolling
from edge.report.series import POSTURES, Bin
from edge.report.strips import MOST_STRIPS
from edge.report.words import clock, counted, title_of

_SCALE = 1000.0  # width of a lane's drawing
SHORTEST = 0.0005  # a shorter gap, as a share of the axis, is too narrow to be drawn
_TICK = 2.4  # width of a single event in it
POSTURE_WORDS = dict(zip(POSTURES, ("standing", "sitting", "lying", "not clear"), strict=True))


def timeline(device: Device, day: Day, axis: Axis, zone: tzinfo | None, key: str) -> Html:
    """The figure; `key` begins the IDs of its elements."""
    bins = [(axis.share(_start(day, axis, number)), one) for number, one in day.series.resampled(axis.bin_s)]
    width = axis.bin_s / (axis.end_s - axis.start_s)
    most = max((one.most for _, one in bins), default=0)
    labels = axis.labels(zone)
    plots = [
        _lane("People", f"up to {most}" if most > 1 else "", _people(bins, width, max(most, 1)), "people"),
        _lane("Posture", "", _postures(bins, width), "postures")
        if any(_has_postures(one) for _, one in bins)
        else None,
        *_zone_lanes(day, bins, width),
        _falls(day, axis, zone, key),
        _ticks("Gestures", of_rule(day, "gesture"), axis, zone),
        _ticks("Lines", of_rule(day, "line"), axis, zone),
    ]
    return el(
        "figure",
        el("div", _background(device, axis, labels), plots, class_="lanes"),
        _legend(day, device, axis),
        class_="timeline",
        role="group",
        aria_label=f"Timeline from {clock(axis.start_s, zone)} to {clock(axis.end_s, zone)}; a table follows",
    )


def _start(day: Day, axis: Axis, number: int) -> float:
    return day.day.start_s + number * axis.bin_s


def _has_postures(one: Bin) -> bool:
    return sum(one.postures) > 0


def _lane(name: str, hint: str, content: Html, kind: str, **attributes: str) -> Html:
    label = el("div", el("span", name), el("small", hint) if hint else None, class_="label")
    return el("div", label, el("div", content, class_="plot"), class_=f"lane {kind}", **attributes)


def _drawing(content: Iterable[Html], height: float) -> Html:
    """A drawing that is stretched over the lane."""
    return el(
        "svg", content, viewBox=f"0 0 {num(_SCALE)} {num(height)}", preserveAspectRatio="none", aria_hidden="true"
    )


def _people(bins: Sequence[tuple[float, Bin]], width: float, most: int) -> Html:
    """The largest number of people in each bin."""
    shapes = [
        f"M{num(x1)} {most}V{most - count}H{num(x2)}V{most}Z" for x1, x2, count in _runs(bins, width, lambda b: b.most)
    ]
    # Faint lines show whole people.
    rules = [el("path", d=f"M0 {level}H{num(_SCALE)}", class_="rule") for level in range(1, most)]
    return _drawing([el("path", d="".join(shapes), class_="fill"), *rules], most)


def _runs(
    bins: Sequence[tuple[float, Bin]], width: float, value: Callable[[Bin], float]
) -> Iterable[tuple[float, float, float]]:
    """Neighbouring bins with the same value as (x1, x2, value), without those of 0."""
    runs: list[tuple[float, float, float]] = []
    for share, one in bins:
        found = value(one)
        x1, x2 = share * _SCALE, (share + width) * _SCALE
        if runs and runs[-1][2] == found and x1 - runs[-1][1] < width * _SCALE / 2:
            runs[-1] = (runs[-1][0], x2, found)
        else:
            runs.append((x1, x2, found))
    return [run for run in runs if run[2]]


def _postures(bins: Sequence[tuple[float, Bin]], width: float) -> Html:
    """The share of each posture in each bin, one on top of the other."""
    paths: list[list[str]] = [[] for _ in POSTURES]
    for share, one in bins:
        total = sum(one.postures)
        if total <= 0:
            continue
        x1, x2, level = share * _SCALE, (share + width) * _SCALE, 1.0
        for index, seconds in enumerate(one.postures):
            if seconds:
                top = level - seconds / total
                paths[index].append(f"M{num(x1)} {num(level)}V{num(top)}H{num(x2)}V{num(level)}Z")
                level = top
    return _drawing([el("path", d="".join(d), class_=name) for name, d in zip(POSTURES, paths, strict=True) if d], 1)


def _zone_lanes(day: Day, bins: Sequence[tuple[float, Bin]], width: float) -> list[Html]:
    kinds = {one.name: one.kind for one in day.watched.zones}
    names = [name for name, kind in kinds.items() if kind != "exclude"]
    names += [name for _, one in bins for name in one.zones]
    lanes = []
    for name in dict.fromkeys(names):
        runs = _runs(bins, width, lambda one, name=name: float(one.zones.get(name, 0.0) > 0))  # type: ignore[misc]
        path = "".join(f"M{num(x1)} 0H{num(x2)}V1H{num(x1)}Z" for x1, x2, _ in runs)
        drawing = _drawing([el("path", d=path, class_=kinds.get(name, "area"))], 1)
        lanes.append(_lane(name, "", drawing, "zone"))
    return lanes


def _falls(day: Day, axis: Axis, zone: tzinfo | None, key: str) -> Html | None:
    falls = of_rule(day, "fall")
    if not falls and not day.watched.falls:
        return None
    marks = [
        el(
            "a",
            el("span", f"{title_of(one)} at {clock(one.first.wall_s, zone)}", class_="spoken"),
            class_="mark confirmed" if is_confirmed(one) else "mark",
            href=f"#{key}-fall-{number}",
            title=f"{title_of(one)} at {clock(one.first.wall_s, zone)}",
            style=f"left:{percent(axis.share(one.first.wall_s))}",
        )
        for number, one in enumerate(falls[: MOST_STRIPS["fall"]], 1)  # the others have no card
    ]
    return _lane("Falls", "", join(marks), "falls")


def _ticks(name: str, occurrences: Sequence[Occurrence], axis: Axis, zone: tzinfo | None) -> Html | None:
    """A mark per event."""
    if not occurrences:
        return None
    places = {round(axis.share(one.first.wall_s) * (_SCALE - _TICK), 1): one for one in reversed(occurrences)}
    ticks = [el("rect", _tick_title(places[x], zone), x=x, y=0, width=_TICK, height=1) for x in sorted(places)]
    return _lane(name, "", _drawing(ticks, 1), "ticks")


def _tick_title(one: Occurrence, zone: tzinfo | None) -> Html:
    return el("title", f"{title_of(one)} at {clock(one.first.wall_s, zone)}")


def _background(device: Device, axis: Axis, labels: Sequence[tuple[float, str]]) -> Html:
    """Hours, and hatching where nothing was recorded, behind all lanes."""
    lines = [
        el(
            "i",
            el("span", text),
            class_="hour minor" if number % 3 else "hour",
            style=f"left:{percent(axis.share(at_s))}",
        )
        for number, (at_s, text) in enumerate(labels)
    ]
    dark = [
        el("b", style=f"left:{percent(start)};width:{percent(end - start)}") for start, end in unrecorded(device, axis)
    ]
    return el("div", dark, lines, class_="background", aria_hidden="true")


def unrecorded(device: Device, axis: Axis) -> list[tuple[float, float]]:
    """The parts of the axis that no recording covers, from 0 to 1."""
    known = [(one.start_s, one.end_s) for one in device.stretches]
    inside = sorted((start, end) for start, end in known if end > axis.start_s and start < axis.end_s)
    found, until_s = [], axis.start_s
    for start_s, end_s in [*inside, (axis.end_s, axis.end_s)]:
        if start_s - until_s > max(GAP_S, SHORTEST * (axis.end_s - axis.start_s)):
            found.append((axis.share(until_s), axis.share(start_s)))
        until_s = max(until_s, end_s)
    return found


def _legend(day: Day, device: Device, axis: Axis) -> Html:
    entries = []
    total = day.series.total()
    for (name, words), seconds in zip(POSTURE_WORDS.items(), total.postures, strict=True):
        if seconds:
            entries.append(el("li", el("i", class_=name), words))
    falls = of_rule(day, "fall")
    if any(map(is_confirmed, falls)):
        entries.append(el("li", el("i", class_="mark confirmed"), "fall"))
    if not all(map(is_confirmed, falls)):
        entries.append(el("li", el("i", class_="mark"), "suspected fall, dismissed"))
    if unrecorded(device, axis):
        entries.append(el("li", el("i", class_="hatched"), "not recorded"))
    return el("figcaption", el("ul", entries, class_="legend"))


def bins_table(day: Day, axis: Axis, zone: tzinfo | None) -> Html:
    """The figures of the timeline as a table."""
    span_s = axis.end_s - axis.start_s
    # The last one is for bins that are longer than all others.
    step_s = next((one for one in (60, 300, 600, 3600) if one >= day.series.step_s and span_s / one <= 26), 3600)
    names = [name for name in POSTURES if any(one.postures[POSTURES.index(name)] for one in day.series.bins.values())]
    head = ["From", "Recorded", "Present", "People", *(POSTURE_WORDS[name].capitalize() for name in names)]
    rows = []
    for number, one in day.series.resampled(step_s):
        at_s = day.day.start_s + number * step_s
        shares = [one.postures[POSTURES.index(name)] for name in names]
        cells = [f"{one.watched_s / 60:.1f} min", f"{one.present_s / 60:.1f} min", str(one.most)]
        cells += [f"{seconds / 60:.1f} min" if seconds else "–" for seconds in shares]
        rows.append(el("tr", el("th", clock(at_s, zone, seconds=False), scope="row"), [el("td", c) for c in cells]))
    table = el("table", el("thead", el("tr", [el("th", one, scope="col") for one in head])), el("tbody", rows))
    note = f"Each row is {counted(step_s // 60, 'minute') if step_s < 3600 else 'one hour'}. People: the most at once."
    return el(
        "details", el("summary", "The timeline as a table"), scrolling("The timeline as a table", table), el("p", note)
    )
