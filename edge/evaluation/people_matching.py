"""Match the reported people of a clip to the true ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip, TrueFrame
from edge.types import Array, Floats, Person, box_around

# A pose may be this far from a true person, in diagonals of the box around the true keypoints. Poses on a person are
# within 0.15, also wrong ones; people side by side are 0.35 apart.
LIMIT = 0.2
IN_VIEW = 5  # keypoints seen: with fewer, a person is neither missed nor wrong
FULL_VIEW = 9  # keypoints seen, and none outside the picture: this person must be found
LONGEST_GAP_S = 0.25  # between a frame and the truth about it


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """A frame with its truth."""

    one: Played
    frame: TrueFrame
    people: list[Person]  # the reported ones
    matches: dict[int, int]  # true person -> index in `people`

    @property
    def ids(self) -> dict[int, int]:
        """True person -> ID."""
        return {j: id_ for j, i in self.matches.items() if (id_ := self.people[i].id) is not None}


class Matching:
    """All frames of a clip with known keypoints."""

    def __init__(self, clip: Clip, played: Sequence[Played]) -> None:
        self.frames: list[Matched] = []
        times = np.array([frame.at_s for frame in clip.frames])
        last: dict[int, int] = {}
        for one in played:
            nearest = int(np.abs(times - one.at_s).argmin())
            if abs(times[nearest] - one.at_s) > LONGEST_GAP_S:
                continue
            frame, people = clip.frames[nearest], identified(one)
            scale = one.seen.width / clip.size[0] if clip.size else 1.0
            matched = Matched(one, frame, people, match(people, frame, last, scale))
            last.update(matched.ids)
            self.frames.append(matched)

    @cached_property
    def real_ids(self) -> set[int]:
        """The IDs that belonged to a person at some time."""
        return set(chain.from_iterable(matched.ids.values() for matched in self.frames))

    def owner(self, id_: int, at_s: float) -> int | None:
        """The true person to whom an ID last belonged at this time; None if it never belonged to one."""
        for matched in reversed(self.frames):
            if matched.one.at_s <= at_s:
                for j, owned in matched.ids.items():
                    if owned == id_:
                        return j
        return None


def identified(one: Played) -> list[Person]:
    """The people with an ID. Poses without one are not people yet."""
    return [person for person in one.seen.people if person.id is not None]


def in_view(frame: TrueFrame) -> Array:
    """(P,) whether enough of each person is seen to be recognised."""
    return np.asarray((frame.v == 2).sum(axis=1) >= IN_VIEW)


def in_full_view(frame: TrueFrame) -> Array:
    """(P,) whether each person must be found."""
    return np.asarray(((frame.v == 2).sum(axis=1) >= FULL_VIEW) & (frame.v > 0).all(axis=1))


def match(
    people: Sequence[Person], frame: TrueFrame, previous: Mapping[int, int], scale: float = 1.0
) -> dict[int, int]:
    """The index of the reported person for each true person that has one; an ID that continues comes first.

    `previous` has the last ID of each true person. `scale` is px of the reported frame per px of the truth. True people
    of whom nothing is seen match nothing.
    """
    possible = np.flatnonzero((frame.v == 2).any(axis=1)).tolist()
    distances = {(i, j): _distances(person, frame.xy[j] * scale) for i, person in enumerate(people) for j in possible}
    ranked = sorted(
        (previous.get(j) != people[i].id, alike, i, j) for (i, j), (near, alike) in distances.items() if near <= LIMIT
    )
    matches: dict[int, int] = {}
    for _, _, i, j in ranked:
        if j not in matches and i not in matches.values():
            matches[j] = i
    return matches


def _distances(person: Person, xy: Floats) -> tuple[float, float]:
    """How far a pose is from a true person, and how much it differs; relative to the size of the true person.

    These are medians over the reported keypoints: of the distance from the nearest true keypoint, and from the true one
    of the same name. A pose that lies on the person but has the limbs wrong is still near.
    """
    visible = [k for k, point in enumerate(person.keypoints) if point]
    reported = np.array([point[:2] for point in person.keypoints if point])
    distances = np.linalg.norm(reported[:, None] - xy, axis=2)  # (K, 17)
    size_px = box_around(xy.tolist()).size_px
    alike = distances[np.arange(len(visible)), visible]
    return float(np.median(distances.min(axis=1))) / size_px, float(np.median(alike)) / size_px
