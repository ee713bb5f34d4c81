"""Play people to rules."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from edge.rules.body import measure
from edge.rules.rules import Outcome, Rules
from edge.rules.values import Event, Posture, Subject
from edge.types import Person
from tests.support.people import STANDING, observation, person

FEET = (100.0, 220.0)  # of tests.support.people.STANDING
START_S, WALL_S = 1000.0, 1_795_370_400.0


class Player:
    """Gives frames to rules and keeps what comes out."""

    def __init__(self, rules: Rules, *, fps: float = 15.0, start_s: float = 0.0) -> None:
        self.rules = rules
        self.events: list[Event] = []
        self.outcomes: list[Outcome] = []
        self.now_s = start_s  # of the last frame
        self._period_s = 1 / fps
        self._sequence = 0

    def play(self, frames: Iterable[Sequence[Person]]) -> list[Event]:
        """The events of these frames."""
        before = len(self.events)
        for people in frames:
            self.now_s += self._period_s
            self._sequence += 1
            seen = observation(self._sequence, *people, at_s=START_S + self.now_s, wall_s=WALL_S + self.now_s)
            self.outcomes.append(self.rules.update(seen))
            self.events += self.outcomes[-1].events
        return self.events[before:]

    def show(self, *people: Person, for_s: float) -> list[Event]:
        """The events while people keep still."""
        return self.play([people] * round(for_s / self._period_s))

    def pause(self, seconds: float) -> None:
        """The camera delivers no frame."""
        self.now_s += seconds

    def lose(self, seconds: float, reason: str = "camera stalled") -> list[Event]:
        """The camera delivers no frame, and the service has noticed it. Returns the events that end."""
        events = list(self.rules.end(reason))
        self.events += events
        self.pause(seconds)
        return events


def subject(someone: Person, posture: Posture = "unknown") -> Subject:
    assert someone.id is not None
    return Subject(someone, someone.id, measure(someone), posture)


def standing(id_: int, at: tuple[float, float], *, height_px: float = 200.0) -> Person:
    """A person who stands with the middle of the feet at a place on the picture."""
    scale = height_px / 203  # from the eyes to the ankles
    return person(id_, STANDING, at=(at[0] - FEET[0] * scale, at[1] - FEET[1] * scale), scale=scale)


def walk(id_: int, *places: tuple[float, float], speed: float = 120.0, fps: float = 15.0) -> Iterator[list[Person]]:
    """A person who walks from place to place, at a speed in px per second."""
    for (x1, y1), (x2, y2) in pairwise(places):
        steps = max(round(math.hypot(x2 - x1, y2 - y1) / speed * fps), 1)
        for step in range(1, steps + 1):
            yield [standing(id_, (x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps))]


def jittered(someone: Person, sigma: float, rng: random.Random) -> Person:
    """The same person with normal noise on every keypoint, in sizes of the person."""
    size_px = someone.box.size_px
    points = (
        point and point._replace(x=point.x + rng.gauss(0, sigma * size_px), y=point.y + rng.gauss(0, sigma * size_px))
        for point in someone.keypoints
    )
    return Person(someone.id, someone.score, someone.box, tuple(points))
