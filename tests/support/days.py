"""Recordings of whole days, of a constructed person in a constructed room."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge.mqtt.messages import Size, timestamp
from edge.recording.format import FORMAT_VERSION, AnyLine, End, Gap, Header, encode, frame_line
from edge.types import Observation, Person
from tests.support.bodies import SITTING, STANDING, Joints, View, between, lying, motion

RULES: dict[str, Any] = {
    "presence": {"enabled": True, "enter_s": 0.5, "leave_s": 10.0},
    "posture": {"enabled": True},
    "fall": {"enabled": True, "confirm_s": 2.0, "still_down_s": 30.0, "clear_s": 10.0, "lost_clear_s": 600.0},
    "gestures": {"enabled": True, "hold_s": 1.0},
    "zones": [
        {"name": "bed", "points": [[0.62, 0.3], [0.92, 0.3], [0.95, 0.47], [0.62, 0.47]], "kind": "bed"},
        {"name": "armchair", "points": [[0.2, 0.44], [0.4, 0.44], [0.42, 0.66], [0.16, 0.66]]},
    ],
    "lines": [{"name": "door", "from": [0.36, 0.44], "to": [0.52, 0.44]}],
}
CAMERA = View(height=2.2, pitch=22.0, distance=4.0)
IDLE_S = 2.0  # between two frames while little happens

At = tuple[float, float]  # m from the camera, and to its right
BED, CHAIR, DOOR, TABLE = (2.2, 1.2), (0.6, -1.2), (3.9, -0.7), (0.4, 0.1)
SPOTS = (1.2, 0.9), (1.6, 0.1), (0.9, -0.3), (2.4, -0.6)
IN_BED = lying(towards=90.0, height=0.5)
Frames = Callable[[float], Sequence[Person]]  # the people at a second


class Script:
    """Writes the lines of a recording, one scene after the other."""

    def __init__(self, start_s: float, *, device: str = "hall", rules: dict[str, Any] | None = None) -> None:
        """`start_s` is the wall clock of the first frame."""
        self.wall_s, self.monotonic_s = start_s, 1000.0
        self._start_s = start_s
        self.lines: list[AnyLine] = []
        self.sequence = 0
        self._device, self._rules = device, RULES if rules is None else rules
        self._runs = self._part = 0
        self.header()

    def header(self, *, restarted: bool = True) -> None:
        """Begin a file: of another run of the service, or of the same."""
        self._runs, self._part = self._runs + restarted, 0 if restarted else self._part + 1
        run, time = f"{self._device}-{self._start_s}-{self._runs}", timestamp(self.wall_s)
        frame = Size(width=CAMERA.size[0], height=CAMERA.size[1])
        self.lines.append(
            Header(
                v=FORMAT_VERSION, version="0.5.0", device=self._device, run=run, part=self._part, time=time,
                frame=frame, rules=self._rules,
            )
        )  # fmt: skip

    def frames(self, seconds: float, people: Frames, *, step_s: float) -> None:
        """Frames from now on; the last one is a step before the end."""
        for number in range(round(seconds / step_s)):
            seen = Observation(
                self.sequence, round(self.monotonic_s, 3), round(self.wall_s, 3), *CAMERA.size,
                tuple(people(number * step_s)),
            )  # fmt: skip
            self.lines.append(frame_line(seen))
            self.sequence += 1
            self.wait(step_s)

    def empty(self, seconds: float) -> None:
        self.frames(seconds, lambda _second: (), step_s=IDLE_S)

    def wait(self, seconds: float) -> None:
        """Let time pass without frames."""
        self.wall_s += seconds
        self.monotonic_s += seconds

    def end(self, reason: str, seconds: float = 0.0, *, stopped: bool = False) -> None:
        self.lines.append(End(reason=reason, stopped=stopped))
        self.wait(seconds)

    def until(self, wall_s: float, people: Frames, *, step_s: float = IDLE_S) -> None:
        self.frames(max(wall_s - self.wall_s, 0.0), people, step_s=step_s)

    def walk(self, id_: int, start: At, to: At) -> None:
        seconds = math.dist(start, to) / 0.9
        self.frames(seconds, walking(id_, start, to, seconds), step_s=0.1)

    def potter(self, id_: int, until_s: float, *, step_s: float = IDLE_S) -> None:
        """A person walks about, stands here and there, and ends at the table."""
        spots, number, place = [*SPOTS, TABLE], 0, SPOTS[0]
        while self.wall_s < until_s - 180.0:
            number += 1
            start, place = place, spots[number * 2 % len(spots)]
            self.walk(id_, start, place)
            heading = 40.0 * number - 90.0
            self.frames(60.0 + 45.0 * (number % 3), still(id_, STANDING, place, heading=heading), step_s=step_s)
        self.walk(id_, place, TABLE)

    def drop(self, frames: int) -> None:
        self.lines.append(Gap(frames=frames))

    def write(self, path: Path) -> Path:
        path.write_bytes(b"".join(map(encode, self.lines)))
        return path


def view(at: At, heading: float) -> View:
    return View(CAMERA.distance + at[0], CAMERA.height, CAMERA.pitch, heading, at[1])


def still(id_: int, joints: Joints, at: At, *, heading: float = -90.0) -> Frames:
    """A person who stays in place, and sways a little."""

    def people(second: float) -> Sequence[Person]:
        sway = 0.03 * math.sin(second / 7)
        return [view((at[0], at[1] + sway), heading).person(id_, joints)]

    return people


def walking(id_: int, start: At, to: At, seconds: float) -> Frames:
    """A person who walks from one place to another."""
    heading = math.degrees(math.atan2(to[0] - start[0], to[1] - start[1]))

    def people(second: float) -> Sequence[Person]:
        share = min(second / seconds, 1.0)
        place = start[0] + share * (to[0] - start[0]), start[1] + share * (to[1] - start[1])
        return [view(place, heading).person(id_, _striding(second))]

    return people


def _striding(second: float) -> Joints:
    swing = 0.28 * math.sin(second * 5.5)
    joints = dict(STANDING)
    for side, sign in (("LEFT", 1), ("RIGHT", -1)):
        for part, share in (("KNEE", 0.6), ("ANKLE", 1.0), ("WRIST", -0.6), ("ELBOW", -0.3)):
            x, y, z = joints[f"{side}_{part}"]
            joints[f"{side}_{part}"] = (x + sign * swing * share, y, z)
    return joints


def falling(id_: int, at: At, *, down_s: float = 40.0) -> Frames:
    """A person who stands, falls to the side, lies there, and gets up again."""
    down = lying(towards=270.0)
    moves = motion(
        (2.0, STANDING), (2.9, down), (2.9 + down_s, down), (6.5 + down_s, SITTING), (8.5 + down_s, STANDING),
    )  # fmt: skip

    def people(second: float) -> Sequence[Person]:
        return [view(at, -60.0).person(id_, moves(second))]

    return people


def waving(id_: int, at: At) -> Frames:
    """A person who waves with the right hand."""

    def people(second: float) -> Sequence[Person]:
        joints = dict(STANDING)
        joints["RIGHT_ELBOW"] = (0.1, -0.4, 1.4)
        joints["RIGHT_WRIST"] = (0.15, -0.4 + 0.2 * math.sin(second * 9), 1.68)
        return [view(at, -90.0).person(id_, joints)]

    return people


def a_day(start_s: float) -> Script:
    """24 hours from midnight: a night in bed, meals, a fall, a visitor, and gaps."""
    script = Script(start_s)

    def until(hour: float, people: Frames) -> None:
        script.until(start_s + hour * 3600, people)

    def empty_until(hour: float) -> None:
        until(hour, lambda _second: ())

    walk = script.walk
    until(6.9, still(1, IN_BED, BED))
    script.frames(6.0, lambda s: [view(BED, -90.0).person(1, between(IN_BED, SITTING, min(s / 5, 1)))], step_s=0.1)
    walk(1, BED, TABLE)
    walk(1, TABLE, DOOR)
    empty_until(7.4)
    walk(2, DOOR, CHAIR)
    until(8.6, still(2, SITTING, CHAIR, heading=-60.0))
    walk(2, CHAIR, SPOTS[0])
    script.potter(2, start_s + 8.9 * 3600)
    walk(2, TABLE, DOOR)
    empty_until(10.2)
    script.end("switched off", 40 * 60)
    walk(3, DOOR, CHAIR)
    until(12.3, still(3, SITTING, CHAIR, heading=-60.0))
    walk(3, CHAIR, DOOR)
    empty_until(13.0)
    walk(4, DOOR, SPOTS[0])
    script.potter(4, start_s + 14.05 * 3600)
    script.frames(52.0, falling(4, TABLE), step_s=0.1)
    walk(4, TABLE, CHAIR)
    until(15.5, still(4, SITTING, CHAIR, heading=-60.0))
    visitor, host = still(5, STANDING, TABLE), still(4, SITTING, CHAIR, heading=-60.0)
    until(16.4, lambda s: [*host(s), *visitor(s)])
    script.frames(5.0, lambda s: [*host(s), *waving(5, TABLE)(s)], step_s=0.1)
    until(17.6, host)
    walk(4, CHAIR, DOOR)
    empty_until(18.2)
    script.header()  # the power failed
    script.wait(25 * 60)
    walk(1, DOOR, CHAIR)
    until(21.8, still(1, SITTING, CHAIR, heading=-60.0))
    walk(1, CHAIR, DOOR)
    empty_until(22.2)
    walk(2, DOOR, TABLE)
    walk(2, TABLE, BED)
    until(24.0, still(2, IN_BED, BED))
    return script
