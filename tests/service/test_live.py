"""What a change of the settings does to a running sensor."""

from unittest.mock import MagicMock

import msgspec
import pytest

from edge.config import Config
from edge.config.settings import with_values
from edge.people.exclusion import ExcludedZone
from edge.service.live import LiveSensor


@pytest.mark.parametrize("on", [False, True])
def test_the_privacy_switch_switches_the_source_and_restarts_the_gate(*, on: bool) -> None:
    before, after = (with_values(Config(), {"enabled": enabled}) for enabled in (not on, on))
    parts = {name: MagicMock() for name in LiveSensor.__dataclass_fields__}
    parts["settings"].config = after
    LiveSensor(**parts).apply(before)
    parts["source"].switch.assert_called_once_with(on=on)
    parts["pipeline"].gate.restart.assert_called_once_with()
    parts["page"].shutter.switch.assert_called_once_with(on=on)


ZONE = {"name": "bed", "points": [[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]}
MIRROR = ZONE | {"name": "mirror", "kind": "exclude"}


def test_all_parts_of_the_sensor_follow_a_change_of_zones() -> None:
    after = msgspec.convert({"zones": [ZONE, MIRROR]}, Config)
    parts = {name: MagicMock() for name in LiveSensor.__dataclass_fields__}
    parts["settings"].configure_mock(config=after, basis=after, places_changed=True)
    excluded = parts["pipeline"].excluded = [ExcludedZone("screen", ((0, 0), (1, 0), (1, 1)))]
    LiveSensor(**parts).apply(Config())
    assert [zone.name for zone in excluded] == ["mirror"]
    parts["announcer"].use.assert_called_once_with(after)
    parts["open_events"].reconfigure.assert_called_once_with(after)
    parts["page"].show_places.assert_called_once_with(after, changed=True)
    assert parts["facts"].places_changed is True
    parts["supervisor"].publish_info.assert_called_once_with()
    parts["source"].switch.assert_not_called()


def test_a_setting_announces_nothing_to_home_assistant() -> None:
    after = with_values(Config(), {"fall": False})
    parts = {name: MagicMock() for name in LiveSensor.__dataclass_fields__}
    parts["settings"].config = after
    LiveSensor(**parts).apply(Config())
    parts["announcer"].use.assert_not_called()
    parts["page"].show_places.assert_not_called()
