"""Gestures: raised hands and waving, one at a time for each person."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge.rules.episode import Episode, OpenEvent, begin
from edge.rules.hands import SIDES, Hand, Side, find_hand, is_upright, torso_px
from edge.rules.values import Event, Moment, State, Subject
from edge.rules.waving import Waving

Gesture: TypeAlias = Literal["left", "right", "both", "waving"]

# In torso lengths: a hand is raised when it is RAISED above the shoulder and FROM_HEAD away from the head, unlike one
# that holds a telephone. Then it may sink to LOWERED and come as near as AT_HEAD. One above HIGH is raised in any case.
RAISED, LOWERED, HIGH = 0.35, 0.25, 0.75
FROM_HEAD, AT_HEAD = 0.42, 0.35
RELEASE_S = 0.4  # a hand that is not raised for this long is down
SUNK_S = 0.25  # a hand below the shoulder or at the head for this long does not wave
HIDDEN_S = 0.6  # a hidden hand is assumed to stay in place for this long
LOST_S = 1.0  # time without a detection until a person's gesture ends
LONGEST_STEP_S = 0.5  # between frames; more does not count as time held
TORSO_WEIGHT = 0.2  # of the last frame in the length of the torso

TYPES: dict[Gesture, str] = {
    "left": "left_hand_raised",
    "right": "right_hand_raised",
    "both": "both_hands_raised",
    "waving": "waving",
}


@dataclass(slots=True)
class _Arm:
    """One hand over time."""

    held_s: float = 0.0  # how long it has been raised; short interruptions only delay it
    down_s: float = RELEASE_S  # how long it has not been raised
    sunk_s: float = SUNK_S  # how long it has been where no hand waves
    seen_s: float = 0.0
    above: float = 0.0  # torso lengths above the shoulder
    waving: Waving = field(default_factory=Waving)

    def update(self, hand: Hand | None, now_s: float, step_s: float, hold_s: float) -> None:
        if hand is None and now_s - self.seen_s <= HIDDEN_S:
            return
        if hand:
            self.seen_s, self.above = now_s, hand.above
        if hand and self._is_raised(hand):
            if self.down_s == 0:
                self.held_s = min(self.held_s + step_s, hold_s)
            self.down_s = 0.0
        else:
            self.held_s = max(self.held_s - step_s, 0.0)
            self.down_s += step_s
        if hand and hand.above > 0 and (hand.from_head > AT_HEAD or hand.above > HIGH):
            self.sunk_s = 0.0
            if hand.place is None:
                self.waving.pause(now_s)
            else:
                self.waving.update(hand.place, hand.nose, now_s)
        else:
            self.sunk_s += step_s
            if self.sunk_s >= SUNK_S:
                self.waving.reset()

    def _is_raised(self, hand: Hand) -> bool:
        above, from_head = (LOWERED, AT_HEAD) if self.held_s > 0 else (RAISED, FROM_HEAD)
        return hand.above > HIGH or (hand.above > above and hand.from_head > from_head)


@dataclass(slots=True)
class _Gesturer:
    """A person, with the gesture that is going on."""

    arms: dict[Side, _Arm] = field(default_factory=lambda: {side: _Arm() for side in SIDES})
    torso_px: float = 0.0  # smoothed; 0: unknown yet
    seen_s: float = 0.0
    gesture: Gesture | None = None
    waving_side: Side = "left"
    episode: Episode | None = None
    wait_s: float = 0.0  # how long one raised hand has waited for the other


class Gestures:
    """One event from a gesture until it ends. A raised hand may begin to wave, or be joined by the other one."""

    def __init__(self, *, hold_s: float) -> None:
        self._hold_s = hold_s
        self._people: dict[int, _Gesturer] = {}
        self._last_s = 0.0

    def update(self, moment: Moment) -> list[Event]:
        now_s = moment.now_s
        step_s = min(now_s - self._last_s, LONGEST_STEP_S)
        self._last_s = now_s
        events = []
        for subject in moment.subjects:
            person = self._people.setdefault(subject.id, _Gesturer())
            self._observe(person, subject, now_s, step_s)
            events += self._decide(person, subject.id, moment, step_s)
        for id_, person in list(self._people.items()):
            unseen_s = now_s - person.seen_s
            if unseen_s >= LOST_S:
                if person.episode:
                    events.append(person.episode.phase("ended", moment, reasons=[f"not seen for {unseen_s:.1f} s"]))
                del self._people[id_]
        return events

    def describe(self, state: State) -> State:
        return state  # gestures are events only

    def open(self) -> list[OpenEvent]:
        return [OpenEvent(person.episode, "ended") for person in self._people.values() if person.episode]

    def end(self, moment: Moment, reasons: Iterable[str]) -> list[Event]:
        events = [one.end(moment, reasons) for one in self.open()]
        self._people = {}
        return events

    def _observe(self, person: _Gesturer, subject: Subject, now_s: float, step_s: float) -> None:
        person.seen_s = now_s
        if measured_px := torso_px(subject.body):
            person.torso_px += (measured_px - person.torso_px) * (TORSO_WEIGHT if person.torso_px else 1.0)
        able = person.torso_px > 0 and subject.posture != "lying" and is_upright(subject.body)
        for side, arm in person.arms.items():
            hand = find_hand(subject.person, subject.body.shoulders, side, person.torso_px) if able else None
            arm.update(hand, now_s, step_s, self._hold_s)

    def _decide(self, person: _Gesturer, id_: int, moment: Moment, step_s: float) -> list[Event]:
        """The events of one person in this frame."""
        if person.episode and (reason := _reason_to_end(person)):
            ended = person.episode.phase("ended", moment, reasons=[reason])
            person.gesture = person.episode = None
            for arm in person.arms.values():
                arm.held_s = 0.0
            return [ended]
        gesture = self._next(person, step_s)
        if gesture is None:
            return []
        person.gesture = gesture
        person.episode = person.episode or begin("gesture", moment, person=id_)
        return [person.episode.phase(TYPES[gesture], moment, reasons=_reasons(person))]

    def _next(self, person: _Gesturer, step_s: float) -> Gesture | None:
        """The gesture that begins in this frame, if any."""
        waving = [side for side, arm in person.arms.items() if arm.waving.swing]
        if waving and person.gesture != "waving":
            person.waving_side = waving[0]
            return "waving"
        held = [side for side, arm in person.arms.items() if arm.held_s >= self._hold_s]
        if len(held) == 2 and person.gesture not in {"both", "waving"}:
            return "both"
        if len(held) != 1 or person.gesture:
            person.wait_s = 0.0
            return None
        other = person.arms["right" if held[0] == "left" else "left"]
        person.wait_s += step_s
        return None if other.held_s > 0 and person.wait_s < self._hold_s else held[0]


def _reason_to_end(person: _Gesturer) -> str:
    """Why the gesture ends; empty if it goes on."""
    if person.gesture == "waving":
        return "" if person.arms[person.waving_side].waving.swing else f"{person.waving_side} hand stopped"
    for side in _raised_sides(person.gesture):
        down_s = person.arms[side].down_s
        if down_s >= RELEASE_S:
            return f"{side} hand not raised for {down_s:.1f} s"
    return ""


def _reasons(person: _Gesturer) -> list[str]:
    """The figures behind the gesture that begins."""
    swing = person.arms[person.waving_side].waving.swing
    if person.gesture == "waving" and swing:
        rate, width = swing.frequency_hz, 2 * swing.amplitude
        return [f"{person.waving_side} hand waves {rate:.1f} times per second, {width:.2f} torso lengths wide"]
    return [
        f"{side} wrist {person.arms[side].above:.2f} torso lengths above the shoulder"
        for side in _raised_sides(person.gesture)
    ]


def _raised_sides(gesture: Gesture | None) -> tuple[Side, ...]:
    if gesture == "both":
        return SIDES
    return (gesture,) if gesture in {"left", "right"} else ()
