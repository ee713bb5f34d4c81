"""The rules are built as configured."""

import pytest

from edge.config import Config
from edge.rules.values import Event, State
from edge.service.rules import open_rules, reconfigure
from tests.support import bodies
from tests.support.bodies import View
from tests.support.models import fast_config as config
from tests.support.people import STANDING, person
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


@pytest.mark.parametrize(("table", "gestures"), [({}, 1), ({"hold_s": 5}, 0), ({"enabled": False}, 0)])
def test_settings_of_gestures_reach_the_rule(table: dict[str, object], gestures: int) -> None:
    player = Player(open_rules(config(gestures=table)))
    player.show(person(1, RAISED, at=(200, 200)), for_s=3)
    assert [event.type for event in player.events if event.rule == "gesture"] == ["left_hand_raised"] * gestures


def fallen(wanted: Config) -> Player:
    """A person stands, falls to the right, and lies."""
    player = Player(open_rules(wanted))
    player.play([View().person(1, bodies.STANDING)] for _ in range(30))
    player.play([View().person(1, bodies.tilted(bodies.STANDING, 10.0 * k, towards=90))] for k in range(10))
    player.play([View().person(1, bodies.lying(towards=90))] for _ in range(90))
    return player


def fall_events(player: Player) -> list[str]:
    return [event.type for event in player.events if event.rule == "fall"]


def test_settings_of_falls_reach_the_rule() -> None:
    assert fall_events(fallen(config(fall={"confirm_s": 1, "still_down_s": 3}))) == [
        "suspected", "confirmed", "still_down",
    ]  # fmt: skip
    assert fall_events(fallen(config(fall={"confirm_s": 8}))) == ["suspected"]
    assert state(fallen(config(posture={"enabled": False}))).fall is True
    off = fallen(config(fall={"enabled": False}))
    assert (fall_events(off), state(off).fall) == ([], None)


def test_beds_reach_the_rule() -> None:
    everywhere = {"name": "bed", "kind": "bed", "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    assert fall_events(fallen(config(zones=[everywhere]))) == []
    assert fall_events(fallen(config(zones=[everywhere | {"kind": "area"}]))) == ["suspected", "confirmed"]


RAISED = {**STANDING, "LEFT_ELBOW": (128.0, 20.0), "LEFT_WRIST": (130.0, -15.0)}


def test_the_same_configuration_changes_nothing() -> None:
    wanted = config(zones=[ZONE], lines=[{"name": "middle", "from": [0.5, 1], "to": [0.5, 0]}])
    player = Player(open_rules(wanted))
    player.show(SOMEONE, for_s=3)
    before = player.rules.running, player.rules.open()
    assert reconfigure(player.rules, wanted) == ()
    assert (player.rules.running, player.rules.open()) == before
    assert player.show(SOMEONE, for_s=3) == []


@pytest.mark.parametrize(
    ("table", "rule", "last"), [("presence", "presence", "left"), ("gestures", "gesture", "ended")]
)
def test_a_rule_that_is_switched_off_ends_its_events_and_loses_its_state(table: str, rule: str, last: str) -> None:
    player = Player(open_rules(config(zones=[ZONE])))
    someone = person(1, RAISED, at=(400, 200))
    begun = player.show(someone, for_s=3)
    assert {event.rule for event in begun} == {"presence", "zone", "gesture"}
    off = config(zones=[ZONE], **{table: {"enabled": False}})
    (ended,) = reconfigure(player.rules, off)
    assert (ended.rule, ended.type, ended.reasons) == (rule, last, ("switched off",))
    assert ended.id in {event.id for event in begun}
    assert reconfigure(player.rules, off) == ()
    assert player.show(someone, for_s=3) == []
    assert reconfigure(player.rules, config(zones=[ZONE])) == ()
    (again,) = player.show(someone, for_s=3)
    assert (again.rule, again.id != ended.id) == (rule, True)


def test_a_fall_is_cleared_when_the_rule_is_switched_off() -> None:
    player = fallen(config())
    (cleared,) = [event for event in reconfigure(player.rules, config(fall={"enabled": False})) if event.rule == "fall"]
    assert (cleared.type, cleared.reasons) == ("cleared", ("switched off",))
    player.show(View().person(1, bodies.lying(towards=90)), for_s=3)
    assert (state(player).fall, state(player).still_down) == (None, None)
    reconfigure(player.rules, config())
    player.show(View().person(1, bodies.lying(towards=90)), for_s=3)
    assert state(player).fall is False
    assert fall_events(player) == ["suspected", "confirmed"]


def test_a_suspected_fall_is_dismissed_when_the_rule_is_switched_off() -> None:
    player = fallen(config(fall={"confirm_s": 8}))
    (dismissed,) = reconfigure(player.rules, config(fall={"enabled": False}))
    assert (dismissed.type, dismissed.reasons) == ("dismissed", ("switched off",))


def test_postures_may_be_switched_while_the_rules_run() -> None:
    player = outcomes(config(), empty_s=0)
    reconfigure(player.rules, config(posture={"enabled": False}))
    player.show(SOMEONE, for_s=1)
    assert (state(player).standing, state(player).persons[0].posture) == (None, "unknown")
    reconfigure(player.rules, config())
    player.show(SOMEONE, for_s=1)
    assert (state(player).standing, state(player).persons[0].posture) == (1, "standing")


def test_rules_that_stay_on_keep_what_they_know_and_follow_new_settings() -> None:
    short = {"leave_s": 2}
    player = Player(open_rules(config(zones=[ZONE])))
    player.show(SOMEONE, for_s=3)
    begun = {event.rule: event.id for event in player.events}
    assert reconfigure(player.rules, config(zones=[ZONE], presence=short, gestures={"enabled": False})) == ()
    left = player.show(for_s=3)
    assert {event.rule: (event.type, event.id) for event in left} == {
        rule: ("left", id_) for rule, id_ in begun.items()
    }


def test_a_fall_that_is_suspected_follows_a_new_time_to_confirm() -> None:
    player = fallen(config(fall={"confirm_s": 8}))
    assert fall_events(player) == ["suspected"]
    assert reconfigure(player.rules, config(fall={"confirm_s": 1})) == ()
    player.show(View().person(1, bodies.lying(towards=90)), for_s=0.2)
    assert fall_events(player) == ["suspected", "confirmed"]


@pytest.mark.parametrize(("continuous", "present"), [(True, False), (False, None)])
def test_rules_run_only_on_frames_that_belong_together(continuous: bool, present: bool | None) -> None:
    _, pipeline = configured(config(), continuous=continuous)
    player = Player(pipeline.rules)
    player.show(for_s=1)
    assert state(player).present == present


LEFT = {"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
MIDDLE = {"name": "middle", "from": [0.5, 1], "to": [0.5, 0]}


def zone_events(events: "list[Event] | tuple[Event, ...]") -> list[tuple[str, str | None, tuple[str, ...]]]:
    return [(event.type, event.zone, event.reasons[-1:]) for event in events if event.rule == "zone"]


def test_a_zone_that_stays_keeps_its_visits_when_others_come_and_go() -> None:
    player = Player(open_rules(config(zones=[LEFT, ZONE])))
    player.show(SOMEONE, for_s=3)
    assert reconfigure(player.rules, config(zones=[ZONE | {"loitering_s": 4}, LEFT | {"name": "new"}])) == ()
    (loitering,) = player.show(SOMEONE, for_s=2)
    assert loitering.type == "loitering"
    assert loitering.id == next(event.id for event in player.events if event.rule == "zone")
    assert list(state(player).zones) == ["right", "new"]
    assert state(player).zones["right"].dwell_s == pytest.approx(5, abs=0.5)


@pytest.mark.parametrize("zones", [[], [LEFT]], ids=["all", "one"])
def test_visits_to_a_removed_zone_end(zones: list[dict[str, object]]) -> None:
    player = Player(open_rules(config(zones=[ZONE])))
    begun = player.show(SOMEONE, for_s=3)
    (left,) = reconfigure(player.rules, config(zones=zones))
    assert (left.type, left.zone, left.reasons) == ("left", "right", ("zone removed",))
    assert left.id in {event.id for event in begun}
    assert player.show(SOMEONE, for_s=3) == []
    assert "right" not in state(player).zones
    assert state(player).persons[0].zones == ()


def test_a_zone_with_other_corners_begins_again() -> None:
    player = Player(open_rules(config(zones=[ZONE])))
    player.show(SOMEONE, for_s=3)
    ended = reconfigure(player.rules, config(zones=[LEFT | {"name": "right"}]))
    assert zone_events(ended) == [("left", "right", ("zone changed",))]
    assert player.show(SOMEONE, for_s=2) == []
    reconfigure(player.rules, config(zones=[ZONE]))
    assert [event.type for event in player.show(SOMEONE, for_s=2)] == ["entered"]


def test_people_are_located_in_the_first_zones_of_a_running_sensor() -> None:
    player = Player(open_rules(config()))
    player.show(SOMEONE, for_s=3)
    assert reconfigure(player.rules, config(zones=[ZONE])) == ()
    assert [(event.type, event.zone) for event in player.show(SOMEONE, for_s=2)] == [("entered", "right")]


def test_a_person_on_the_way_over_a_line_that_stays_crosses_it() -> None:
    player = Player(open_rules(config(lines=[MIDDLE])))
    player.show(standing(1, (250, 400)), for_s=1)
    reconfigure(player.rules, config(lines=[MIDDLE | {"name": "other"}, MIDDLE]))
    crossed = player.show(standing(1, (400, 400)), for_s=1)  # beyond the line in the next frame
    assert [(event.zone, event.type) for event in crossed] == [("middle", "crossed_in")]
    reconfigure(player.rules, config())
    assert player.show(standing(1, (250, 400)), for_s=1) == []


def test_a_bed_that_is_added_in_time_keeps_a_fall_from_being_confirmed() -> None:
    everywhere = {"name": "bed", "kind": "bed", "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    player = fallen(config(fall={"confirm_s": 8}))
    reconfigure(player.rules, config(fall={"confirm_s": 1}, zones=[everywhere]))
    player.show(View().person(1, bodies.lying(towards=90)), for_s=1)
    assert fall_events(player) == ["suspected", "dismissed"]
