"""Plan the rotations and the crop of the next frame: the only feedback in the pipeline."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.people.rotation import RotationPlanner
from edge.people.second_opinion import NetworkPlanner
from edge.types import Crop, Frame, Pose, Track


@dataclass(frozen=True, slots=True)
class View:
    """What the network is shown of a frame: all of it or a crop, rotated by `turn` quarter turns anticlockwise."""

    turn: int = 0
    crop: Crop | None = None
    second: bool = False  # to the second network


UPRIGHT = View()


class Views:
    """Plans the views of the next frame from the people of the last one.

    The inference thread calls `next` while another thread calls `observe`. Each attribute that they share is replaced
    as a whole, so no lock is needed.
    """

    def __init__(
        self,
        rotations: RotationPlanner | None = None,
        networks: NetworkPlanner | None = None,
        crop: Callable[[Pose, int, int], Crop | None] | None = None,
    ) -> None:
        """Without `rotations` frames stay upright; without `crop` the network always sees the whole frame.

        With `networks` there are two networks, and frames are not rotated.
        """
        self._networks = networks
        self._rotations = rotations
        self._crop_around = crop
        self._crop: Crop | None = None

    def next(self, now_s: float) -> list[View]:
        """The one or two views of the frame taken at `now_s`."""
        if self._networks:
            return [View(second=second) for second in self._networks.networks(now_s)]
        turns = self._rotations.turns(now_s) if self._rotations else [0]
        return [View(turn, self._crop) for turn in turns]

    def rest(self) -> None:
        """Count a frame that no network sees."""
        for planner in (self._networks, self._rotations):
            if planner:
                planner.rest()

    def observe(self, people: list[Track], lost: list[Track], frame: Frame) -> None:
        """Plan from the people detected in `frame`, best first, and the tracks that were expected but not detected."""
        if self._crop_around:
            self._crop = self._crop_around(people[0].pose, frame.width, frame.height) if people else None
        if self._networks:
            self._networks.observe(people, lost)
        if self._rotations:
            self._rotations.observe(people, lost, frame.monotonic_s)
