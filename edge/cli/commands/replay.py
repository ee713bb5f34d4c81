"""`edge-pose replay`."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, or folders with recordings.")],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Configuration of the rules instead of the recorded one.",
            show_default=False,
            readable=False,  # edge.config reports an unreadable file, with exit code 78 instead of 2
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play recordings through the rules, and print the events."""  # fmt: skip
    log_problems()
    from edge.cli.replay import run

    raise typer.Exit(run(files, config, as_json=as_json))
