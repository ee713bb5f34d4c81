"""`edge-pose report`."""

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.log import log_problems
from edge.cli.options import Recordings, RulesConfig, check_writable


def report(
    files: Recordings,
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
    config: RulesConfig = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON; a page only with --out.")] = False,
) -> None:
    """Turn recordings into one HTML page: presence, places, postures, and each fall as a strip of skeletons."""
    if out is not None:
        check_writable(out, "--out")
    log_problems()
    from edge.cli.report import run

    raise typer.Exit(run(files, config, out, json_too=as_json))
