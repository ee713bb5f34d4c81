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
    ] = "synthetic:walk",
    as_json: AsJson = False,
) -> None:
    """Show the sensor at work without any hardware: a painted person, a broker, and the messages.

    On a terminal, it shows a live table. In a pipe, or with --json, it prints one message per line.
    """
    log_problems()
    from edge.cli.demo import run

    raise typer.Exit(run(broker, frames, source, as_json=as_json))
