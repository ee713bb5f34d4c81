"""`edge-pose demo`."""

from typing import Annotated

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson


def demo(
    broker: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Use this broker instead of starting one.")
    ] = None,
    frames: Annotated[
        int, typer.Option(metavar="N", min=0, help="Stop after this many frames; 0 = run until Ctrl-C.")
    ] = 0,
    source: Annotated[
        str, typer.Option(metavar="SOURCE", help="Source of the frames, a value for camera.source.")
    ] = "synthetic:tour",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the sensor at work without any hardware: painted people, a broker, a page, and the messages.

    On a terminal, it shows a live table and the last events. In a pipe, or with --json, it prints one message per line.
    """
    log_problems()
    from edge.cli.demo import run

    raise typer.Exit(run(broker, frames, source, as_json=as_json, browser=not no_browser))
