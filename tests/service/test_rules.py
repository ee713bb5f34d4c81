"""The rules are built as configured."""

import pytest

from edge.config import Config
from edge.rules.values import State
from edge.service.rules import open_rules
from tests.support.models import fast_config as config
from tests.support.pipelines import configured
from tests.support.rules import Player, standing

ZONE = {"name": "right", "points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}
SOMEONE = standing(1, (500, 400))


def outcomes(wanted: Config, *, empty_s: float = 5.0) -> Player:
    player = Player(open_rules(wanted))
    player.show(SOMEONE, for_s=3)
    player.show(for_s=empty_s)
    return player


def state(player: Player) -> State:
    final = player.outcomes[-1].state
    assert final is not None
    return final


def test_settings_reach_the_rules() -> None:
    wanted = config(presence={"enter_s": 1.5, "leave_s": 4}, zones=[ZONE | {"loitering_s": 2}], device={"id": "hall"})
    player = outcomes(wanted)
    assert [(event.rule, event.type) for event in player.events] == [
        ("zone", "entered"), ("presence", "arrived"), ("zone", "loitering"), ("presence", "left"), ("zone", "left"),
    ]  # fmt: skip
    other = outcomes(config(device={"id": "door"}))
    assert {event.id for event in player.events}.isdisjoint(event.id for event in other.events)


def test_people_are_not_located_in_excluded_zones() -> None:
    player = outcomes(config(zones=[ZONE | {"kind": "exclude"}]))
    assert [event.rule for event in player.events] == ["presence"]
    assert state(player).zones == {}


def test_disabled_rules_leave_the_state_unknown() -> None:
    player = outcomes(config(presence={"enabled": False}, posture={"enabled": False}))
    assert player.events == []
    assert (state(player).present, state(player).moving, state(player).standing) == (None, None, None)


def test_postures_are_in_the_state() -> None:
    assert state(outcomes(config(), empty_s=0)).standing == 1


@pytest.mark.parametrize(("continuous", "present"), [(True, False), (False, None)])
def test_rules_run_only_on_frames_that_belong_together(continuous: bool, present: bool | None) -> None:
    _, pipeline = configured(config(), continuous=continuous)
    player = Player(pipeline.rules)
    player.show(for_s=1)
    assert state(player).present == present
