"""Painted people whose keypoints are known: the demo, the truth in tests, and the stand-in for a camera.

`camera.source = "synthetic:<scene>"`. A new scene is a line in `SCENES`, a new way to move is a function in `acts`.
It is fast because it stamps: every posture is painted once and kept, and a frame is the room, the stamps and noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw

from edge.errors import ConfigError
from edge.scenes.figure import Colour, Four, Outfit, Posture, mirrored, paint_figure
from edge.scenes.motions import Act, fall, lie, sit, walk, wave
from edge.types import Array, Floats, Image

SCENE_FPS = 15


@dataclass(frozen=True, slots=True)
class Actor:
    """One person of a scene."""

    act: Act
    x: float = 0.5  # place, of the frame's width
    size: float = 0.75  # stature, of the frame's height; who is smaller stands farther away
    start: float = 0.0  # how far into the act, 0..1
    stage: float = 1.0  # how much of the frame's width there is to move in, around the place
    chair: bool = False  # behind the person


SCENES: dict[str, tuple[Actor, ...]] = {
    "walk": (Actor(walk),),
    "wave": (Actor(wave),),
    "sit": (Actor(sit, chair=True),),
    "fall": (Actor(fall),),
    "lie": (Actor(lie),),
    "two": (Actor(walk, size=0.68, start=0.6), Actor(walk, size=0.58)),
    "three": (
        Actor(wave, x=0.82, size=0.64, start=0.5),
        Actor(wave, x=0.18, size=0.60),
        Actor(walk, size=0.55, stage=0.6),
    ),
    "empty": (),
}  # of every scene the nearest person first

# Everyone gets one of each by chance.
PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((206, 160, 130), (186, 138, 106), (140, 98, 72), (214, 176, 150)),  # skin
    ((58, 40, 30), (34, 30, 30), (128, 88, 52), (96, 60, 40)),  # hair
    ((60, 95, 160), (172, 62, 56), (62, 122, 84), (190, 150, 60), (110, 72, 130), (48, 120, 130)),  # shirt
    ((150, 132, 105), (70, 90, 130), (104, 100, 96), (96, 84, 66)),  # trousers
    ((60, 44, 36), (200, 196, 190), (44, 46, 54)),  # shoes
)

DARKEST, BRIGHTEST = 16, 214  # of what is painted: light and noise are added, and uint8 must not wrap
LIGHT_MOST, LIGHT_PERIOD = 20, 20 * SCENE_FPS  # frames
NOISE_MEAN, NOISE_DEVIATION, NOISE_MOST = 8, 2.3, 16
NOISE_PLACES = 1 << 16  # in the pool of noise from which a strip of the frame may take its own
STRIP_BYTES = 1 << 16
SHADOW = 40
CACHE_BYTES = 12_000_000
FLOOR = 0.74  # of the height: where the wall ends


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One painted person in one frame."""

    xy: Floats  # (17, 2) frame px; left and right are the person's own
    visible: npt.NDArray[np.bool_]  # (17,) False where out of the frame, or behind another person or the own body


@dataclass(frozen=True, slots=True, eq=False)
class _Person:
    outfit: Outfit
    beats: list[tuple[Posture, int]]  # with the frame's column of the place below the hips
    ground_px: int  # the frame's row of that place
    stature_px: float


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Part of a picture, and where its corner is from the place below the hips."""

    pixels: Image
    left_px: int
    top_px: int


@dataclass(frozen=True, slots=True, eq=False)
class _Stamp:
    """A person in one posture."""

    body: _Layer  # 0 where the person is not
    shadow: _Layer  # what to take from the floor
    truth: Truth  # from the place below the hips


def open_scene(name: str, *, width: int, height: int, seed: int = 0, painted: tuple[int, int] | None = None) -> "Scene":
    """The scene of that name in a frame of that size in px. Raises ConfigError if there is none.

    `painted` is the (width, height) that it is painted with, if that is another: the same people in the same places.
    """
    if name not in SCENES:
        close = get_close_matches(name, SCENES, n=1)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        raise ConfigError("camera.source", f'there is no scene "{name}"', f"{hint}use one of {', '.join(SCENES)}")
    return Scene(SCENES[name], width, height, seed, painted)


class Scene:
    """A painted room with people, by frame number. The same arguments always give the same bytes, in any order."""

    def __init__(
        self, actors: tuple[Actor, ...], width: int, height: int, seed: int, painted: tuple[int, int] | None = None
    ) -> None:
        self.width, self.height = painted or (width, height)
        self._scale = self.height / height
        self.cached_bytes = 0
        rng = np.random.RandomState(seed)  # the generator whose numbers are promised never to change
        # Light and noise first: they are the same whoever is in the room.
        self._light_start = float(rng.rand())
        self._strip_rows = max(1, STRIP_BYTES // (3 * width))
        # As much of it as the frame itself would need: whoever comes next is drawn from the same numbers.
        pool = rng.normal(NOISE_MEAN, NOISE_DEVIATION, NOISE_PLACES + 3 * width * self._strip_rows)
        self._noise: Image = pool.round().clip(0, NOISE_MOST).astype(np.uint8)
        self._people = [_scaled(person, self._scale) for person in _cast(actors, width, height, rng)]
        chairs = [person for actor, person in zip(actors, self._people, strict=True) if actor.chair]
        self._room, self._plain = _furnish(self.width, self.height, chairs)
        self._stamps: dict[tuple[int, bytes], _Stamp] = {}

    def paint(self, sequence: int, into: Image) -> None:
        """Paint frame number `sequence` into `into`, uint8 (height, width, 3) RGB as painted, every pixel."""
        np.copyto(into, self._room)
        people = [*self._people_at(sequence)]
        for stamp, x, y in people:
            floor, shadow = _overlap(into, stamp.shadow, x, y)
            np.maximum(floor, shadow, out=floor)
            np.subtract(floor, shadow, out=floor)
        for stamp, x, y in reversed(people):
            behind, body = _overlap(into, stamp.body, x, y)
            # np.copyto(where=) is simpler, but does not run in vectors and takes half as long again.
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
        """Everyone's stamp and place below the hips, the nearest first."""
        for index, person in enumerate(self._people):
            held, x = person.beats[sequence % len(person.beats)]
            key = (index, held.tobytes())
            stamp = self._stamps.get(key)
            if stamp is None:
                stamp = _stamp(person, held, self._plain)
                size = sum(layer.pixels.nbytes for layer in (stamp.body, stamp.shadow))
                # People go round in loops: to make room would be to drop what is wanted next.
                if self.cached_bytes + size <= CACHE_BYTES:
                    self._stamps[key] = stamp
                    self.cached_bytes += size
            yield stamp, x, person.ground_px

    def _expose(self, sequence: int, image: Image) -> None:
        """Add the light of the moment, and noise."""
        phase = 2 * np.pi * (sequence / LIGHT_PERIOD + self._light_start)
        noise = self._noise + np.uint8(round(LIGHT_MOST * (0.5 + 0.5 * np.sin(phase))))
        chance = sequence * 2654435761
        for top in range(0, self.height, self._strip_rows):
            strip = image[top : top + self._strip_rows]
            chance = (chance * 1664525 + 1013904223) & 0xFFFFFFFF
            place = (chance >> 16) % NOISE_PLACES
            np.add(strip, noise[place : place + strip.size].reshape(strip.shape), out=strip)


def _cast(actors: tuple[Actor, ...], width: int, height: int, rng: np.random.RandomState) -> list[_Person]:
    """Give everyone a look and a place; the moment of the beginning, and whether all is mirrored, is chance."""
    late, flip = float(rng.rand()), bool(rng.randint(2))
    wardrobe = [[palette[i] for i in rng.permutation(len(palette))] for palette in PALETTES]
    people: list[_Person] = []
    for index, actor in enumerate(actors):
        skin, hair, shirt, trousers, shoes = (colours[index % len(colours)] for colours in wardrobe)
        outfit = Outfit(skin, hair, shirt, trousers, shoes, long_hair=bool(rng.randint(2)))
        stature_px = min(actor.size * height, 0.7 * width)
        beats = actor.act(min(actor.x, 1 - actor.x, actor.stage / 2) * width / stature_px - 0.25)
        start = int((actor.start + late) * len(beats)) % len(beats)
        placed: list[tuple[Posture, int]] = []
        for held, x in beats[start:] + beats[:start]:
            x_px = round(actor.x * width + x * stature_px)
            # Rounded, so that postures come again and fewer are painted; and 0 instead of -0, whose bytes differ.
            rounded = np.round((mirrored(held) if flip else held) * 2) / 2 + 0.0
            placed.append((rounded, width - 1 - x_px if flip else x_px))
        people.append(_Person(outfit, placed, round((0.42 + 0.64 * actor.size) * height), stature_px))
    return people


def _scaled(person: _Person, scale: float) -> _Person:
    if scale == 1:
        return person
    beats = [(held, round((x + 0.5) * scale - 0.5)) for held, x in person.beats]
    return _Person(person.outfit, beats, round((person.ground_px + 0.5) * scale - 0.5), person.stature_px * scale)


def _stamp(person: _Person, held: Posture, plain: Image) -> _Stamp:
    """Paint a person on the plain room, for the edges, and the shadow on the floor."""
    figure = paint_figure(held, person.outfit, person.stature_px)
    left, top = figure.left_px, figure.top_px
    rows = np.clip(np.arange(len(figure.image)) + person.ground_px + top, 0, len(plain) - 1)
    alpha = figure.image[..., 3:].astype(np.float32) / 255
    blended = plain[rows, None] * (1 - alpha) + figure.image[..., :3] * alpha
    body = blended.round().clip(DARKEST, BRIGHTEST).astype(np.uint8) * (alpha > 0.3)

    # The more of the person is above, the darker the floor.
    half = max(2, round(0.035 * person.stature_px))
    bell = np.hanning(2 * half + 1)
    above = np.convolve(alpha.sum((0, 2)) / person.stature_px, bell / bell.sum())
    darkness = SHADOW * np.outer(bell, np.minimum(3 * above, 1))
    shadow = np.repeat(darkness.round().astype(np.uint8)[..., None], 3, axis=2)
    return _Stamp(_Layer(body, left, top), _Layer(shadow, left - half, -half), Truth(figure.xy, figure.visible))


def _overlap(canvas: Array, layer: _Layer, x: int, y: int) -> tuple[Array, Array]:
    """What of the canvas lies under a layer that belongs to (x, y), and what of the layer lies on the canvas."""
    left, top = x + layer.left_px, y + layer.top_px
    rows, columns = layer.pixels.shape[:2]
    x0, x1 = max(left, 0), max(min(left + columns, canvas.shape[1]), 0)
    y0, y1 = max(top, 0), max(min(top + rows, canvas.shape[0]), 0)
    return canvas[y0:y1, x0:x1], layer.pixels[
        max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)
    ]


def _furnish(width: int, height: int, chairs: list[_Person]) -> tuple[Image, Image]:
    """The room, (height, width, 3), and the colours of its rows without furniture, (height, 3)."""
    finer = 2
    h = height * finer
    right = width / height
    y = np.linspace(0, 1, h)[:, None]
    rows = np.where(y < FLOOR, np.array((206, 198, 184)) - 22 * y, np.array((168, 138, 106)) - 40 * (y - FLOOR))
    canvas = Pillow.fromarray(np.repeat(rows.astype(np.uint8)[:, None], width * finer, axis=1))
    draw = ImageDraw.Draw(canvas)

    def box(corners: Four, colour: Colour, radius: float = 0) -> None:
        """(left, top, right, bottom) and the radius are in heights of the frame."""
        draw.rounded_rectangle([v * h for v in corners], radius * h, colour)

    box((0, FLOOR - 0.03, right, FLOOR), (204, 198, 188))
    for line in (FLOOR - 0.003, FLOOR + 0.05, FLOOR + 0.11, FLOOR + 0.185):
        box((0, line, right, line + 0.003), (146, 118, 90))
    plain = np.asarray(canvas.reduce(finer))[:, 0]

    window, picture, plant = 0.10, right - 0.36, right - 0.10
    box((window, 0.12, window + 0.30, 0.50), (212, 208, 200))
    for pane in (window + 0.015, window + 0.157):
        box((pane, 0.135, pane + 0.128, 0.485), (168, 196, 212))
        box((pane, 0.36, pane + 0.128, 0.485), (142, 170, 128))
    box((picture, 0.16, picture + 0.22, 0.34), (92, 70, 52))
    box((picture + 0.012, 0.172, picture + 0.208, 0.328), (204, 190, 160))
    box((picture + 0.012, 0.27, picture + 0.208, 0.328), (120, 134, 140))
    box((picture + 0.13, 0.20, picture + 0.17, 0.24), (212, 160, 96), 0.02)
    for dx, top in ((-0.035, 0.52), (0.035, 0.50), (0, 0.46)):
        box((plant + dx - 0.016, top, plant + dx + 0.016, 0.68), (96, 132, 88), 0.016)
    box((plant - 0.05, 0.66, plant + 0.05, 0.77), (182, 120, 88), 0.01)
    for sitter in chairs:
        s, x, ground = sitter.stature_px / height, sitter.beats[0][1] / height, sitter.ground_px / height - 0.03
        box((x - 0.22 * s, ground - 0.56 * s, x + 0.22 * s, ground - 0.05 * s), (176, 158, 138), 0.05 * s)
        box((x - 0.20 * s, ground - 0.24 * s, x + 0.20 * s, ground - 0.03 * s), (190, 172, 150), 0.03 * s)
        for arm in (x - 0.23 * s, x + 0.23 * s):
            box((arm - 0.04 * s, ground - 0.32 * s, arm + 0.04 * s, ground), (164, 146, 126), 0.03 * s)
    return np.asarray(canvas.reduce(finer)).clip(DARKEST, BRIGHTEST), plain
