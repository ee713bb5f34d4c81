"""Poses as coloured text, for `demo` and `watch`."""

from rich.text import Text

from edge.mqtt.messages import KeypointOut

SCORE_BAR_CELLS = 8
GOOD_SCORE = 0.5


def score_bar(score: float) -> Text:
    """A score from 0 to 1, as a number and a bar."""
    filled = round(score * SCORE_BAR_CELLS)
    bar = "█" * filled + "░" * (SCORE_BAR_CELLS - filled)
    return Text.assemble(f"{score:.2f} ", (bar, "green" if score >= GOOD_SCORE else "yellow"))


def position(keypoint: KeypointOut) -> str:
    """x and y in whole pixels of the frame."""
    return f"{round(keypoint.x)},{round(keypoint.y)}"
