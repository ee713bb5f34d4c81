"""Painted scenes with people whose keypoints are known, for the demo, the tests and the benchmark.

A new scene is a line in SCENES, a new motion is a function in `motions`. Painting is fast because each posture of each
person is painted only once: a frame is the room, these stamps, light and noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from edge.scenes.figure import Colour, Outfit, Posture, mirrored, paint_figure
from edge.scenes.motions import Motion, creep, fall, lie, sit, walk, wave
from edge.scenes.room import BRIGHTEST, DARKEST, Chair, paint_room
from edge.scenes.tour import BEGIN, CHAIR, far, near
from edge.types import Array, Floats, Image

SCENE_FPS = 15


@dataclass(frozen=True, slots=True)
class Actor:
    """One person of a scene."""

    motion: Motion
    x: float = 0.5  # as a share of the width of the frame
    size: float = 0.75  # body height as a share of the height of the frame; a smaller person stands farther away
    start: float = 0.0  # position in the motion, 0..1
    stage: float = 1.0  # width of the space to move in, as a share of the width of the frame
    chair: float | None = None  # where a chair of the person's size stands, as a share of the width of the frame
    scripted: bool = False  # begins exactly at `start` and is never mirrored, whatever the seed


SCENES: dict[str, tuple[Actor, ...]] = {
    "walk": (Actor(walk),),
    "wave": (Actor(wave),),
    "sit": (Actor(sit, chair=0.5),),
    "fall": (Actor(fall),),
    "lie": (Actor(lie),),
    "two": (Actor(walk, size=0.68, start=0.6), Actor(walk, size=0.58)),
    "three": (
        Actor(wave, x=0.82, size=0.64, start=0.5),
        Actor(wave, x=0.18, size=0.60),
        Actor(walk, size=0.55, stage=0.6),
    ),
    "slow": (Actor(creep),),
    "empty": (),
    "tour": (
        Actor(near, size=0.74, start=BEGIN, scripted=True),
        Actor(far, size=0.62, start=BEGIN, scripted=True, chair=CHAIR),
    ),
}  # the nearest person of each scene comes first

# Each person gets one colour of each palette at random.
PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((206, 160, 130), (186, 138, 106), (140, 98, 72), (214, 176, 150)),  # skin
    ((58, 40, 30), (34, 30, 30), (128, 88, 52), (96, 60, 40)),  # hair
    ((60, 95, 160), (172, 62, 56), (62, 122, 84), (190, 150, 60), (110, 72, 130), (48, 120, 130)),  # shirt
    ((150, 132, 105), (70, 90, 130), (104, 100, 96), (96, 84, 66)),  # trousers
    ((60, 44, 36), (200, 196, 190), (44, 46, 54)),  # shoes
)

LIGHT_MOST, LIGHT_PERIOD = 20, 20 * SCENE_FPS  # frames
NOISE_MEAN, NOISE_DEVIATION, NOISE_MOST = 8, 2.3, 16
NOISE_PLACES = 1 << 16  # in the pool of noise at which a strip of the frame may begin
STRIP_BYTES = 1 << 16
SHADOW = 40
CACHE_BYTES = 12_000_000
UNUSED_FRAMES = 200  # after which a stamp makes room for a new one; longer than the loops of most motions


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One painted person in one frame."""

    xy: Floats  # (17, 2) frame px; left and right are the person's own
    visible: npt.NDArray[np.bool_]  # (17,) False outside the frame, and behind another person or the own body


@dataclass(frozen=True, slots=True, eq=False)
class _Person:
    outfit: Outfit
    loop: list[tuple[Posture, int]]  # one item per frame, with the column of the point below the hips
    ground_px: int  # the row of that point
    stature_px: float
    chair_px: int | None  # the column of its middle


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A part of a picture, and its corner relative to the point below the hips."""

    pixels: Image
    left_px: int
    top_px: int


@dataclass(frozen=True, slots=True, eq=False)
class _Stamp:
    """A person in one posture, ready to be copied into a frame."""

    body: _Layer  # 0 outside the person
    shadow: _Layer  # to be subtracted from the floor
    truth: Truth  # relative to the point below the hips

    @property
    def nbytes(self) -> int:
        return self.body.pixels.nbytes + self.shadow.pixels.nbytes


def open_scene(name: str, *, width: int, height: int, seed: int = 0, painted: tuple[int, int] | None = None) -> "Scene":
    """The scene `name` in a frame of `width` x `height` px. Raises ConfigError if there is no such scene.

    `painted` is the size (width, height) of the painted picture if it differs from the frame. It does not change where
    people stand in the frame.
    """
    if name not in SCENES:
        close = get_close_matches(name, SCENES, n=1)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        raise ConfigError("camera.source", f'there is no scene "{name}"', f"{hint}use one of {', '.join(SCENES)}")
    return Scene(SCENES[name], width, height, seed, painted)


class Scene:
    """A painted room with people. A frame depends only on its number and on the arguments of the scene."""

    def __init__(
        self, actors: tuple[Actor, ...], width: int, height: int, seed: int, painted: tuple[int, int] | None = None
    ) -> None:
        self.width, self.height = painted or (width, height)
        self.scripted = any(actor.scripted for actor in actors)
        self._scale = self.height / height
        self.cached_bytes = 0
        rng = np.random.RandomState(seed)  # numpy promises never to change the numbers of this generator
        # Light and noise come first, so that they are the same in every scene.
        self._light_start = float(rng.rand())
        self._strip_rows = max(1, STRIP_BYTES // (3 * width))
        # The pool depends on the size of the frame, not of the picture, so that the people below do not change.
        pool = rng.normal(NOISE_MEAN, NOISE_DEVIATION, NOISE_PLACES + 3 * width * self._strip_rows)
        self._noise: Image = pool.round().clip(0, NOISE_MOST).astype(np.uint8)
        self._people = [_scaled(person, self._scale) for person in _cast(actors, width, height, rng)]
        chairs = [
            Chair(person.chair_px, person.ground_px, person.stature_px)
            for person in self._people
            if person.chair_px is not None
        ]
        self._room, self._plain = paint_room(self.width, self.height, chairs)
        self._stamps: dict[tuple[int, bytes], _Stamp] = {}
        self._used: dict[tuple[int, bytes], int] = {}  # the last frame that each of them was in

    def paint(self, sequence: int, into: Image) -> None:
        """Paint frame number `sequence` into every pixel of `into`, uint8 (height, width, 3) RGB."""
        np.copyto(into, self._room)
        people = [*self._people_at(sequence)]
        for stamp, x, y in people:
            floor, shadow = _overlap(into, stamp.shadow, x, y)
            np.maximum(floor, shadow, out=floor)
            np.subtract(floor, shadow, out=floor)
        for stamp, x, y in reversed(people):
            behind, body = _overlap(into, stamp.body, x, y)
            # np.copyto(where=) is simpler, but is not vectorised and takes 1.5 times as long.
            outside = np.equal(body, 0).view(np.uint8)
            np.negative(outside, out=outside)
            np.bitwise_and(behind, outside, out=behind)
            np.bitwise_or(behind, body, out=behind)
        self._expose(sequence, into)

    def truth(self, sequence: int) -> list[Truth]:
        """The people in frame number `sequence`, the nearest first."""
        taken = np.zeros((self.height, self.width), np.bool_)
        people: list[Truth] = []
        for stamp, x, y in self._people_at(sequence):
            xy = stamp.truth.xy + np.array((x, y), np.float32)
            column, row = np.rint(xy).astype(int).T
            visible = stamp.truth.visible & (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
            visible[visible] = ~taken[row[visible], column[visible]]
            people.append(Truth(((xy + 0.5) / self._scale - 0.5).astype(np.float32), visible))
            place, body = _overlap(taken, stamp.body, x, y)
            np.logical_or(place, body[..., 0], out=place)
        return people

    def _people_at(self, sequence: int) -> Iterator[tuple[_Stamp, int, int]]:
        """The stamp of each person and the point below the hips, the nearest first."""
        for index, person in enumerate(self._people):
            posture, x = person.loop[sequence % len(person.loop)]
            key = (index, posture.tobytes())
            stamp = self._stamps.get(key)
            if stamp is None:
                stamp = _stamp(person, posture, self._plain)
                self._keep(key, stamp, sequence)
            else:
                self._used[key] = sequence
            yield stamp, x, person.ground_px

    def _keep(self, key: tuple[int, bytes], stamp: _Stamp, sequence: int) -> None:
        """Keep a stamp if there is room. Motions are loops, so the oldest stamp may be the one that is needed next."""
        if self.cached_bytes + stamp.nbytes > CACHE_BYTES:
            for unused in [one for one, used in self._used.items() if abs(sequence - used) > UNUSED_FRAMES]:
                del self._used[unused]
                self.cached_bytes -= self._stamps.pop(unused).nbytes
        if self.cached_bytes + stamp.nbytes <= CACHE_BYTES:
            self._stamps[key], self._used[key] = stamp, sequence
            self.cached_bytes += stamp.nbytes

    def _expose(self, sequence: int, image: Image) -> None:
        """Add light, which changes slowly, and noise."""
        phase = 2 * np.pi * (sequence / LIGHT_PERIOD + self._light_start)
        noise = self._noise + np.uint8(round(LIGHT_MOST * (0.5 + 0.5 * np.sin(phase))))
        chance = sequence * 2654435761
        for top in range(0, self.height, self._strip_rows):
            strip = image[top : top + self._strip_rows]
            chance = (chance * 1664525 + 1013904223) & 0xFFFFFFFF
            place = (chance >> 16) % NOISE_PLACES
            np.add(strip, noise[place : place + strip.size].reshape(strip.shape), out=strip)


def _cast(actors: tuple[Actor, ...], width: int, height: int, rng: np.random.RandomState) -> list[_Person]:
    """Give each person an outfit and a place. The start of the motions and whether the scene is mirrored are random."""
    late, flip = float(rng.rand()), bool(rng.randint(2))
    wardrobe = [[palette[i] for i in rng.permutation(len(palette))] for palette in PALETTES]
    people: list[_Person] = []
    for index, actor in enumerate(actors):
        skin, hair, shirt, trousers, shoes = (colours[index % len(colours)] for colours in wardrobe)
        outfit = Outfit(skin, hair, shirt, trousers, shoes, long_hair=bool(rng.randint(2)))
        stature_px = min(actor.size * height, 0.7 * width)
        mirror = flip and not actor.scripted
        frames = actor.motion(min(actor.x, 1 - actor.x, actor.stage / 2) * width / stature_px - 0.25)
        begin = actor.start + (0 if actor.scripted else late)
        start = int(begin * len(frames)) % len(frames)
        loop: list[tuple[Posture, int]] = []
        for posture, x in frames[start:] + frames[:start]:
            x_px = round(actor.x * width + x * stature_px)
            # Rounded, so that postures repeat and fewer are painted. Adding 0 turns -0 into 0, whose bytes differ.
            rounded = np.round((mirrored(posture) if mirror else posture) * 2) / 2 + 0.0
            loop.append((rounded, width - 1 - x_px if mirror else x_px))
        chair_px = None if actor.chair is None else round(actor.chair * width)
        if chair_px is not None and mirror:
            chair_px = width - 1 - chair_px
        people.append(_Person(outfit, loop, round((0.42 + 0.64 * actor.size) * height), stature_px, chair_px))
    return people


def _scaled(person: _Person, scale: float) -> _Person:
    if scale == 1:
        return person

    def scaled(px: int) -> int:
        return round((px + 0.5) * scale - 0.5)

    loop = [(posture, scaled(x)) for posture, x in person.loop]
    chair_px = None if person.chair_px is None else scaled(person.chair_px)
    return _Person(person.outfit, loop, scaled(person.ground_px), person.stature_px * scale, chair_px)


def _stamp(person: _Person, posture: Posture, plain: Image) -> _Stamp:
    """Paint a person over the colours of the wall, which blend into the edges, and the shadow on the floor."""
    figure = paint_figure(posture, person.outfit, person.stature_px)
    left, top = figure.left_px, figure.top_px
    rows = np.clip(np.arange(len(figure.image)) + person.ground_px + top, 0, len(plain) - 1)
    alpha = figure.image[..., 3:].astype(np.float32) / 255
    blended = plain[rows, None] * (1 - alpha) + figure.image[..., :3] * alpha
    body = blended.round().clip(DARKEST, BRIGHTEST).astype(np.uint8) * (alpha > 0.3)

    # The floor is darker where more of the person is above it.
    half = max(2, round(0.035 * person.stature_px))
    bell = np.hanning(2 * half + 1)
    above = np.convolve(alpha.sum((0, 2)) / person.stature_px, bell / bell.sum())
    darkness = SHADOW * np.outer(bell, np.minimum(3 * above, 1))
    shadow = np.repeat(darkness.round().astype(np.uint8)[..., None], 3, axis=2)
    return _Stamp(_Layer(body, left, top), _Layer(shadow, left - half, -half), Truth(figure.xy, figure.visible))


def _overlap(canvas: Array, layer: _Layer, x: int, y: int) -> tuple[Array, Array]:
    """The part of the canvas under a layer placed at (x, y), and the part of the layer inside the canvas, as views."""
    left, top = x + layer.left_px, y + layer.top_px
    rows, columns = layer.pixels.shape[:2]
    x0, x1 = max(left, 0), max(min(left + columns, canvas.shape[1]), 0)
    y0, y1 = max(top, 0), max(min(top + rows, canvas.shape[0]), 0)
    return canvas[y0:y1, x0:x1], layer.pixels[
        max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)
    ]
