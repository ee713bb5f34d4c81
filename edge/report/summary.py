"""The figures of a day in words, and the overview of several days."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from edge.report.collect import Day, Device
from edge.report.figures import DayFigures, is_confirmed, of_rule
from edge.report.markup import Child, Html, el, percent, scrolling
from edge.report.timeline import POSTURE_WORDS
from edge.report.words import NO_BREAK, TYPES, clock, counted, duration, listed, share

MOST_TIMES = 3  # in a sentence
PRECISE_S = 1800.0  # times of a shorter recording have seconds


def figures_in_words(day: Day, figures: DayFigures, zone: tzinfo | None) -> Html:
    """The figures that matter most, large."""
    first, last = _time(figures, figures.first_seen), _time(figures, figures.last_seen)
    start, end = _time(figures, figures.start), _time(figures, figures.end)
    tiles = [
        _tile("Present", duration(figures.present_s), _arrivals(figures)),
        _tile("First seen", first, f"last seen {last}" if figures.last_seen else "no people were seen"),
        _falls_tile(day, figures, zone),
        _postures_tile(figures),
        _tile("Recorded", duration(figures.recorded_s), f"from {start} to {end}"),
    ]
    return el("dl", tiles, class_="tiles")


def sentences(day: Day, figures: DayFigures, zone: tzinfo | None) -> str:
    """The day in a few sentences."""
    if figures.first_seen is None:
        said = [f"No people were seen in {duration(figures.recorded_s)} of recording."]
    else:
        present, of = duration(figures.present_s), share(figures.present_s, figures.recorded_s)
        first, last = _time(figures, figures.first_seen), _time(figures, figures.last_seen)
        said = [f"People were present for {present}, {of} of the time recorded. They were seen from {first} to {last}."]
    if figures.most_people > 1:
        said.append(f"At most {figures.most_people} people were in view at once.")
    said.append(_falls_sentence(day, figures, zone))
    zones = [f"{name} for {duration(one.occupied_s)}" for name, one in figures.zones.items() if one.occupied_s]
    if zones:
        said.append(f"Occupied zones: {listed(zones)}.")
    gestures = [f"{TYPES[name]} {_times(count)}" for name, count in (figures.gestures or {}).items()]
    if gestures:
        said.append(f"Gestures: {listed(gestures)}.")
    if figures.gaps:
        said.append(f"There {_are(len(figures.gaps), 'gap')} in the recording.")
    return " ".join(filter(None, said))


def overview(days: Iterable[tuple[Device, Day, DayFigures]]) -> Html:
    """A row per day, with links."""
    columns = ("Day", "Falls", "Present", "First seen", "Last seen", "Recorded")
    devices: dict[str, int] = {}
    rows = []
    for device, day, one in days:
        number = devices.setdefault(device.name, len(devices) + 1)
        falls = "–" if one.falls is None else str(one.falls.confirmed)
        link = el("a", f"{day.day.date:%a %-d %b}", href=f"#d{number}-{one.date}")
        first, last = _time(one, one.first_seen), _time(one, one.last_seen)
        cells = falls, duration(one.present_s), first, last, duration(one.recorded_s)
        rows.append((device.name, el("tr", el("th", link, scope="row"), [el("td", cell) for cell in cells])))
    tables = []
    for name in devices:
        head = el("tr", [el("th", column, scope="col") for column in columns])
        body = [row for device_name, row in rows if device_name == name]
        caption = el("caption", name) if len(devices) > 1 else None
        tables.append(el("table", caption, el("thead", head), el("tbody", body)))
    return el("nav", el("h2", "Days"), scrolling("Days", tables), aria_label="Days", class_="overview")


def _tile(name: str, value: str, hint: Child = "", kind: str | None = None) -> Html:
    return el("div", el("dt", name), el("dd", el("b", value), el("small", hint)), class_=kind)


def _arrivals(figures: DayFigures) -> str:
    if figures.visits is None:
        return "with a person in view"
    if not figures.visits:
        return "arrived before" if figures.present_s else "no people arrived"
    return f"arrived {_times(figures.visits)}"


def _falls_tile(day: Day, figures: DayFigures, zone: tzinfo | None) -> Html:
    if figures.falls is None:
        return _tile("Falls", "–", "the rule was off")
    falls = figures.falls
    dismissed = falls.suspected - falls.confirmed
    more = [f"{dismissed} more suspected"] if falls.confirmed and dismissed else []
    more += [f"{dismissed} suspected, none confirmed"] if dismissed and not falls.confirmed else []
    hint = "; ".join([*filter(None, [_when(day, figures, zone)]), *more])
    return _tile("Falls", str(falls.confirmed), hint or "none suspected", "alarm" if falls.confirmed else None)


def _when(day: Day, figures: DayFigures, zone: tzinfo | None) -> str:
    """The times of the confirmed falls; "" without any."""
    falls = of_rule(day, "fall")
    times = [clock(one.first.wall_s, zone, seconds=not _is_long(figures)) for one in falls if is_confirmed(one)]
    some = [*times[:MOST_TIMES], *(["later"] if len(times) > MOST_TIMES else [])]
    return f"at {listed(some)}" if some else ""


def _postures_tile(figures: DayFigures) -> Html:
    if figures.postures_s is None:
        return _tile("Postures", "–", "the rule was off")
    known = {name: seconds for name, seconds in figures.postures_s.items() if seconds}
    if not known:
        return _tile("Postures", "–", "no people were seen")
    total, named = sum(known.values()), sorted(known, key=lambda name: -known[name])
    parts = [f"{POSTURE_WORDS[name]} {share(known[name], total)}".replace(" ", NO_BREAK) for name in named]
    bar = el(
        "span", [el("i", class_=name, style=f"width:{percent(known[name] / total)}") for name in known], class_="bar"
    )
    return _tile("Mostly", POSTURE_WORDS[named[0]], [bar, ", ".join(parts)])


def _falls_sentence(day: Day, figures: DayFigures, zone: tzinfo | None) -> str:
    if figures.falls is None:
        return "The fall rule was off."
    falls = figures.falls
    dismissed = falls.suspected - falls.confirmed
    if not falls.suspected:
        return "No fall was suspected."
    if not falls.confirmed:
        return f"{counted(dismissed, 'fall')} {_was(dismissed)} suspected, and none was confirmed."
    text = f"{counted(falls.confirmed, 'fall')} {_was(falls.confirmed)} confirmed, {_when(day, figures, zone)}"
    return text + (f"; {dismissed} more {_was(dismissed)} suspected." if dismissed else ".")


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _are(count: int, noun: str) -> str:
    return f"{'is' if count == 1 else 'are'} {counted(count, noun)}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _time(figures: DayFigures, text: str | None) -> str:
    """A time of day, with seconds if little was recorded."""
    return "–" if text is None else f"{datetime.fromisoformat(text):{'%H:%M' if _is_long(figures) else '%H:%M:%S'}}"


def _is_long(figures: DayFigures) -> bool:
    return figures.recorded_s >= PRECISE_S
