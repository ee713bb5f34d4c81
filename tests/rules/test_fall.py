"""Falls: what is one, when it is confirmed, and how it ends."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest

from edge.rules.fall import Falls
from edge.rules.posture import PostureClassifier
from edge.rules.rules import Rules
from edge.rules.values import Event, State
from edge.types import Person
from tests.support import bodies
from tests.support.bodies import Motion, View, motion
from tests.support.rules import Player, jittered

FPS = 15.0
CONFIRM_S = 1.0
BEGIN_S, DOWN_S = 2.0, 3.0  # when a fall begins and ends in these clips
VIEWS = {
    "side": View(heading=0),
    "front": View(),
    "back": View(heading=90),
    "high": View(height=2.4, pitch=28, heading=-30),
    "low": View(height=0.9, pitch=0, heading=-120),
}
SOFA = bodies.body(
    head=(-0.1, 0, 1.05), shoulders=(-0.1, 0, 0.82), hips=(0, 0, 0.4), knees=(0.4, 0, 0.42), ankles=(0.45, 0, 0.07)
)


def fall(towards: float = 180.0, *, begin_s: float = BEGIN_S, down_s: float = DOWN_S) -> Motion:
    """A person who stands and then falls over, like a pendulum: slowly first."""

    def at(second: float) -> bodies.Joints:
        share = min(max((second - begin_s) / (down_s - begin_s), 0.0), 1.0)
        return bodies.tilted(bodies.STANDING, 90 * share**2.2, towards=towards)

    return at


def then_up(first: Motion, up_s: float) -> Motion:
    """The same, and then the person gets up."""
    rise = motion((up_s - 2, first(up_s - 2)), (up_s - 1, bodies.KNEELING), (up_s, bodies.STANDING))
    return lambda second: first(second) if second < up_s - 2 else rise(second)


def play(
    frames: Iterable[Sequence[Person]],
    *,
    falls: Falls | None = None,
    fps: float = FPS,
    start_s: float = 0.0,
) -> Player:
    rules = Rules([falls or Falls(confirm_s=CONFIRM_S)], postures=PostureClassifier())
    player = Player(rules, fps=fps, start_s=start_s)
    player.play(frames)
    return player


def show(
    moving: Motion, seconds: float, view: View = VIEWS["side"], *, id_: int = 1, fps: float = FPS
) -> Iterator[list[Person]]:
    """The frames of one person."""
    for number in range(round(seconds * fps)):
        yield [view.person(id_, moving((number + 1) / fps))]


def phases(events: Iterable[Event]) -> list[str]:
    return [event.type for event in events]


def at_s(player: Player, type_: str) -> float:
    """When the first event of a type came, s after the first frame."""
    (event, *_) = [event for event in player.events if event.type == type_]
    return event.sequence / FPS


def state(player: Player) -> State:
    final = player.outcomes[-1].state
    assert final is not None
    return final


@pytest.mark.parametrize("towards", [0, 90, 180, 270, 225])
@pytest.mark.parametrize("view", VIEWS)
def test_a_fall_is_confirmed_within_a_second_after_the_wait(view: str, towards: float) -> None:
    player = play(show(fall(towards), 6, VIEWS[view]))
    assert phases(player.events) == ["suspected", "confirmed"]
    assert BEGIN_S < at_s(player, "suspected") < DOWN_S + 0.7
    assert DOWN_S < at_s(player, "confirmed") <= DOWN_S + CONFIRM_S + 1
    assert (state(player).fall, state(player).still_down) == (True, False)


def test_an_event_says_why() -> None:
    suspected, confirmed = play(show(fall(), 6)).events
    assert suspected.id == confirmed.id
    assert (confirmed.rule, confirmed.person, confirmed.started_wall_s) == ("fall", 1, suspected.wall_s)
    assert confirmed.confidence is not None
    assert 0.5 < confirmed.confidence < 1
    lean, dropped, shoulders, down = confirmed.reasons
    figures = [float(number) for number in re.findall(r"[0-9.]+", f"{lean} {dropped} {shoulders}")]
    assert figures == pytest.approx([90, 0.8, 0.35, 0.0], abs=0.15)
    assert lean.endswith(" degrees from upright")
    assert re.fullmatch(r"dropped \S+ body heights in \S+ s", dropped)
    assert shoulders.endswith(" body heights above the floor")
    assert down == "down for 1.0 s"


@pytest.mark.parametrize("confirm_s", [0.5, 2.0, 5.0])
def test_the_wait_can_be_set(confirm_s: float) -> None:
    player = play(show(fall(), 10), falls=Falls(confirm_s=confirm_s))
    assert DOWN_S + confirm_s - 0.5 < at_s(player, "confirmed") <= DOWN_S + confirm_s + 1


@pytest.mark.parametrize("fps", [5.0, 30.0])
@pytest.mark.parametrize("towards", [0, 90, 180])
def test_falls_are_found_at_any_frame_rate(fps: float, towards: float) -> None:
    assert phases(play(show(fall(towards), 6, fps=fps), fps=fps).events) == ["suspected", "confirmed"]


@pytest.mark.parametrize("towards", [0, 90, 270])
def test_a_person_falls_from_a_chair(towards: float) -> None:
    chair = motion(
        (1, bodies.STANDING),
        (2.5, bodies.SITTING),
        (5, bodies.SITTING),
        (5.6, bodies.lying(towards=towards, forward=0.35)),
    )
    assert phases(play(show(chair, 9, VIEWS["front"])).events) == ["suspected", "confirmed"]


def test_a_person_collapses() -> None:
    collapse = motion((2, bodies.STANDING), (2.5, bodies.SQUATTING), (3, bodies.lying(towards=90)))
    assert phases(play(show(collapse, 6)).events) == ["suspected", "confirmed"]


def test_noise_hides_no_fall() -> None:
    rng = random.Random(2)
    frames = [[jittered(one, 0.012, rng) for one in people] for people in show(fall(90), 6, VIEWS["front"])]
    assert phases(play(frames).events) == ["suspected", "confirmed"]


STANDING = bodies.STANDING
DAILY_LIFE = {
    "sit down": motion((2, STANDING), (3.2, bodies.SITTING), (8, bodies.SITTING), (9, STANDING)),
    "sit down fast": motion((2, STANDING), (2.5, bodies.SITTING)),
    "drop onto a sofa": motion((2, STANDING), (2.6, SOFA)),
    "bend": motion((2, STANDING), (2.6, bodies.BENDING), (5, bodies.BENDING), (6, STANDING)),
    "kneel": motion((2, STANDING), (2.8, bodies.KNEELING), (7, bodies.KNEELING), (8, STANDING)),
    "squat": motion((2, STANDING), (2.6, bodies.SQUATTING), (5, bodies.SQUATTING), (5.6, STANDING)),
    "crawl": motion((2, STANDING), (2.8, bodies.KNEELING), (3.6, bodies.CRAWLING)),
    "sit on the floor": motion((2, STANDING), (3, bodies.SQUATTING), (4, bodies.SITTING_ON_FLOOR)),
    "lean forward on a chair": motion((2, bodies.SITTING), (2.6, bodies.BENDING), (4, bodies.SITTING)),
    "lie down on a bed": motion(
        (2, STANDING), (3.2, bodies.SITTING), (5, bodies.SITTING), (6.2, bodies.lying(towards=90, height=0.4))
    ),
}  # fmt: skip


@pytest.mark.parametrize("view", ["side", "front", "back"])
@pytest.mark.parametrize("name", DAILY_LIFE)
def test_daily_life_is_no_fall(name: str, view: str) -> None:
    assert "confirmed" not in phases(play(show(DAILY_LIFE[name], 12, VIEWS[view])).events)


def test_people_who_walk_or_jump_are_not_even_suspected() -> None:
    def jump(second: float) -> bodies.Joints:
        return {name: (x, y, z + max(0.0, 0.3 * ((second * 2) % 2 - 1))) for name, (x, y, z) in STANDING.items()}

    assert play(show(jump, 8)).events == []
    towards = [[View(5 - 4 * step / 100).person(1, STANDING)] for step in range(100)]
    assert play([*towards, *[[]] * 100]).events == []
    out = [[View(aside=2.3 * step / 30).person(1, STANDING)] for step in range(30)]
    assert play([*out, *[[]] * 100]).events == []


def test_lying_down_slowly_is_only_suspected() -> None:
    slowly = motion(
        (2, STANDING), (3.5, bodies.KNEELING), (5, bodies.SITTING_ON_FLOOR), (7, bodies.lying(towards=180))
    )  # fmt: skip
    player = play(show(slowly, 30))
    assert phases(player.events) == ["suspected", "dismissed"]
    assert player.events[-1].reasons[-1] == "slower than a fall"
    assert state(player).fall is False


def test_a_person_who_lies_from_the_start_did_not_fall() -> None:
    assert play(show(lambda _: bodies.lying(towards=90), 20, VIEWS["front"])).events == []


def test_a_person_who_gets_up_at_once_did_not_fall() -> None:
    up_at_once = motion(
        (2, STANDING), (2.6, bodies.lying(towards=90)), (2.8, bodies.lying(towards=90)), (3.2, STANDING)
    )
    assert phases(play(show(up_at_once, 8, VIEWS["front"])).events) == ["suspected", "dismissed"]


def test_lying_is_normal_in_a_bed() -> None:
    bed = [(0.3, 0.4), (0.9, 0.4), (0.9, 1.0), (0.3, 1.0)]
    frames = list(show(fall(90), 8, VIEWS["front"]))
    assert play(frames, falls=Falls(confirm_s=CONFIRM_S, beds=[bed])).events == []
    elsewhere = [(0.0, 0.0), (0.1, 0.0), (0.1, 0.1)]
    assert phases(play(frames, falls=Falls(confirm_s=CONFIRM_S, beds=[elsewhere])).events) == ["suspected", "confirmed"]


def lost_on_the_way(after_s: float = 2.8) -> list[list[Person]]:
    """A person who is lost while falling."""
    return list(show(fall(), after_s))


def test_a_person_who_was_lost_on_the_way_down_counts_as_fallen() -> None:
    player = play([*lost_on_the_way(), *[[]] * 200])
    assert phases(player.events) == ["suspected", "confirmed"]
    assert player.events[1].confidence == 0.5
    assert player.events[1].reasons[-1].endswith("after a fast descent")
    assert 2.8 + CONFIRM_S + 2 - 0.3 < at_s(player, "confirmed") < 2.8 + CONFIRM_S + 2.3


def test_a_person_who_was_lost_on_the_way_down_and_stands_again_did_not_fall() -> None:
    standing = [[VIEWS["side"].person(2, STANDING)]] * 60
    player = play([*lost_on_the_way(), *[[]] * 15, *standing])
    assert phases(player.events) == ["suspected", "dismissed"]


@pytest.mark.parametrize("lost_s", [2.2, 2.4, 2.6, 3.0])
def test_a_person_who_is_lost_while_sitting_down_fast_did_not_fall(lost_s: float) -> None:
    sits = list(show(DAILY_LIFE["sit down fast"], lost_s, VIEWS["front"]))
    assert "confirmed" not in phases(play([*sits, *[[]] * 200]).events)


def test_a_person_who_is_lost_while_standing_did_not_fall() -> None:
    assert play([*show(lambda _: STANDING, 2), *[[]] * 200]).events == []


def test_a_fall_goes_on_under_a_new_id() -> None:
    lying = [[VIEWS["side"].person(7, fall()(9))]] * 60
    player = play([*lost_on_the_way(), *[[]] * 15, *lying])
    assert [(event.type, event.person) for event in player.events] == [("suspected", 1), ("confirmed", 7)]


def test_the_alarm_stays_while_the_person_is_down() -> None:
    falls = Falls(confirm_s=CONFIRM_S, still_down_s=5, lost_clear_s=20)
    player = play([*show(fall(), 20), *[[]] * 200], falls=falls)
    assert phases(player.events) == ["suspected", "confirmed", "still_down"]
    assert (state(player).fall, state(player).still_down) == (True, True)
    player.play([[]] * 200)
    assert player.events[-1].type == "cleared"
    assert (state(player).fall, state(player).still_down) == (False, False)


@pytest.mark.parametrize("new_id", [1, 5])
def test_a_person_who_gets_up_clears_the_alarm(new_id: int) -> None:
    moving = then_up(fall(), 10)
    down, rest = list(show(moving, 7)), list(show(moving, 14))[7 * 15 :]
    gap: list[list[Person]] = [[]] * 45 if new_id != 1 else []
    rise = [[replace(one, id=new_id) for one in people] for people in rest]
    player = play([*down, *gap, *rise])
    assert phases(player.events) == ["suspected", "confirmed", "cleared"]
    up_s = 10 + len(gap) / FPS
    assert up_s - 0.5 < at_s(player, "cleared") < up_s + 1.7
    assert state(player).fall is False


def test_a_person_who_sits_up_on_the_floor_does_not_clear_the_alarm() -> None:
    sit_up = motion((6, fall()(6)), (7.5, bodies.SITTING_ON_FLOOR))
    player = play(show(lambda second: fall()(second) if second < 6 else sit_up(second), 20))
    assert phases(player.events) == ["suspected", "confirmed"]


def test_a_helper_does_not_clear_the_alarm() -> None:
    """Not even while the person on the floor is hidden."""
    fallen = list(show(fall(90), 8, VIEWS["front"]))
    places = [2 - 1.2 * min(step / 60, 1) for step in range(len(fallen))]
    helper = [View(aside=aside, heading=180).person(2, STANDING) for aside in places]
    both = [[*people, other] for people, other in zip(fallen, helper, strict=True)]
    player = play([*both, *[[helper[-1]]] * 150])
    assert phases(player.events) == ["suspected", "confirmed"]


def test_a_person_who_left_clears_the_alarm() -> None:
    view = VIEWS["side"]
    up = list(show(lambda second: then_up(fall(), 7)(second) if second < 6.9 else STANDING, 7.3))
    away = [[replace(view, aside=2.2 * step / 20).person(1, STANDING)] for step in range(20)]
    player = play([*up, *away], falls=Falls(confirm_s=CONFIRM_S, clear_s=3))
    player.play([[]] * 120)
    assert phases(player.events) == ["suspected", "confirmed", "cleared"]


def test_a_person_who_is_lost_at_the_edge_but_on_the_floor_keeps_the_alarm() -> None:
    at_edge = replace(VIEWS["side"], aside=-0.8)
    player = play([*show(fall(), 6, at_edge), *[[]] * 300], falls=Falls(confirm_s=CONFIRM_S, clear_s=3))
    assert phases(player.events) == ["suspected", "confirmed"]


def test_two_people_fall_one_after_the_other() -> None:
    left, right = replace(VIEWS["side"], aside=-1.1, distance=4.5), replace(VIEWS["side"], aside=1.1, distance=4.5)
    first, second = show(fall(90), 10, left), show(fall(90, begin_s=5, down_s=6), 10, right, id_=2)
    player = play([*one, *other] for one, other in zip(first, second, strict=True))
    confirmed = [event for event in player.events if event.type == "confirmed"]
    assert [event.person for event in confirmed] == [1, 2]
    assert len({event.id for event in confirmed}) == 2


def test_a_person_may_fall_twice() -> None:
    again = then_up(fall(), 8)
    player = play(show(lambda second: again(second) if second < 12 else fall()(second - 10), 18))
    assert phases(player.events) == ["suspected", "confirmed", "cleared", "suspected", "confirmed"]
    assert len({event.id for event in player.events}) == 2


def test_falls_are_cleared_at_once_and_the_person_on_the_floor_does_not_fall_again() -> None:
    player = play(show(fall(), 6), falls=Falls(confirm_s=CONFIRM_S))
    (cleared,) = player.rules.clear_falls("cleared by request")
    confirmed = player.events[-1]
    assert (cleared.type, cleared.id, cleared.reasons) == ("cleared", confirmed.id, ("cleared by request",))
    assert player.rules.clear_falls("cleared by request") == ()
    player.play([[VIEWS["side"].person(1, fall()(9))]] * 60)
    assert phases(player.events) == ["suspected", "confirmed"]
    assert state(player).fall is False


def test_a_suspected_fall_is_not_cleared() -> None:
    left, right = replace(VIEWS["side"], aside=-1.1, distance=4.5), replace(VIEWS["side"], aside=1.1, distance=4.5)
    first, second = show(fall(90), 10, left), show(fall(90, begin_s=5, down_s=6), 10, right, id_=2)
    frames = [[*one, *other] for one, other in zip(first, second, strict=True)]
    suspected = round(6.3 * FPS)
    player = play(frames[:suspected])
    assert phases(player.events) == ["suspected", "confirmed", "suspected"]
    assert [event.person for event in player.rules.clear_falls("cleared by request")] == [1]
    (confirmed,) = player.play(frames[suspected:])
    assert (confirmed.type, confirmed.person) == ("confirmed", 2)


def test_a_fall_from_before_a_restart_can_be_cleared_before_the_first_frame() -> None:
    falls = Falls(confirm_s=CONFIRM_S)
    play(show(fall(), 6), falls=falls)
    rules = Rules([restarted_after(falls)])
    assert rules.clear_falls("cleared by request") == ()
    player = Player(rules)
    (cleared,) = player.show(for_s=0.1)
    assert (cleared.type, cleared.reasons) == ("cleared", ("cleared by request",))
    assert state(player).fall is False


def restarted_after(falls: Falls, *, still_down_s: float = 30.0, lost_clear_s: float = 600.0) -> Falls:
    """Rules of a new run that continue these falls."""
    restarted = Falls(confirm_s=CONFIRM_S, still_down_s=still_down_s, lost_clear_s=lost_clear_s)
    restarted.restore(falls.export())
    return restarted


def test_a_fall_goes_on_after_a_restart() -> None:
    falls = Falls(confirm_s=CONFIRM_S)
    before = play(show(fall(), 6), falls=falls)
    restarted = restarted_after(falls, still_down_s=10)
    assert restarted.describe(State()).fall is True
    assert restarted.export() == falls.export()
    player = play([[VIEWS["side"].person(7, fall()(9))]] * 30, falls=restarted, start_s=8)
    assert all(outcome.state and outcome.state.fall for outcome in player.outcomes)
    assert player.events == []
    player.play([[VIEWS["side"].person(7, fall()(9))]] * 75)
    assert phases(player.events) == ["still_down"]
    assert player.events[0].reasons == ("down for 10.0 s",)
    assert player.events[0].person == 7
    player.play([[VIEWS["side"].person(7, STANDING)]] * 45)
    assert phases(player.events) == ["still_down", "cleared"]
    assert {event.id for event in player.events} == {before.events[0].id}
    assert {event.started_wall_s for event in player.events} == {before.events[0].started_wall_s}
    assert player.events[-1].duration_s == pytest.approx(before.now_s + 10.5 - at_s(before, "suspected"), abs=1.5)
    assert restarted.export() == []


def test_after_a_long_restart_a_person_counts_as_down_no_longer_than_necessary() -> None:
    falls = Falls(confirm_s=CONFIRM_S)
    play(show(fall(), 6), falls=falls)
    player = play([[]], falls=restarted_after(falls, still_down_s=10), start_s=100_000)
    assert phases(player.events) == ["still_down"]
    assert player.events[0].reasons == ("down for 10.0 s",)


def test_a_fall_from_before_a_restart_in_an_empty_room_is_cleared_after_the_same_time_as_any_other() -> None:
    falls = Falls(confirm_s=CONFIRM_S)
    play(show(fall(), 6), falls=falls)
    restarted = restarted_after(falls, lost_clear_s=20)
    player = play([[]] * 19 * 15, falls=restarted, start_s=8)
    assert phases(player.events) == []
    player.play([[]] * 30)
    assert phases(player.events) == ["cleared"]
    assert player.events[0].reasons == ("not seen for 20 s",)


def test_after_a_restart_another_person_with_the_same_id_does_not_clear_the_fall() -> None:
    """IDs start again with the service."""
    falls = Falls(confirm_s=CONFIRM_S)
    play(show(fall(90), 6), falls=falls)
    other = replace(VIEWS["side"], aside=2.5, distance=4.8).person(1, STANDING)
    player = play([[other]] * 150, falls=restarted_after(falls), start_s=10)
    assert player.events == []
    assert state(player).fall is True


def test_after_a_restart_a_helper_beside_the_fallen_person_does_not_clear_the_fall() -> None:
    falls = Falls(confirm_s=CONFIRM_S)
    play(show(fall(90), 6, VIEWS["front"]), falls=falls)
    helper, lies = View(aside=0.8, heading=180).person(1, STANDING), VIEWS["front"].person(2, fall(90)(9))
    player = play([[helper, lies]] * 150, falls=restarted_after(falls), start_s=10)
    assert player.events == []
    assert state(player).fall is True


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("towards", [0, 90, 180, 270, 225])
def test_after_a_restart_a_person_who_still_lies_there_does_not_clear_the_fall(view: str, towards: float) -> None:
    """A body that lies along the view looks like a smaller one that stands."""
    falls = Falls(confirm_s=CONFIRM_S)
    play(show(fall(towards), 6, VIEWS[view]), falls=falls)
    rng = random.Random(0)
    lies = VIEWS[view].person(1, fall(towards)(9))
    player = play([[jittered(lies, 0.01, rng)] for _ in range(150)], falls=restarted_after(falls), start_s=10)
    assert phases(player.events) == []
    player.play([[VIEWS[view].person(1, STANDING)]] * 60)
    assert phases(player.events) == ["cleared"]


def test_nothing_is_exported_before_a_fall_is_confirmed() -> None:
    falls = Falls(confirm_s=5)
    play(show(fall(), 4), falls=falls)
    assert falls.export() == []


@pytest.mark.parametrize("stall_s", [0.5, 1.5, 4.0])
def test_the_camera_may_stall_in_the_middle_of_a_fall(stall_s: float) -> None:
    """The tracker gives a new ID after a long stall."""
    before = list(show(fall(), 2.5))
    id_ = 1 if stall_s < 2 else 2
    after = [[VIEWS["side"].person(id_, fall()(2.5 + stall_s + step / FPS))] for step in range(60)]
    player = play(before)
    player.pause(stall_s)
    player.play(after)
    assert phases(player.events) == ["suspected", "confirmed"]


@pytest.mark.parametrize("reason", ["camera stalled", "nothing can be seen", "switched off"])
@pytest.mark.parametrize(
    ("lost_at_s", "lost_s"),
    [(2.5, 5.5), (2.6, 5.5), (2.8, 5.5), (3.2, 5.5), (2.8, 60.0), (2.9, 3600.0), (3.2, 60.0), (3.2, 3600.0)],
)
def test_a_person_on_the_floor_after_the_picture_was_lost_in_a_fall_has_fallen(
    lost_at_s: float, lost_s: float, reason: str
) -> None:
    player = play(show(fall(), lost_at_s))
    assert player.lose(lost_s, reason) == []
    # The tracker has forgotten the person, and needs three detections.
    player.play([[], [], *[[VIEWS["side"].person(2, fall()(9))]] * 60])
    assert phases(player.events) == ["suspected", "confirmed"]


@pytest.mark.parametrize("lost_at_s", [2.6, 3.2])
@pytest.mark.parametrize("confirm_s", [1.0, 2.0])
def test_a_person_who_stands_after_the_picture_was_lost_in_a_fall_has_not_fallen(
    lost_at_s: float, confirm_s: float
) -> None:
    player = play(show(fall(), lost_at_s), falls=Falls(confirm_s=confirm_s))
    suspected = phases(player.events)
    assert player.lose(20) == []
    player.play([[], [], *[[VIEWS["side"].person(2, STANDING)]] * 60])
    assert phases(player.events) == ([*suspected, "dismissed"] if suspected else [])
    assert state(player).fall is False


def test_a_person_who_stood_before_and_lies_after_the_picture_was_lost_is_no_confirmed_fall() -> None:
    """The person had time to lie down slowly."""
    player = play(show(fall(), 1.5))
    player.lose(11)
    player.play([[VIEWS["side"].person(2, fall()(9))]] * 150)
    assert phases(player.events) == ["suspected", "dismissed"]


def test_a_confirmed_fall_stays_open_while_the_picture_is_lost() -> None:
    player = play(show(fall(), 6))
    assert player.lose(3600) == []
    player.play([[VIEWS["side"].person(2, fall()(9))]] * 30)
    assert state(player).fall is True
    player.play([[VIEWS["side"].person(2, STANDING)]] * 45)
    assert phases(player.events) == ["suspected", "confirmed", "cleared"]
    assert player.events[-1].duration_s > 3600


def test_a_wrong_pose_is_no_fall() -> None:
    standing, lying = VIEWS["front"].person(1, STANDING), VIEWS["front"].person(1, bodies.lying(towards=90))
    frames = [[standing]] * 30 + [[lying]] + [[standing]] * 30
    assert play(frames).events == []
