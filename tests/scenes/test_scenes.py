"""The truth of a scene agrees with its pictures."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from edge.errors import ConfigError
from edge.scenes import motions, room, scenes
from edge.scenes.scenes import SCENES, Actor, Scene, open_scene
from edge.skeleton import INDEX
from edge.types import Image
from tests.support.scenes import picture_of

WIDTH, HEIGHT = 640, 480
SMALL = (160, 120)


def small(name: str, seed: int = 0) -> Scene:
    return open_scene(name, width=SMALL[0], height=SMALL[1], seed=seed)


def without_people(scene: Scene, sequence: int, seed: int) -> Image:
    return picture_of(open_scene("empty", width=scene.width, height=scene.height, seed=seed), sequence)


# Names and sizes


@pytest.mark.parametrize(
    ("wrong", "meant"), [("wlak", "walk"), ("Walk", "walk"), ("fal", "fall"), ("", None), ("zzz", None)]
)
def test_the_error_for_an_unknown_scene_names_the_known_ones(wrong: str, meant: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        open_scene(wrong, width=64, height=48)
    error = caught.value
    assert error.key == "camera.source"
    assert f'"{wrong}"' in error.problem
    assert (f'did you mean "{meant}"?' in error.remedy) if meant else ("did you mean" not in error.remedy)
    assert all(name in error.remedy for name in SCENES)


def test_the_documented_scenes_exist() -> None:
    assert set(SCENES) >= {"walk", "wave", "sit", "fall", "lie", "two", "three", "empty"}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [(64, 48), (480, 640), (1280, 720), (161, 119)])
def test_every_pixel_is_painted_at_any_size(name: str, size: tuple[int, int]) -> None:
    scene = open_scene(name, width=size[0], height=size[1])
    assert (scene.width, scene.height) == size
    black, white = np.zeros((size[1], size[0], 3), np.uint8), np.full((size[1], size[0], 3), 255, np.uint8)
    scene.paint(7, black)
    scene.paint(7, white)
    np.testing.assert_array_equal(black, white)
    assert len(scene.truth(7)) == len(SCENES[name])


# Repeatability


@pytest.mark.parametrize("name", SCENES)
def test_a_frame_depends_only_on_its_number(name: str) -> None:
    numbers = [0, 1, 2, 17, 60, 61, 400, 12345]
    one, other = small(name), small(name)
    forwards = {number: picture_of(one, number) for number in numbers}
    for number in reversed(numbers):
        expected = one.truth(number)
        for truth, again in zip(expected, other.truth(number), strict=True):
            np.testing.assert_array_equal(truth.xy, again.xy)
            np.testing.assert_array_equal(truth.visible, again.visible)
        np.testing.assert_array_equal(picture_of(other, number), forwards[number])


def test_every_seed_is_another_scene() -> None:
    seeds = range(8)
    people = [small("walk", seed)._people[0] for seed in seeds]
    assert len({person.outfit for person in people}) == len(seeds)
    assert len({picture_of(small("walk", seed), 0).tobytes() for seed in seeds}) == len(seeds)
    assert len({small("walk", seed).truth(0)[0].xy.tobytes() for seed in seeds}) >= len(seeds) / 2


def test_seeds_mirror_the_scene() -> None:
    sides = set()
    for seed in range(8):
        nose, ankle = (small("lie", seed).truth(0)[0].xy[INDEX[part], 0] for part in ("NOSE", "LEFT_ANKLE"))
        sides.add(bool(nose < ankle))
    assert sides == {False, True}
    nearest = [small("three", seed).truth(0)[0].xy[INDEX["NOSE"], 0] for seed in range(8)]
    assert min(nearest) < 0.4 * SMALL[0]
    assert max(nearest) > 0.6 * SMALL[0]


def test_people_of_one_scene_look_different() -> None:
    scene = open_scene("three", width=WIDTH, height=HEIGHT)
    frame = picture_of(scene, 3).astype(int)
    shirts = []
    for truth in scene.truth(3):
        x, y = truth.xy[[INDEX[part] for part in ("LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_HIP", "RIGHT_HIP")]].mean(0)
        shirts.append(
            frame[round(float(y)) - 20 : round(float(y)), round(float(x)) - 3 : round(float(x)) + 3].mean((0, 1))
        )
    assert min(np.abs(shirts[i] - shirts[j]).max() for i in range(3) for j in range(i)) > 30


# The truth


def silhouette(scene: Scene, sequence: int, seed: int) -> npt.NDArray[np.bool_]:
    """The pixels of people: those whose hue differs from the same frame of the empty room.

    Light and noise are the same in both, and shadows darken red, green and blue alike.
    """
    mask: npt.NDArray[np.bool_] = (
        np.ptp(picture_of(scene, sequence).astype(int) - without_people(scene, sequence, seed), axis=2) > 2
    )
    return mask


@pytest.mark.parametrize(("name", "seed"), [("walk", 0), ("wave", 1), ("fall", 2), ("lie", 3), ("two", 4)])
def test_people_are_painted_where_the_truth_says(name: str, seed: int) -> None:
    scene = open_scene(name, width=320, height=240, seed=seed)
    for sequence in range(0, 110, 11):
        mask = silhouette(scene, sequence, seed)
        xy = np.concatenate([truth.xy for truth in scene.truth(sequence)])
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        # Nothing of the bodies reaches far beyond their keypoints: hands, feet, and the top of the head.
        beyond = 0.13 * max(actor.size for actor in SCENES[name]) * scene.height
        assert -beyond < columns[0] - xy[:, 0].min() < 2
        assert -2 < columns[-1] - xy[:, 0].max() < beyond
        assert -beyond < rows[0] - xy[:, 1].min() < 2
        assert -2 < rows[-1] - xy[:, 1].max() < beyond
        around = [mask[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].mean() for x, y in xy.tolist()]
        assert min(around) > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_pupils_are_painted_exactly_where_the_truth_says(seed: int) -> None:
    scene = open_scene("wave", width=1280, height=960, seed=seed)
    frame, (truth,) = picture_of(scene, 0), scene.truth(0)
    for part in ("LEFT_EYE", "RIGHT_EYE"):
        x, y = truth.xy[INDEX[part]]
        column, row = round(float(x)), round(float(y))
        pupil = np.argwhere(frame[row - 7 : row + 8, column - 7 : column + 8].max(axis=2) < 90)
        assert len(pupil) > 20
        np.testing.assert_allclose(pupil.mean(axis=0) - 7, (y - row, x - column), atol=1)


def test_truth_moves_with_the_picture() -> None:
    scene = open_scene("walk", width=WIDTH, height=HEIGHT)
    middles = [np.flatnonzero(silhouette(scene, n, 0).any(axis=0)).mean() for n in range(0, 100, 10)]
    truths = [scene.truth(n)[0].xy[:, 0].mean() for n in range(0, 100, 10)]
    assert np.ptp(truths) > 150
    np.testing.assert_allclose(truths, middles, atol=30)


def test_left_in_the_truth_is_the_left_of_the_person() -> None:
    for seed in range(4):
        (truth,) = open_scene("wave", width=WIDTH, height=HEIGHT, seed=seed).truth(0)
        for part in ("EYE", "SHOULDER", "ELBOW", "HIP"):
            assert truth.xy[INDEX[f"LEFT_{part}"], 0] > truth.xy[INDEX[f"RIGHT_{part}"], 0]


def test_people_grow_with_the_height() -> None:
    heights = {}
    for width, height in ((320, 240), (640, 480), (1280, 960)):
        (truth,) = open_scene("wave", width=width, height=height).truth(0)
        heights[height] = np.ptp(truth.xy[:, 1]) / height
    assert list(heights.values()) == pytest.approx([heights[480]] * 3, rel=0.01)
    assert heights[480] > 0.5


@pytest.mark.parametrize("name", ["walk", "wave", "sit", "fall", "lie"])
@pytest.mark.parametrize("size", [(160, 120), (120, 160)])
def test_a_single_person_stays_in_the_frame(name: str, size: tuple[int, int]) -> None:
    scene = open_scene(name, width=size[0], height=size[1])
    for sequence in range(0, 140, 14):
        (truth,) = scene.truth(sequence)
        assert np.all((truth.xy >= 0) & (truth.xy < size))
        assert truth.visible.sum() >= 10


def still(_room: float) -> list[motions.MotionFrame]:
    return [(motions.STAND, 0.0)]


def test_a_person_behind_another_is_hidden() -> None:
    near, far = Actor(still, size=0.75), Actor(still, size=0.6)
    assert Scene((far,), WIDTH, HEIGHT, 0).truth(0)[0].visible.all()
    one, both = Scene((near,), WIDTH, HEIGHT, 0), Scene((near, far), WIDTH, HEIGHT, 0)
    front, back = both.truth(0)
    assert front.visible.all()
    x, y = np.rint(front.xy).astype(int).T
    np.testing.assert_array_equal(picture_of(both, 0)[y, x], picture_of(one, 0)[y, x])
    assert front.xy[0, 1] < back.xy[0, 1], "the nearest first"
    assert back.visible.sum() < 5
    left, right = Scene((Actor(still, x=0.3), Actor(still, x=0.7)), WIDTH, HEIGHT, 0).truth(0)
    assert left.visible.all()
    assert right.visible.all()


def test_keypoints_outside_the_frame_are_hidden() -> None:
    (truth,) = Scene((Actor(still, x=0.0),), WIDTH, HEIGHT, 0).truth(0)
    np.testing.assert_array_equal(truth.visible, truth.xy[:, 0] > -0.5)
    assert 0 < truth.visible.sum() < 17


def test_a_person_who_falls_lies_and_gets_up_again() -> None:
    scene = small("fall")
    lying = []
    for sequence in range(200):
        (truth,) = scene.truth(sequence)
        lying.append(bool(np.ptp(truth.xy[:, 0]) > 1.5 * np.ptp(truth.xy[:, 1])))
    changes = np.flatnonzero(np.diff(lying))
    assert len(changes) >= 2
    assert 0.3 < np.mean(lying) < 0.7


# Light and noise


def test_no_two_frames_are_the_same_and_noise_is_slight() -> None:
    scene = small("empty")
    frames = [picture_of(scene, number).astype(int) for number in range(8)]
    for i in range(8):
        for j in range(i):
            difference = frames[i] - frames[j]
            assert 1 < difference.std() < 6
            correlation = np.corrcoef(difference[:-1].ravel(), difference[1:].ravel())[0, 1]
            assert abs(correlation) < 0.1, "noise has no pattern"


def test_the_light_changes_slowly() -> None:
    scene = small("empty")
    brightness = np.array([picture_of(scene, number).mean() for number in range(0, scenes.LIGHT_PERIOD, 3)])
    assert np.ptp(brightness) > 10
    assert np.abs(np.diff(brightness)).max() < 3


@pytest.mark.parametrize("name", SCENES)
def test_no_pixel_wraps_around(name: str) -> None:
    scene, empty = small(name), small("empty")
    brightest = room.BRIGHTEST + scenes.LIGHT_MOST + scenes.NOISE_MOST
    assert brightest <= 255
    for number in range(0, scenes.LIGHT_PERIOD, 20):
        frame = picture_of(scene, number)
        assert frame.max() <= brightest
        assert frame.min() >= room.DARKEST
        # In the empty room, two frames differ only by light and noise.
        change = np.abs(picture_of(empty, number).astype(int) - picture_of(empty, 0))
        assert change.max() <= scenes.LIGHT_MOST + scenes.NOISE_MOST


# Memory


def bytes_held(scene: Scene) -> int:
    stamps = scene._stamps.values()
    return sum(layer.pixels.nbytes for stamp in stamps for layer in (stamp.body, stamp.shadow))


def test_a_loop_is_painted_once() -> None:
    scene = small("walk")
    loop = len(scene._people[0].loop)
    frames = [scene.truth(number) for number in range(loop)]
    stamps, held = len(scene._stamps), scene.cached_bytes
    assert held == bytes_held(scene) > 0
    assert stamps < loop, "postures repeat"
    for number, before in enumerate(frames):
        np.testing.assert_array_equal(scene.truth(number + loop)[0].xy, before[0].xy)
    assert (len(scene._stamps), scene.cached_bytes) == (stamps, held)


def test_the_cache_has_a_limit_and_frames_are_right_beyond_it() -> None:
    scene = open_scene("walk", width=2560, height=1440)
    for number in range(12):
        scene.truth(number)
    assert len(scene._stamps) < 12
    assert 0.7 * scenes.CACHE_BYTES < bytes_held(scene) == scene.cached_bytes <= scenes.CACHE_BYTES
    np.testing.assert_array_equal(picture_of(scene, 11), picture_of(open_scene("walk", width=2560, height=1440), 11))


@pytest.mark.parametrize("scene", ["walk", "sit", "fall", "two", "three"])
def test_the_size_of_the_picture_does_not_move_people(scene: str) -> None:
    whole = open_scene(scene, width=640, height=480, seed=3)
    small = open_scene(scene, width=640, height=480, seed=3, painted=(471, 353))
    for number in (0, 17, 60, 133, 2000):
        people, again = whole.truth(number), small.truth(number)
        assert len(people) == len(again)
        for one, other in zip(people, again, strict=True):
            assert np.abs(one.xy - other.xy).max() < 2.5  # both are painted at whole pixels
            assert (one.visible == other.visible).mean() > 0.75
        reduced = Pillow.fromarray(picture_of(whole, number)).resize((471, 353), Pillow.Resampling.BOX)
        assert np.abs(np.asarray(reduced, float) - picture_of(small, number)).mean() < 8
