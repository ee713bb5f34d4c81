"""Painted scenes as a source: which frame is painted when."""

import pytest

from edge.camera import synthetic
from edge.camera.feed import Picture
from edge.camera.synthetic import open_synthetic
from edge.config import Camera
from edge.scenes.scenes import SCENE_FPS, Scene
from edge.types import Image


class Clock:
    """A clock on which painting takes some time."""

    def __init__(self, painting_s: float) -> None:
        self.now_s = 100.0
        self.painted: list[int] = []
        self._painting_s = painting_s

    def monotonic(self) -> float:
        return self.now_s

    def paint(self, sequence: int, _into: Image) -> None:
        self.painted.append(sequence)
        self.now_s += self._painting_s


@pytest.mark.parametrize(
    ("source", "fps", "painting_s", "painted"),
    [
        ("tour", 15, 1.0, [0, 15, 30, 45]),
        ("tour", 15, 1 / 30, [0, 1, 2, 3]),
        ("tour", 0, 1.0, [0, 1, 2, 3]),
        ("walk", 15, 1.0, [0, 1, 2, 3]),
    ],
)
def test_only_a_live_tour_leaves_out_frames_when_it_is_late(
    source: str, fps: float, painting_s: float, painted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(painting_s)
    monkeypatch.setattr(synthetic, "time", clock)
    monkeypatch.setattr(Scene, "paint", clock.paint)
    reader = open_synthetic(Camera(source=f"synthetic:{source}", fps=fps, width=64, height=48))._reader
    pictures = [item for item in (next(reader) for _ in range(4)) if isinstance(item, Picture)]
    reader.close()
    assert clock.painted == painted
    assert [picture.media_s for picture in pictures] == [None if fps else n / SCENE_FPS for n in painted]
