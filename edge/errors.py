"""Every error that the owner of the device can act on, as data: key, problem, remedy.

    EdgeError
    ├── UsageError         an argument of the command line                       exit 2
    ├── ConfigError        a key, a file that a key names, or the environment    exit 78
    ├── ModelError         a model is missing, damaged or of an unknown kind     exit 78
    ├── CameraError        the camera or stream is missing or delivers nothing   exit 1
    ├── AcceleratorError   the Edge TPU, its driver or its library failed        exit 1
    ├── FetchError         a model cannot be downloaded now                      exit 1
    └── BrokerError        a command needs the broker and cannot use it          exit 1

systemd does not restart the daemon after exit code 78 (EX_CONFIG). For the daemon, losing the broker is a state, not an
error.
"""

import copy
import os
import sys
from enum import StrEnum
from typing import Any, Self

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78


class ReasonCode(StrEnum):
    """Why the current backend is in use; `backend.code` in `info`, `backend_code` in `health`."""

    CONFIGURED = "configured"  # inference.device names this backend
    STARTING = "starting"  # the Edge TPU is being opened
    READY = "ready"  # the Edge TPU works
    ABSENT = "absent"  # no Edge TPU is attached
    NO_MODEL = "no_model"  # this device has no usable model for the Edge TPU
    NO_LIBRARY = "no_library"  # libedgetpu cannot be loaded
    REFUSED = "refused"  # the library could not open a device
    INCOMPATIBLE = "incompatible"  # the library rejected the model
    FAILED = "failed"  # the library reported an error during an inference
    CRASHED = "crashed"  # a crash in the library killed the worker process
    EXITED = "exited"  # the library called exit() in the worker process
    HUNG = "hung"  # the worker did not answer in time
    UNEXPECTED = "unexpected"  # anything else


class EdgeError(Exception):
    """An error shown to the owner as one line: `<key>: <problem>; <remedy>`.

    `key` is the configuration key, option or file that is wrong, or "". `origin` is the file or environment variable
    that set the key, if known. Code must read the fields and never parse the text.
    """

    exit_code = EXIT_FAILURE

    def __init__(self, key: str, problem: str, remedy: str, *, origin: str = "") -> None:
        super().__init__(key, problem, remedy)
        self.key = key
        self.problem = problem
        self.remedy = remedy
        self.origin = origin

    def with_fields(self, **fields: Any) -> Self:
        """A copy with some fields replaced, such as `key="--source"` if the command line set `camera.source`."""
        changed = copy.copy(self)
        for name, value in fields.items():
            setattr(changed, name, value)
        return changed

    @property
    def text(self) -> str:
        """Problem and remedy without the key, on one line."""
        return " ".join("; ".join(filter(None, (self.problem, self.remedy))).split())

    def __str__(self) -> str:
        return " ".join(": ".join(filter(None, (self.origin, self.key, self.text))).split())


class UsageError(EdgeError, ValueError):
    """An argument of the command line cannot be used."""

    exit_code = EXIT_USAGE


class ConfigError(EdgeError, ValueError):
    """The configuration, or a file that it names, cannot be used."""

    exit_code = EXIT_CONFIG


class ModelError(EdgeError, ValueError):
    """A model file is missing, damaged, or has outputs that no decoder supports."""

    exit_code = EXIT_CONFIG


class CameraError(EdgeError, RuntimeError):
    """A source delivers no frames."""


class AcceleratorError(EdgeError, RuntimeError):
    """The Edge TPU, its driver or its library failed; `code` says how."""

    def __init__(self, key: str, problem: str, remedy: str, *, code: ReasonCode = ReasonCode.UNEXPECTED) -> None:
        super().__init__(key, problem, remedy)
        self.code = code


class AbsentError(AcceleratorError):
    """No Edge TPU is attached."""


class FetchError(EdgeError, RuntimeError):
    """A model cannot be downloaded now."""


class BrokerError(EdgeError, RuntimeError):
    """The broker cannot be reached, or refuses the connection."""


class RequestError(EdgeError, RuntimeError):
    """A request cannot be carried out now."""


def pip_install(extra: str) -> str:
    """The command that installs an extra into this environment without replacing apt's numpy, which picamera2 needs."""
    sudo = "" if os.access(sys.prefix, os.W_OK) else "sudo "
    constraints = os.path.join(sys.prefix, "constraints.txt")  # noqa: PTH118 - systemd/install.sh puts it there
    constrained = f"-c {constraints} " if os.path.isfile(constraints) else ""
    return f"{sudo}{sys.executable} -m pip install {constrained}'edge-pose[{extra}]'"


def print_error(error: EdgeError) -> int:
    """Write the error to standard error as one line; returns its exit code."""
    if sys.stderr is not None:
        sys.stderr.write(f"edge-pose: {error}\n")
        sys.stderr.flush()
    return error.exit_code
