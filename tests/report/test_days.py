"""Local days, also where clocks are changed."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from edge.report.days import EARLIEST_S, LATEST_S, day_of, local, plausible, zone_name

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(("noon", "hours"), [("2026-12-01", 24), ("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_is_as_long_as_the_clocks_say(noon: str, hours: int) -> None:
    day = day_of(datetime.fromisoformat(f"{noon}T12:00").replace(tzinfo=BERLIN).timestamp(), BERLIN)
    assert day.date == date.fromisoformat(noon)
    assert day.end_s - day.start_s == hours * 3600
    assert local(day.start_s, BERLIN).isoformat()[:16] == f"{noon}T00:00"


def test_midnight_belongs_to_the_day_that_begins() -> None:
    day = day_of(datetime(2026, 12, 1, 23, tzinfo=UTC).timestamp(), BERLIN)
    assert day.date == date(2026, 12, 2)
    assert day.start_s == datetime(2026, 12, 1, 23, tzinfo=UTC).timestamp()


def test_a_time_zone_is_named_with_its_offset() -> None:
    winter, summer = (datetime(2026, month, 1, tzinfo=UTC).timestamp() for month in (1, 7))
    assert zone_name(winter, BERLIN) == "CET, UTC+01:00"
    assert zone_name(summer, BERLIN) == "CEST, UTC+02:00"
    assert zone_name(winter, UTC) == "UTC"
    assert zone_name(winter, ZoneInfo("America/Sao_Paulo")) == "UTC-03:00"


@pytest.mark.parametrize("wall_s", [-1e12, 0.0, 1e12])
def test_wrong_clocks_still_have_a_day(wall_s: float) -> None:
    assert plausible(wall_s) in {EARLIEST_S, LATEST_S}
    day = day_of(plausible(wall_s), BERLIN)
    assert day.start_s <= plausible(wall_s) < day.end_s
