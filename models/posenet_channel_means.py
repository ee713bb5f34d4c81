"""Measure posenet_channel_means.json: the mean value of each channel of the network over ordinary pictures.

    python models/posenet_channel_means.py > models/posenet_channel_means.json

The int8 model needs these means to correct the bias of its rounding. Means over noise with the spectrum of photographs
work as well as means over photographs (models/README.md compares them). The means are stored, because float arithmetic
differs between machines: measured during a build, they would change its bytes.
"""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

MODEL = Path(__file__).resolve().parent / "posenet_mobilenet_v1_075_float16.tflite"
PICTURES = 8
SPECTRUM = 1.3  # amplitude ~ 1 / frequency^1.3; photographs have exponents of 1 to 1.4
RELU6_STEPS = 255 / 6  # quantised steps per unit of an inner layer's output
PIXEL_ZERO = 128  # the stored pixel that means 0


def noise_picture(seed: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Clouds of light and shadow with some colour: uint8 (height, width, 3), the same for the same seed."""
    random = np.random.RandomState(seed)  # numpy guarantees that its numbers never change
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = 1
    spectra = np.fft.rfft2(random.standard_normal((4, height, width))) / frequency**SPECTRUM
    light, *colours = np.fft.irfft2(spectra, (height, width))
    picture: npt.NDArray[np.float64] = np.stack([3 * light + colour for colour in colours], axis=-1)
    picture = 115 + 60 * (picture - picture.mean()) / picture.std()  # brightness and contrast of a photograph
    return picture.clip(0, 255).astype(np.uint8)


def channel_means() -> dict[str, list[int]]:
    """Name of the input or an inner layer -> mean of each channel, in quantised steps above the real zero."""
    interpreter = Interpreter(
        str(MODEL),
        experimental_preserve_all_tensors=True,  # otherwise inner tensors share memory
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,  # delegates hide inner tensors
    )
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    _, height, width, _ = image["shape"]
    inner = [tensor for tensor in interpreter.get_tensor_details() if tensor["name"].endswith(("/Relu6", "/conv"))]
    steps: dict[str, list[npt.NDArray[np.float64]]] = {tensor["name"]: [] for tensor in (image, *inner)}
    for seed in range(PICTURES):
        picture = noise_picture(seed, height, width)
        interpreter.set_tensor(image["index"], picture[None])
        interpreter.invoke()
        steps[image["name"]].append(picture.mean((0, 1)) - PIXEL_ZERO)
        for tensor in inner:
            means = interpreter.get_tensor(tensor["index"])[0].mean((0, 1), dtype=np.float64)
            steps[tensor["name"]].append(means * RELU6_STEPS)
    return {name: np.mean(means, axis=0).round().astype(int).tolist() for name, means in steps.items()}


def main() -> None:
    """Print the means, one layer per line."""
    lines = [f"{json.dumps(name)}: {json.dumps(means)}" for name, means in channel_means().items()]
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
