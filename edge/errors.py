"""Every error that the owner of the device can act on, as data: key, problem, remedy.

    EdgeError
    ├── UsageError         an argument of the command line                       exit 2
    ├── ConfigError        a key, a file that a key names, or the environment    exit 78
    ├── ModelError         a model is missing, damaged or of an unknown kind     exit 78
    ├── CameraError        the camera or stream is gone or silent                exit 1
    ├── AcceleratorError   the Edge TPU, its driver or its library               exit 1
    ├── FetchError         a model cannot be downloaded now                      exit 1
    └── BrokerError        no broker, for commands that need one                 exit 1

Exit code 78 (EX_CONFIG) tells systemd not to restart. Losing the broker is a state of the daemon, not an error.
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
    """Why a network runs where it runs; `backend.code` in `info`, `backend_code` in `health`."""

    CONFIGURED = "configured"  # inference.device names this backend
    STARTING = "starting"  # the Edge TPU is being opened
    READY = "ready"  # the Edge TPU works
    ABSENT = "absent"  # no Edge TPU is attached
    NO_MODEL = "no_model"  # no usable model for the Edge TPU is on this device
    NO_LIBRARY = "no_library"  # libedgetpu cannot be loaded
    REFUSED = "refused"  # the library opened no device
    INCOMPATIBLE = "incompatible"  # the library does not take the model
    FAILED = "failed"  # the library reported an error during an inference
    CRASHED = "crashed"  # the library killed its worker process
    EXITED = "exited"  # the library ended its worker process
    HUNG = "hung"  # the worker did not answer in time
    UNEXPECTED = "unexpected"  # anything else


class EdgeError(Exception):
    """An error that is shown to the owner as one line: `<key>: <problem>; <remedy>`.

    `key` is the configuration key, option or file that is wrong, or "". `origin` is the file or environment variable
    that set the key, where that is known. The text is only for people: code reads the fields.
    """

    exit_code = EXIT_FAILURE

    def __init__(self, key: str, problem: str, remedy: str, *, origin: str = "") -> None:
        super().__init__(key, problem, remedy)
        self.key = key
        self.problem = problem
        self.remedy = remedy
        self.origin = origin

    def with_fields(self, **fields: Any) -> Self:
        """A copy with other fields, such as `key="--source"` where the command line named what `camera.source` is."""
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
    """A model file is missing, damaged, or has outputs that no decoder reads."""

    exit_code = EXIT_CONFIG


class CameraError(EdgeError, RuntimeError):
    """A source gives no frames."""


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


def pip_install(extra: str) -> str:
    """The command that installs an extra into this environment; it keeps apt's numpy, which picamera2 needs."""
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
