"""Everything that can go wrong in a way the owner of the device can mend.

    EdgeError
    ├── UsageError         an argument of the command line                       exit 2
    ├── ConfigError        a key, a file that a key names, or the environment     exit 78
    ├── ModelError         a model is missing, damaged or not one that we know    exit 78
    ├── CameraError        the camera or stream is gone or silent                 exit 1
    ├── AcceleratorError   the Edge TPU or its driver                             exit 1
    │   └── AbsentError    there is none, which is as usual where none is asked for
    ├── FetchError         a model cannot be downloaded now                       exit 1
    └── BrokerError        no broker, for commands that are nothing without one   exit 1

The message is one line: the file or key, what is wrong, what to do. Exit 78 (EX_CONFIG) tells systemd that
a restart mends nothing; everything else may heal, so it is restarted. For the daemon the loss of the broker is a
state and not an error.
"""

import os
import sys

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78


class EdgeError(Exception):
    """Base of all errors that are shown to the owner as one line."""

    exit_code = EXIT_FAILURE

    def __str__(self) -> str:
        # What is quoted may have more than one: a file's name, what a library says.
        return " ".join(super().__str__().splitlines())


class UsageError(EdgeError, ValueError):
    """What the command line names cannot be used."""

    exit_code = EXIT_USAGE


class ConfigError(EdgeError, ValueError):
    """The configuration, or a file that it names, cannot be used."""

    exit_code = EXIT_CONFIG


class ModelError(EdgeError, ValueError):
    """A model file is missing, damaged, or has outputs that no decoder knows."""

    exit_code = EXIT_CONFIG


class CameraError(EdgeError, RuntimeError):
    """A source that should give frames does not."""


class AcceleratorError(EdgeError, RuntimeError):
    """The Edge TPU, its driver or its library refuses."""


class AbsentError(AcceleratorError):
    """No Edge TPU is attached."""


class FetchError(EdgeError, RuntimeError):
    """The network, or who is at its other end, does not give us a file."""


class BrokerError(EdgeError, RuntimeError):
    """The broker cannot be reached, or does not let us in."""


def pip_install(extra: str) -> str:
    """The command that installs what an extra needs, to where this program is; apt's numpy stays the one in use."""
    sudo = "" if os.access(sys.prefix, os.W_OK) else "sudo "
    constraints = os.path.join(sys.prefix, "constraints.txt")  # noqa: PTH118 - which systemd/install.sh leaves there
    constrained = f"-c {constraints} " if os.path.isfile(constraints) else ""
    return f"{sudo}{sys.executable} -m pip install {constrained}'edge-pose[{extra}]'"


def tell(error: EdgeError) -> int:
    """Write an error to standard error as the one line that it is; returns the exit code."""
    if sys.stderr is not None:
        sys.stderr.write(f"edge-pose: {error}\n")
        sys.stderr.flush()
    return error.exit_code
