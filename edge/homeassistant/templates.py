"""Jinja templates that take an entity's value from a JSON payload.

Home Assistant renders them. It reads "ON" and "OFF" as states of a binary sensor, and "None" as unknown.
"""

from collections.abc import Iterable

from edge.errors import ReasonCode

# With these codes, the configuration is followed, or there is nothing to fall back from.
_NO_FALLBACK = (ReasonCode.CONFIGURED, ReasonCode.READY, ReasonCode.ABSENT)


def flag(field: str) -> str:
    """On if a boolean is true, or a count is not 0."""
    return _on_off(f"value_json.{field}")


def number(field: str) -> str:
    """A whole number, or a null."""
    return f"{{{{ value_json.{field} }}}}"


def rounded(field: str) -> str:
    """A number, or a null, rounded to a whole number: each change is a row in Home Assistant's database."""
    return f"{{% set x = value_json.{field} %}}{{{{ x if x is none else x | round | int }}}}"


def zone_occupied(zone: str) -> str:
    return _in_zone(zone) + _on_off("zone", "zone.occupied")


def zone_people(zone: str) -> str:
    return _in_zone(zone) + "{{ zone if zone is none else zone.people }}"


def event(fields: Iterable[str]) -> str:
    """The type of an event, and these fields as attributes."""
    entries = ", ".join(f"'{name}': value_json.{name}" for name in ("event_type", *fields))
    return f"{{{{ {{{entries}}} | tojson }}}}"


# Two people count as several even if only one is standing. A person who is lost for a moment is still present.
POSTURE = (
    "{% set s = value_json %}{{ "
    "none if s.standing is none "
    "else 'several' if s.people > 1 "
    "else 'lying' if s.lying else 'sitting' if s.sitting else 'standing' if s.standing "
    "else none if s.people or s.present "
    "else 'nobody' }}"
)
# A camera that is switched off is no problem. While it is starting, nothing is known.
CAMERA_PROBLEM = "{{ {'ok': 'OFF', 'off': 'OFF', 'stalled': 'ON', 'blind': 'ON'}.get(value_json.camera) }}"
# An accelerator that is absent is a problem only if it worked before.
ACCELERATOR_FALLBACK = (
    "{% set code = value_json.backend_code %}{{ "
    f"none if code == '{ReasonCode.STARTING}' "
    f"else 'ON' if code == '{ReasonCode.ABSENT}' and this.state == 'on' "
    f"else 'OFF' if code in {[str(code) for code in _NO_FALLBACK]} "
    "else 'ON' }}"
)
# Whole frames per second, because the tenths change every minute; slow cameras need them.
FRAME_RATE = "{% set fps = value_json.fps %}{{ fps | round(1) if fps < 2 else fps | round | int }}"
INFERENCE_TIME = "{% set ms = value_json.latency_ms.inference %}{{ ms if ms is none else ms.median | round | int }}"
UPTIME = "{{ (value_json.uptime_s / 3600) | round(1) }}"


def _on_off(known: str, on: str = "") -> str:
    """Unknown if the expression `known` is null, otherwise on or off by the expression `on`."""
    return f"{{{{ none if {known} is none else 'ON' if {on or known} else 'OFF' }}}}"


def _in_zone(zone: str) -> str:
    return f"{{% set zone = (value_json.zones or {{}}).get('{zone}') %}}"
