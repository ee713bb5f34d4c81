"""Run a model file once in another process, because tflite-runtime crashes on damaged files."""

import subprocess
import sys
from pathlib import Path

from edge.errors import ModelError
from edge.inference.tflite import import_package, installed, refusal
from edge.system.processes import module_command

LIMIT_S = 60.0


def check_model(path: Path, label: str = "", limit_s: float = LIMIT_S) -> str:
    """Load the model in `path` and run it once; returns the name of the runtime.

    Raises ModelError if the runtime refuses the model, crashes on it, or needs more than `limit_s`. The error names the
    file by `label`, or else by its path.
    """
    label = label or str(path)
    command = module_command("edge.inference.model_trial", str(path))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired as exc:
        raise ModelError("model.name", f"{label} is damaged: it ran for more than {limit_s:g} s",
                         "download it again") from exc  # fmt: skip
    if done.returncode < 0:
        raise ModelError("model.name", f"{label} is damaged: the runtime crashed on it", "download it again")
    if done.returncode > 0:
        raise refusal(done.stderr.strip().rpartition("\n")[2], label, {})
    return installed()


def main(path: str) -> None:
    """Run in the other process: run the model once, and exit with the runtime's error if there is one."""
    _, package = import_package()
    try:
        interpreter = package.Interpreter(model_path=path)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (ValueError, RuntimeError) as exc:
        sys.exit(" ".join(str(exc).split()))


if __name__ == "__main__":
    main(sys.argv[1])
