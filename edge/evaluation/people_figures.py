"""Count what is right and wrong about the people in a clip."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.evaluation.events_play import Played
from edge.evaluation.events_truth import Clip, Fall
from edge.evaluation.people_matching import Matched, Matching, identified, in_full_view, in_view
from edge.rules.values import Posture

AFTER_FALL_S = 1.5  # after the start of a fall without a known `down_s`, the person counts as down
POSTURES: tuple[Posture, ...] = ("standing", "sitting", "lying", "unknown")


@dataclass(slots=True)
class PeopleFigures:
    """Counts of a clip. None means that they are not known, because there are no true keypoints."""

    frames: int = 0
    too_many: int = 0  # frames
    too_few: int = 0  # frames
    people: int = 0  # in the clip
    ids: int = 0  # reported in the clip
    ghost_ids: int | None = None  # of those, IDs that never belonged to a person
    switches: int | None = None  # how often a person got another ID
    down_frames: int = 0  # frames in which a person who fell is down and in view
    down_seen: int = 0  # of those, frames in which this person is reported
    postures: dict[str, dict[str, int]] | None = None  # true posture -> reported posture -> people in frames


def measure_people(clip: Clip, played: Sequence[Played], matching: Matching | None) -> PeopleFigures | None:
    """None if it is not known how many people are in the clip."""
    if clip.people is None:
        return None
    figures = PeopleFigures(people=clip.people, ids=len({person.id for one in played for person in identified(one)}))
    if matching is None:
        _count_by_number(figures, clip.people, clip.falls, played)
        return figures
    figures.ghost_ids = figures.ids - len(matching.real_ids)
    _count_by_keypoints(figures, clip.falls, matching)
    figures.postures = _postures(matching)
    return figures


def is_down(fall: Fall, at_s: float) -> bool:
    """Whether the person who fell lies there at this time."""
    down_s = fall.start_s + AFTER_FALL_S if fall.down_s is None else fall.down_s
    up_s = fall.up_s if fall.getup_s is None else fall.getup_s
    return down_s <= at_s and (up_s is None or at_s < up_s)


def _count_by_number(figures: PeopleFigures, people: int, falls: Sequence[Fall], played: Sequence[Played]) -> None:
    figures.frames = len(played)
    for one in played:
        reported = len(identified(one))
        figures.too_many += reported > people
        figures.too_few += reported < people
        if any(is_down(fall, one.at_s) for fall in falls):
            figures.down_frames += 1
            figures.down_seen += reported >= people


def _count_by_keypoints(figures: PeopleFigures, falls: Sequence[Fall], matching: Matching) -> None:
    figures.frames = len(matching.frames)
    last: dict[int, int] = {}
    switches = 0
    for matched in matching.frames:
        matches, ids = matched.matches, matched.ids
        figures.too_many += len(matched.people) > len(matches)
        figures.too_few += any(must and j not in matches for j, must in enumerate(in_full_view(matched.frame)))
        switches += sum(last.get(j, id_) != id_ for j, id_ in ids.items())
        last.update(ids)
        for fall in falls:
            j = fall.person or 0
            if is_down(fall, matched.one.at_s) and in_view(matched.frame)[j]:
                figures.down_frames += 1
                figures.down_seen += j in matches
    figures.switches = switches


def _postures(matching: Matching) -> dict[str, dict[str, int]] | None:
    """None if the product reports no postures."""
    if not any(_reports_postures(matched) for matched in matching.frames):
        return None
    counts: dict[str, dict[str, int]] = {true: dict.fromkeys(POSTURES, 0) for true in POSTURES}
    for matched in filter(_reports_postures, matching.frames):
        state = matched.one.outcome.state
        reported = {person.id: person.posture for person in state.persons} if state else {}
        for j, id_ in matched.ids.items():
            if id_ in reported:
                counts[matched.frame.postures[j]][reported[id_]] += 1
    return counts


def _reports_postures(matched: Matched) -> bool:
    state = matched.one.outcome.state
    return state is not None and state.standing is not None
