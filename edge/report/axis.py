"""The time axis that the lanes of a day share."""

import math
from dataclasses import dataclass
from datetime import tzinfo

from edge.report.collect import Day
from edge.report.days import LocalDay
from edge.report.words import clock

# Between two labels, s. A day has a label every two hours.
_LABEL_STEPS = 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200
_MOST_LABELS = 13
WHOLE_DAY_S = 4 * 3600.0  # a longer recording is shown on an axis over the whole day
_BIN_STEPS = 1, 5, 15, 30, 60, 120, 300  # s
_MOST_BINS = 720


@dataclass(frozen=True, slots=True)
class Axis:
    day: LocalDay
    start_s: float  # wall clock
    end_s: float
    label_s: int  # between two labels
    bin_s: int  # length of the bins that lanes show

    def share(self, wall_s: float) -> float:
        """Where a time is, from 0 to 1."""
        return min(max((wall_s - self.start_s) / (self.end_s - self.start_s), 0.0), 1.0)

    def labels(self, zone: tzinfo | None) -> list[tuple[float, str]]:
        """Times and their texts."""
        first = math.ceil((self.start_s - self.day.start_s) / self.label_s)
        last = math.floor((self.end_s - self.day.start_s) / self.label_s)
        times = [self.day.start_s + number * self.label_s for number in range(first, last + 1)]
        return [(at_s, clock(at_s, zone, seconds=self.label_s < 60)) for at_s in times]


def axis_of(day: Day, *, whole: bool) -> Axis:
    """The axis over the whole day, or over the part of it that was recorded."""
    start_s, end_s = (0.0, day.day.end_s - day.day.start_s) if whole else extent(day)
    label_s = next((step for step in _LABEL_STEPS if (end_s - start_s) / step <= _MOST_LABELS - 1), _LABEL_STEPS[-1])
    if not whole:
        start_s = max(math.floor(start_s / label_s) * label_s, 0.0)
        end_s = min(math.ceil(end_s / label_s) * label_s, day.day.end_s - day.day.start_s)
        end_s = max(end_s, start_s + label_s)
    steps = [step for step in _BIN_STEPS if step >= day.series.step_s and step % day.series.step_s == 0]
    bin_s = next((step for step in steps if (end_s - start_s) / step <= _MOST_BINS), steps[-1])
    return Axis(day.day, day.day.start_s + start_s, day.day.start_s + end_s, label_s, bin_s)


def extent(day: Day) -> tuple[float, float]:
    """From where to where a day has bins, in seconds from midnight."""
    if not day.series.bins:
        return 0.0, 0.0
    step_s = day.series.step_s
    return float(min(day.series.bins) * step_s), float((max(day.series.bins) + 1) * step_s)


def is_long(day: Day) -> bool:
    """Whether the recording of a day covers so much of it that the whole day is shown."""
    start_s, end_s = extent(day)
    return end_s - start_s > WHOLE_DAY_S
