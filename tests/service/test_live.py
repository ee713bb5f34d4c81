"""What a change of the settings does to a running sensor."""

from unittest.mock import MagicMock

import pytest

from edge.config import Config
from edge.config.settings import with_values
from edge.service.live import LiveSensor


@pytest.mark.parametrize("on", [False, True])
def test_the_privacy_switch_switches_the_source_and_restarts_the_gate(*, on: bool) -> None:
    before, after = (with_values(Config(), {"enabled": enabled}) for enabled in (not on, on))
    parts = {name: MagicMock() for name in LiveSensor.__dataclass_fields__}
    parts["settings"].config = after
    LiveSensor(**parts).apply(before)
    parts["source"].switch.assert_called_once_with(on=on)
    parts["pipeline"].gate.restart.assert_called_once_with()
