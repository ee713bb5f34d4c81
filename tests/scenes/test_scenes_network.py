"""A pose network finds painted people where the truth says."""

import numpy as np
import pytest

from edge.decode.argmax import decode_argmax
from edge.decode.posenet_outputs import find_outputs
from edge.inference.letterbox import Letterboxer
from edge.inference.tflite import CpuRuntime
from edge.models import catalogue
from edge.scenes.scenes import Truth, open_scene
from edge.skeleton import INDEX
from edge.types import Floats, Frame, Image
from tests.support.models import FAST_MODEL
from tests.support.scenes import picture_of

WIDTH, HEIGHT = 640, 480
INPUT_SIZE = (353, 481)


class Network:
    """The shipped model, and the simplest decoder: the best cell of every heatmap."""

    def __init__(self) -> None:
        self._runtime = CpuRuntime(
            catalogue.read(FAST_MODEL).content, label=FAST_MODEL, input_size=INPUT_SIZE, threads=1
        )
        self._heads = find_outputs(self._runtime.output_shapes, INPUT_SIZE)

    def find(self, image: Image) -> tuple[Floats, Floats]:
        """Keypoints (17, 2) as (x, y) px of the image, and confidences (17,)."""
        frame = Frame(np.ascontiguousarray(image), image.shape[1], image.shape[0], 0, 0.0, 0.0)
        letterbox = Letterboxer()(frame, self._runtime.input())
        self._runtime.invoke()
        pose = decode_argmax(self._runtime.outputs(), self._heads)
        return letterbox.to_frame(pose.keypoints[0]), pose.confidences[0]


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def distances_px(found: tuple[Floats, Floats], truth: Truth) -> Floats:
    """Between found and painted keypoints, for the visible ones of which the network is sure."""
    xy, confidence = found
    sure = truth.visible & (confidence >= 0.3)
    distances: Floats = np.hypot(*(xy - truth.xy)[sure].T)
    return distances


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("name", "limit_px"), [("walk", 8), ("wave", 6), ("sit", 10)])
def test_the_network_finds_the_painted_person(network: Network, name: str, limit_px: float, seed: int) -> None:
    scene = open_scene(name, width=WIDTH, height=HEIGHT, seed=seed)
    errors, counts = [], []
    for sequence in range(0, 104, 13):
        found = network.find(picture_of(scene, sequence))
        errors.append(distances_px(found, scene.truth(sequence)[0]))
        counts.append(int((found[1] >= 0.3).sum()))
    assert min(counts) >= 13
    assert np.mean(counts) >= 15
    assert np.concatenate(errors).mean() < limit_px


def test_the_network_finds_a_lying_person_in_a_turned_frame(network: Network) -> None:
    scene = open_scene("lie", width=WIDTH, height=HEIGHT)
    (truth,) = scene.truth(0)
    frame = picture_of(scene, 0)
    head_left = truth.xy[INDEX["NOSE"], 0] < truth.xy[INDEX["LEFT_ANKLE"], 0]
    turned = np.rot90(frame, -1 if head_left else 1)
    x, y = truth.xy.T
    xy = np.stack((HEIGHT - 1 - y, x) if head_left else (y, WIDTH - 1 - x), axis=1)
    assert network.find(frame)[1].mean() < 0.5
    assert network.find(turned)[1].mean() > 0.8
    assert distances_px(network.find(turned), Truth(xy, truth.visible)).mean() < 12


@pytest.mark.parametrize("name", ["two", "three"])
def test_the_network_finds_each_of_several(network: Network, name: str) -> None:
    scene = open_scene(name, width=WIDTH, height=HEIGHT)
    found = 0
    for sequence in range(0, 90, 15):
        frame, people = picture_of(scene, sequence), scene.truth(sequence)
        spans = [(truth.xy[:, 0].min() - 25, truth.xy[:, 0].max() + 25) for truth in people]
        for truth, (left, right) in zip(people, spans, strict=True):
            if sum(left < other[1] and other[0] < right for other in spans) > 1:
                continue  # another person is in the way
            first, last = max(int(left), 0), min(int(right), WIDTH)
            distances = distances_px(network.find(frame[:, first:last]), Truth(truth.xy - (first, 0), truth.visible))
            assert len(distances) >= 12
            assert np.median(distances) < 10
            found += 1
    assert found >= 6


def test_the_network_finds_no_keypoint_in_the_empty_room(network: Network) -> None:
    scene = open_scene("empty", width=WIDTH, height=HEIGHT)
    for sequence in (0, 100, 200):
        assert network.find(picture_of(scene, sequence))[1].max() < 0.1
