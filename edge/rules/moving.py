"""Whether people move."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.rules.values import Moment
from edge.types import Person, Point

WINDOW_S = 1.0
SAMPLE_S = 0.1
FEWEST = 3  # poses that are compared, however slow the camera is
# The spread of a keypoint during the window, in sizes of the person. A keypoint at rest has 0.01 to 0.03, one that
# advances by 0.2 has 0.06.
MOVES, RESTS = 0.045, 0.03
MOST = 0.7  # of the poses; the others may be wrong, such as one with left and right exchanged
PARTS = 2  # at least this many keypoints must move, because a single one may be unsteady


@dataclass(slots=True)
class _Recent:
    """A person in the last moments."""

    samples: deque[tuple[float, Person]] = field(default_factory=deque)  # with the time watched
    moving: bool = False


class Movements:
    """Judges by the spread of keypoints around their medians, which one wrong frame hardly changes."""

    def __init__(self) -> None:
        self._people: dict[int, _Recent] = {}

    def update(self, moment: Moment) -> bool:
        """Whether any person moves now."""
        now_s = moment.now_s
        for subject in moment.subjects:
            recent = self._people.setdefault(subject.id, _Recent())
            if recent.samples and now_s - recent.samples[-1][0] < SAMPLE_S:
                continue
            recent.samples.append((now_s, subject.person))
            while len(recent.samples) > FEWEST and now_s - recent.samples[0][0] > WINDOW_S:
                recent.samples.popleft()
            recent.moving = _is_moving([person for _, person in recent.samples], RESTS if recent.moving else MOVES)
        self._people = {id_: one for id_, one in self._people.items() if now_s - one.samples[-1][0] <= WINDOW_S}
        return any(recent.moving for recent in self._people.values())


def _is_moving(poses: list[Person], limit: float) -> bool:
    limit_px = limit * max(person.box.size_px for person in poses)
    found = 0
    for track in zip(*(person.keypoints for person in poses), strict=True):
        points = [point for point in track if point]
        if len(points) >= FEWEST and 2 * len(points) > len(poses) and _is_spread(points, limit_px):
            found += 1
            if found == PARTS:
                return True
    return False


def _is_spread(points: list[Point], limit_px: float) -> bool:
    """Whether the keypoint is farther than this from its usual place most of the time, along x or y."""
    x, y, _ = zip(*points, strict=True)
    return any(_spread(values) > limit_px for values in (x, y) if max(values) - min(values) > limit_px)


def _spread(values: Sequence[float]) -> float:
    middle = sorted(values)[len(values) // 2]
    distances = sorted([abs(value - middle) for value in values])
    return distances[int(MOST * (len(distances) - 1))]
