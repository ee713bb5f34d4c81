"""Results of frames, without a pipeline."""

import time

import numpy as np

from edge.pipeline.seams import Update
from edge.rules.rules import Outcome
from edge.types import Frame, Person
from tests.support.people import observation


def make_update(sequence: int, *people: Person) -> Update:
    """The results of frame `sequence` with these people."""
    now_s = time.monotonic()
    frame = Frame(np.empty((0, 0, 3), np.uint8), 640, 480, sequence, now_s, time.time())
    return Update(frame, [], observation(sequence, *people, at_s=now_s), Outcome(), now_s, 0.01)
