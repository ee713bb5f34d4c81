"""The result of one check, for `edge-pose doctor` and `edge-pose check` alike."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.errors import EXIT_OK, EdgeError

# "unknown": the check was not possible, for example without permission.
Level: TypeAlias = Literal["ok", "unknown", "warning", "problem"]

SUDO = "run with sudo"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check; `fix` is the remedy on one line, or "" if nothing needs to be done."""

    name: str
    level: Level
    text: str
    fix: str = ""
    exit_code: int = EXIT_OK  # of the error that was raised

    @property
    def line(self) -> str:
        """Text and fix on one line."""
        return "; ".join(filter(None, (self.text, self.fix)))


Report: TypeAlias = dict[str, list[Result]]  # title of a group -> its results


def from_error(name: str, error: EdgeError) -> Result:
    """The problem that an error reports; unknown if this user was not allowed to read a file."""
    text = ": ".join(filter(None, (error.origin, error.key, error.problem)))
    if _is_denied(error):
        return Result(name, "unknown", text, SUDO, error.exit_code)
    return Result(name, "problem", text, error.remedy, error.exit_code)


def _is_denied(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PermissionError):
            return True
        cause = cause.__cause__
    return False
