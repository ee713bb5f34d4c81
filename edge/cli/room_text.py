"""Events and states as coloured text, for `watch` and `replay`."""

from rich.text import Text

from edge.mqtt.events import EventOut, StateOut, in_words

ALARMS = {("fall", "confirmed"), ("fall", "still_down")}
STYLES = {"fall": "yellow", "gesture": "magenta"}
POSTURES = "standing", "sitting", "lying"


def event_line(device: str, event: EventOut) -> Text:
    return Text.assemble((_start(event.time, device, event.seq), "dim"), event_in_words(event))


def event_in_words(event: EventOut) -> Text:
    style = "bold red" if (event.rule, event.event_type) in ALARMS else STYLES.get(event.rule, "green")
    return Text(in_words(event), style)


def state_line(device: str, state: StateOut) -> Text:
    return Text.assemble((_start(state.time, device, state.seq), "dim"), "state  ", state_in_words(state))


def state_in_words(state: StateOut) -> Text:
    """What is there now, such as "2 people  1 standing, 1 lying  moving  bed: 1"."""
    if state.people is None:
        return Text("unknown", "bold yellow")
    counts = ((name, getattr(state, name)) for name in POSTURES)
    parts = [
        (count_of_people(state.people), "bold"),
        (", ".join(f"{count} {name}" for name, count in counts if count), "cyan"),
        ("fall" if state.fall else "", "bold red"),
        ("still down" if state.still_down else "", "bold red"),
        ("moving" if state.moving else "", "cyan"),
        *(
            (f"{name}: {zone.people or 'occupied'}", "green")
            for name, zone in (state.zones or {}).items()
            if zone.occupied
        ),
    ]
    return Text("  ").join(Text(*part) for part in parts if part[0])


def count_of_people(count: int) -> str:
    return {0: "no people", 1: "1 person"}.get(count, f"{count} people")


def _start(time: str, device: str, sequence: int | None) -> str:
    return f"{time[11:-1]}  {device}  " + ("" if sequence is None else f"#{sequence}  ")
