"""Programs that only pretend to run."""

from collections.abc import Sequence

from edge.doctor.command import Ran


class Commands:
    """Runs no program: each prints what is given by its name, and all others do not exist."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def __call__(self, command: Sequence[str]) -> Ran:
        known = self.answers.get(command[0])
        return Ran(None, err="No such file or directory") if known is None else Ran(0, known)
