"""The catalogue of the shipped models; the inputs and outputs of the PoseNets, and how closely the two agree."""

import hashlib
import json
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from PIL import Image as Pillow

from edge.inference.letterbox import Letterboxer
from edge.scenes.scenes import open_scene
from edge.types import Array, Floats, Frame, Image
from tests.support import ROOT
from tests.support.scenes import picture_of

MODELS = ROOT / "models"
CATALOGUE: dict[str, dict[str, Any]] = tomllib.loads((MODELS / "catalogue.toml").read_text())
BUILT = {name: entry for name, entry in CATALOGUE.items() if entry["family"] == "posenet"}  # by models/build.py
FILES = [entry["file"] for entry in BUILT.values()]
KEYS = {"file", "sha256", "size", "licence", "source", "family", "input_sizes", "output_stride", "about"}
CHANNELS = {"heatmaps": 17, "short_offsets": 34, "displacement_fwd": 32, "displacement_bwd": 32}
STRIDE_PX = 16
SIZES = [(257, 257), (353, 481), (481, 641)]
DECLARED = (353, 481)


def test_the_catalogue_describes_the_files_and_nothing_else() -> None:
    listed = [entry["file"] for entry in CATALOGUE.values()]
    assert sorted(listed) == sorted(path.name for path in MODELS.glob("*.tflite"))
    for entry in CATALOGUE.values():
        content = (MODELS / entry["file"]).read_bytes()
        assert set(entry) == KEYS
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["size"] == len(content)
    for entry in BUILT.values():
        assert entry["input_sizes"] == [list(size) for size in SIZES]
        assert (entry["family"], entry["output_stride"]) == ("posenet", STRIDE_PX)


def test_the_wheel_contains_every_model_and_stays_below_25_mb() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    files = [f"models/{entry['file']}" for entry in CATALOGUE.values()]
    assert sorted(source for source in included if source.endswith(".tflite")) == sorted(files)
    assert all(target == f"edge/{source}" for source, target in included.items())
    compressed = sum(len(zlib.compress((ROOT / file).read_bytes())) for file in files)
    assert compressed < 24e6  # the program itself has less than 1 MB


class Network:
    """A model at one input size."""

    def __init__(self, content: bytes, size: tuple[int, int] | None = None) -> None:
        self.interpreter = Interpreter(model_content=content, num_threads=2)
        (image,) = self.interpreter.get_input_details()
        if size:
            self.interpreter.resize_tensor_input(image["index"], (1, *size, 3))
        self.interpreter.allocate_tensors()
        (self.image,) = self.interpreter.get_input_details()
        self.outputs: Sequence[Mapping[str, Any]] = self.interpreter.get_output_details()

    def raw(self, picture: Image) -> dict[str, Array]:
        """Name -> output as the model stores it, (h, w, channels)."""
        self.interpreter.set_tensor(self.image["index"], picture[None])
        self.interpreter.invoke()
        return {output["name"]: self.interpreter.get_tensor(output["index"])[0] for output in self.outputs}

    def real(self, picture: Image) -> dict[str, Floats]:
        quantization = {output["name"]: output["quantization"] for output in self.outputs}
        return {
            name: (values.astype(np.float32) - quantization[name][1]) * (quantization[name][0] or 1)
            for name, values in self.raw(picture).items()
        }


def shipped(name: str, size: tuple[int, int] | None = None) -> Network:
    return Network((MODELS / name).read_bytes(), size)


def noise(size: tuple[int, int]) -> Image:
    return np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", FILES)
def test_every_model_takes_pixels_and_has_four_outputs_in_order(name: str) -> None:
    network = shipped(name)
    assert network.image["name"] == "image"
    assert network.image["dtype"] == np.uint8
    assert tuple(network.image["shape"]) == (1, *DECLARED, 3)
    outputs = network.raw(noise(DECLARED))
    assert list(outputs) == list(CHANNELS)
    grid = tuple((pixels - 1) // STRIDE_PX + 1 for pixels in DECLARED)
    assert {name: values.shape for name, values in outputs.items()} == {
        name: (*grid, channels) for name, channels in CHANNELS.items()
    }


def declared_for(content: bytes, size: tuple[int, int]) -> bytes:
    """The same model as it would have been written for an input of `size`."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for tensor in model.subgraphs[0].tensors:
        if tensor.buffer == 0 and not tensor.name.endswith(b"/weights"):  # the input, or computed from it
            strides = [round(declared / cells) for declared, cells in zip(DECLARED, tensor.shape[1:3], strict=True)]
            grid = [-(-pixels // stride) for pixels, stride in zip(size, strides, strict=True)]
            tensor.shape = [1, *grid, tensor.shape[3]]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", SIZES)
def test_a_resized_model_computes_the_same_as_a_model_of_that_size(name: str, size: tuple[int, int]) -> None:
    picture = noise(size)
    resized = shipped(name, size).raw(picture)
    native = Network(declared_for((MODELS / name).read_bytes(), size)).raw(picture)
    for output, values in native.items():
        assert values.std() > 0
        np.testing.assert_array_equal(resized[output], values)


def peaks(outputs: Mapping[str, Floats], confidence: float) -> list[Floats]:
    """For each keypoint the places (n, 2) as (y, x) input px of all local maxima with at least that confidence."""
    logits, offsets = outputs["heatmaps"], outputs["short_offsets"]
    rows, columns, keypoints = logits.shape
    padded = np.pad(logits, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    around = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    is_peak = (logits >= np.max(around, axis=0)) & (logits >= np.log(confidence / (1 - confidence)))
    cells = [np.argwhere(is_peak[..., keypoint]) for keypoint in range(keypoints)]
    return [
        found.astype(np.float32) * STRIDE_PX + offsets[found[:, 0], found[:, 1]][:, [keypoint, 17 + keypoint]]
        for keypoint, found in enumerate(cells)
    ]


def distances_px(pictures: Sequence[Image]) -> npt.NDArray[np.float64]:
    """The distance from each confident keypoint of float16 to the nearest one of int8; inf if there is none.

    All peaks are compared, not only the highest ones: the two models may rank the wrists of two people differently.
    """
    exact, quick = (shipped(CATALOGUE[name]["file"]) for name in ("posenet-float16", "posenet"))
    return np.array(
        [
            np.hypot(*(near - place).T).min(initial=np.inf)
            for picture in pictures
            for places, near in zip(peaks(exact.real(picture), 0.5), peaks(quick.real(picture), 0.3), strict=True)
            for place in places
        ]
    )


def photographed(path: Path) -> Iterator[Image]:
    """The whole picture and each half, which shows one of the two people, each also mirrored."""
    photograph = np.asarray(Pillow.open(path).convert("RGB"))
    middle = photograph.shape[1] // 2
    for part in (photograph, photograph[:, :middle], photograph[:, middle:]):
        for image in (part, part[:, ::-1]):
            picture = np.empty((*DECLARED, 3), np.uint8)
            Letterboxer()(Frame(np.ascontiguousarray(image), image.shape[1], image.shape[0], 0, 0.0, 0.0), picture)
            yield picture


def assert_agreement(distances: npt.NDArray[np.float64]) -> None:
    assert len(distances) > 60, "too few confident keypoints to compare"
    assert np.median(distances) <= 1
    assert np.quantile(distances, 0.97) <= 4


@pytest.mark.parametrize("scene", ["walk", "wave", "two"])
def test_both_models_find_the_same_keypoints_of_painted_people(scene: str) -> None:
    room = open_scene(scene, width=DECLARED[1], height=DECLARED[0])
    assert_agreement(distances_px([picture_of(room, number) for number in range(0, 120, 15)]))


def test_both_models_find_the_same_keypoints_of_photographed_people(coral: Path) -> None:
    assert_agreement(distances_px(list(photographed(coral / "test_couple.jpg"))))


def test_the_channel_means_can_be_measured_again() -> None:
    stored = json.loads((MODELS / "posenet_channel_means.json").read_text())
    command = [sys.executable, str(MODELS / "posenet_channel_means.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert list(measured) == list(stored)
    for layer, means in stored.items():
        np.testing.assert_allclose(measured[layer], means, atol=1, err_msg=layer)  # floats differ between machines
