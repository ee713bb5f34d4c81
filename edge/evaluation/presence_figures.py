"""Compare the state `present` with whether people are in view, frame by frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.config import Presence
from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip
from edge.evaluation.people_matching import Matching, in_full_view

SETTLE_S = 1.0  # in addition to `presence.enter_s` or `presence.leave_s`


@dataclass(slots=True)
class PresenceFigures:
    """Counts of frames. A frame counts once people were, or were not, in view for long enough."""

    occupied: int = 0  # a person is in full view
    present: int = 0  # of those, frames with `present`
    empty: int = 0  # nothing of a person is seen
    absent: int = 0  # of those, frames without `present`


def measure_presence(
    clip: Clip, played: Sequence[Played], matching: Matching | None, rule: Presence
) -> PresenceFigures | None:
    """None if the people are not known, or presence is not reported."""
    if clip.people is None or not any(one.outcome.state and one.outcome.state.present is not None for one in played):
        return None
    figures = PresenceFigures()
    occupied_s = empty_s = float("-inf")  # since when
    occupied = empty = False
    for one, full, nothing in _in_view(clip, played, matching):
        occupied_s = occupied_s if full and occupied else one.at_s
        empty_s = empty_s if nothing and empty else one.at_s
        occupied, empty = full, nothing
        present = one.outcome.state is not None and bool(one.outcome.state.present)
        if occupied and one.at_s - occupied_s > rule.enter_s + SETTLE_S:
            figures.occupied += 1
            figures.present += present
        # Before the first person came, there was nothing to wait for.
        if empty and (empty_s == played[0].at_s or one.at_s - empty_s > rule.leave_s + SETTLE_S):
            figures.empty += 1
            figures.absent += not present
    return figures


def _in_view(clip: Clip, played: Sequence[Played], matching: Matching | None) -> Iterable[tuple[Played, bool, bool]]:
    """Each frame, with whether a person is in full view, and whether nothing of a person is seen."""
    if matching is None:
        return ((one, bool(clip.people), not clip.people) for one in played)
    return (
        (matched.one, bool(in_full_view(matched.frame).any()), not (matched.frame.v == 2).any())
        for matched in matching.frames
    )
