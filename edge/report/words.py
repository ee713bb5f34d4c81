"""Times, lengths of time and events in words."""

import re
from collections.abc import Sequence
from datetime import tzinfo

from edge.report.collect import Occurrence
from edge.report.days import local
from edge.report.figures import is_confirmed
from edge.rules.values import Event

NO_BREAK = "\N{NO-BREAK SPACE}"

# Why no frames followed, for the reasons of docs/rules.md.
GAPS = {
    "": "not recorded",
    "camera stalled": "the camera delivered no frames",
    "nothing can be seen": "nothing could be seen: covered lens, or dark room",
    "switched off": "the camera was switched off",
    "stopped": "the sensor was stopped",
    "restarted": "the sensor was restarted",
}
TYPES = {
    "suspected": "suspected", "confirmed": "confirmed", "still_down": "still on the floor",
    "dismissed": "dismissed", "cleared": "over",
    "arrived": "arrived", "left": "left", "entered": "entered", "loitering": "stayed long",
    "crossed_in": "crossed inwards", "crossed_out": "crossed outwards",
    "left_hand_raised": "left hand raised", "right_hand_raised": "right hand raised",
    "both_hands_raised": "both hands raised", "waving": "waving", "ended": "ended",
}  # fmt: skip


def duration(seconds: float) -> str:
    """A length of time with two units at most, such as "5 h 12 min", "42 s" or "0.8 s", without line breaks."""
    if seconds < 9.95:
        text = f"{seconds:.1f} s" if seconds else "0 s"
    elif seconds < 59.5:
        text = f"{seconds:.0f} s"
    elif seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        text = f"{minutes} min" + (f" {rest} s" if rest else "")
    else:
        hours, minutes = divmod(round(seconds / 60), 60)
        text = f"{hours} h" + (f" {minutes} min" if minutes else "")
    return text.replace(" ", NO_BREAK)


def clock(wall_s: float, zone: tzinfo | None, *, seconds: bool = True) -> str:
    """A local time of day."""
    return local(wall_s, zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def clock_on(wall_s: float, zone: tzinfo | None, day: str) -> str:
    """A local time of day, with the date if that is another day than the ISO date `day`."""
    at = local(wall_s, zone)
    return at.strftime("%H:%M:%S" if at.date().isoformat() == day else "%-d %b %H:%M:%S")


def share(part: float, whole: float) -> str:
    """A percentage: "< 1 %" if it is small but not 0, "> 99 %" if it is large but not 100."""
    if whole <= 0 or part <= 0:
        text = "0 %"
    elif 100 * part < whole:
        text = "< 1 %"
    elif part < whole and 100 * part > 99 * whole:
        text = "> 99 %"
    else:
        text = f"{100 * part / whole:.0f} %"
    return text.replace(" ", NO_BREAK)


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun: "1 fall", "2 falls"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(parts: Sequence[str]) -> str:
    """The parts as in a sentence: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def title_of(one: Occurrence) -> str:
    """What an event is, such as "Fall" or "Raised hand" or "bed: entered"."""
    if one.first.rule == "fall":
        return "Fall" if is_confirmed(one) else "Suspected fall, dismissed" if "dismissed" in one.types else "Suspicion"
    kinds = [TYPES.get(phase.type, phase.type) for phase in one.phases if phase.type != "ended"]
    text = ", ".join(dict.fromkeys(kinds or ["ended"]))
    return f"{one.first.zone}: {text}" if one.first.zone else text[:1].upper() + text[1:]


def reasons(phase: Event) -> str:
    """Why a phase began. Numbers stay with their seconds."""
    return re.sub(r"(?<=\d) (?=s\b)", NO_BREAK, "; ".join(phase.reasons))


def number_of(person: int | None) -> str:
    return "" if person is None else f"person {person}"
