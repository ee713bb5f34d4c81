"""Measure multipose_statistics.json: the range and the channel means of each layer of MultiPose's backbone.

    python models/multipose_statistics.py --frames DIR > models/multipose_statistics.json

The int8 model needs them. Its layers without an activation function are not limited, so their ranges are measured over
frames with people: DIR has pictures, or clips, of which one frame in 40 is used. The result is stored, because float
arithmetic differs between machines: measured during a build, it would change the bytes of the model.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edge.inference.letterbox import Letterboxer
from edge.types import Frame

MODEL = Path(__file__).resolve().parent / "movenet_multipose_192_256_float16.tflite"
EVERY = 40  # one frame in this many is used
BACKBONE = "model/"
CONSTANTS = ("/weights_float16", "/weights", "/bias")


def frames(folder: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """The pictures of a folder, and one in `EVERY` frames of its clips: RGB (h, w, 3)."""
    for path in sorted(folder.iterdir()):
        if path.suffix in {".mp4", ".jpg", ".png"}:
            with av.open(str(path)) as container:
                for number, frame in enumerate(container.decode(video=0)):
                    if number % EVERY == 0:
                        yield np.ascontiguousarray(frame.to_ndarray(format="rgb24"))


class Measurement:
    """The lowest and highest value of one layer, and the means of its channels, over all frames."""

    def __init__(self) -> None:
        self._low, self._high = 0.0, 0.0  # zero is always exact, so it is always in the range
        self._means: list[npt.NDArray[np.float64]] = []

    def add(self, values: npt.NDArray[np.float32]) -> None:
        self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))
        self._means.append(values.mean((0, 1), dtype=np.float64))

    def statistics(self) -> dict[str, Any]:
        """As `multipose_to_tflite.Statistics`. The range is rounded outwards."""
        low, high = math.floor(self._low * 100) / 100, math.ceil(self._high * 100) / 100
        steps = np.mean(self._means, axis=0) * (255 / (high - low))
        return {"low": low, "high": high, "means": steps.round().astype(int).tolist()}


def measure(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of the input or a layer of the backbone -> its statistics."""
    interpreter = Interpreter(
        str(MODEL),
        experimental_preserve_all_tensors=True,  # otherwise inner tensors share memory
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,  # delegates hide inner tensors
    )
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    picture = np.empty(image["shape"][1:], np.uint8)
    scale, zero = image["quantization"]
    inner = [
        tensor
        for tensor in interpreter.get_tensor_details()
        if tensor["name"].startswith(BACKBONE) and not tensor["name"].endswith(CONSTANTS)
    ]
    measured = {tensor["name"]: Measurement() for tensor in (image, *inner)}
    letterbox = Letterboxer(smooth=True)
    for pixels in frames(folder):
        letterbox(Frame(pixels, pixels.shape[1], pixels.shape[0], 0, 0.0, 0.0), picture)
        interpreter.set_tensor(image["index"], picture[None])
        interpreter.invoke()
        measured[image["name"]].add((picture.astype(np.float32) - np.float32(zero)) * np.float32(scale))
        for tensor in inner:
            measured[tensor["name"]].add(interpreter.get_tensor(tensor["index"])[0])
    return {name: measurement.statistics() for name, measurement in measured.items()}


def main() -> int:
    """Print the statistics, one layer per line."""
    parser = argparse.ArgumentParser(description="Measure the layers of MultiPose's backbone.")
    parser.add_argument("--frames", type=Path, required=True, help="a folder with pictures or clips of people")
    folder = parser.parse_args().frames
    if not folder.is_dir() or next(frames(folder), None) is None:
        print(f"error: {folder}: no pictures and no clips; give a folder with .jpg, .png or .mp4", file=sys.stderr)
        return 1
    lines = [f"{json.dumps(name)}: {json.dumps(values)}" for name, values in measure(folder).items()]
    print("{\n" + ",\n".join(lines) + "\n}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
