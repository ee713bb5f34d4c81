"""`edge-pose report`."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.log import log_problems
from edge.cli.options import check_writable


def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, or folders with recordings.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Page to write instead of <device>-<date>.html; - for standard output.",
            show_default=False,
        ),
    ] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON; a page only with --out.")] = False,
) -> None:
    """Turn recordings into one HTML page: presence, places, postures, and each fall as a strip of skeletons."""
    if out is not None:
        check_writable(out, "--out")
    log_problems()
    from edge.cli.report import run

    raise typer.Exit(run(files, config, out, json_too=as_json))
