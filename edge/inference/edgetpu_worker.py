"""Try a model or the Edge TPU in another process, which may crash or hang of it without harm; that is this file too."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from edge.errors import EXIT_CONFIG, EXIT_FAILURE, AcceleratorError, EdgeError, ModelError
from edge.inference import edgetpu
from edge.inference.tflite import EdgeTpuRuntime, import_package, installed, refusal

CHECK_S = 60
EDGE_TPU_CHECK_S = 30  # a Coral on USB takes its firmware first
_PR_SET_PDEATHSIG = 1
_WORKS = "works"  # or else what is wrong


def check_model(path: Path, label: str = "") -> str:
    """Load `path` and run it once in another process, since a damaged file kills tflite-runtime.

    Returns the name of the runtime. Raises ModelError, which calls the file by `label` or else by its path, if the
    runtime refuses it or does not survive it.
    """
    label = label or str(path)
    command = [sys.executable, "-m", __name__, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CHECK_S)
    except subprocess.TimeoutExpired as exc:
        problem = f"{label} is damaged: it runs for more than {CHECK_S} s"
        raise ModelError("model.name", problem, "fetch it again") from exc
    if done.returncode < 0:
        raise ModelError("model.name", f"{label} is damaged: the runtime crashed on it", "fetch it again")
    if done.returncode > 0:
        raise refusal(done.stderr.strip().rpartition("\n")[2], label, {})
    return installed()


def check_edge_tpu(path: Path, device: str, library: str) -> None:
    """Load the model in `path` as EdgeTpuRuntime does, and run it once, in another process.

    Raises what EdgeTpuRuntime raises, and AcceleratorError if that process crashed or hung.
    """
    command = [sys.executable, "-m", __name__, str(path), device, library, str(os.getpid())]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False, timeout=EDGE_TPU_CHECK_S
        )
    except subprocess.TimeoutExpired as exc:
        raise AcceleratorError(edgetpu.hung(library, EDGE_TPU_CHECK_S)) from exc
    except OSError as exc:
        raise AcceleratorError(f"the Edge TPU cannot be tried ({exc.strerror}); see that there is memory left, or "
                               "restart the machine") from exc  # fmt: skip
    if done.returncode < 0:
        raise AcceleratorError(edgetpu.crashed(library, _signal(-done.returncode)))
    if done.stdout not in ("", _WORKS):
        raise (ModelError if done.returncode == EXIT_CONFIG else AcceleratorError)(done.stdout)
    if done.returncode > 0 or done.stdout != _WORKS:  # it may end the process as if all were well
        raise AcceleratorError(edgetpu.crashed(library, f"exit code {done.returncode}"))


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _try_model(path: str) -> None:
    """What `check_model` does there."""
    _, package = import_package()
    try:
        interpreter = package.Interpreter(model_path=path)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (ValueError, RuntimeError) as exc:
        sys.exit(" ".join(str(exc).split()))


def _try_edge_tpu(path: str, device: str, library: str, parent: str) -> None:
    """What `check_edge_tpu` does there."""
    # A libedgetpu that hangs must not outlive the daemon, and keep the Coral from the next one.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # which has ended before we came to this
        sys.exit(EXIT_FAILURE)
    # What comes that way is ours alone: libraries write to their standard output whatever they like.
    to_parent = os.dup(1)
    os.dup2(2, 1)
    try:
        EdgeTpuRuntime(Path(path).read_bytes(), label=path, device=device, library=library, threads=1).invoke()
    except EdgeError as exc:
        os.write(to_parent, f"{exc}".encode())
        sys.exit(exc.exit_code)
    except Exception as exc:  # noqa: BLE001 - whatever it is, nobody else would hear of it
        os.write(to_parent, edgetpu.unforeseen(exc).encode())
        sys.exit(EXIT_FAILURE)
    os.write(to_parent, _WORKS.encode())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _try_edge_tpu(*sys.argv[1:])
    else:
        _try_model(sys.argv[1])
