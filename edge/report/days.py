"""Local days: when they begin and end, also where clocks are changed for summer."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

# A clock outside this range is wrong, and the range of Python's dates is limited.
EARLIEST_S, LATEST_S = 86_400.0, 4_102_444_800.0  # 1970-01-02, 2100-01-01


@dataclass(frozen=True, slots=True)
class LocalDay:
    date: date
    start_s: float  # seconds since 1970
    end_s: float  # 23, 24 or 25 hours later


def plausible(wall_s: float) -> float:
    """The time, or the nearest one that a calendar can show."""
    return min(max(wall_s, EARLIEST_S), LATEST_S)


def local(wall_s: float, zone: tzinfo | None) -> datetime:
    """A time in a time zone; None is the zone of this machine."""
    return datetime.fromtimestamp(wall_s, UTC).astimezone(zone)


def day_of(wall_s: float, zone: tzinfo | None) -> LocalDay:
    """The day that contains a plausible time."""
    day = local(wall_s, zone).date()
    return LocalDay(day, _midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def zone_name(wall_s: float, zone: tzinfo | None) -> str:
    """The name of a time zone at a time, such as "CET, UTC+01:00"."""
    at = local(wall_s, zone)
    offset = at.strftime("%z")
    name = at.tzname() or ""
    utc = f"UTC{offset[:3]}:{offset[3:5]}"
    return utc if name.startswith(("+", "-")) or not name else "UTC" if name == "UTC" else f"{name}, {utc}"


def _midnight(day: date, zone: tzinfo | None) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
