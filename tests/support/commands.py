"""A fake that runs no programs."""

from collections.abc import Sequence

from edge.doctor.command import Ran


class Commands:
    """Answers by the name of the program with its given output; other programs do not exist."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def __call__(self, command: Sequence[str]) -> Ran:
        known = self.answers.get(command[0])
        return Ran(None, err="No such file or directory") if known is None else Ran(0, known)
