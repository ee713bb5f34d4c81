"""`edge-pose annotate`."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.options import (
    InputSize,
    ModelName,
    OptionalConfigFile,
    check_writable,
    config_without_broker,
    model_errors_name_options,
)


def annotate(
    source: Annotated[str, typer.Argument(metavar="IN", help="A picture, a video, or any value for camera.source.")],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Picture, video or GIF to write. Its suffix selects the format."),
    ],
    frame: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Number of the frame to draw, from 0. For a video or GIF, the first frame."
        ),
    ] = 0,
    frames: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="For a video or GIF, at most this many frames.", show_default=False),
    ] = None,
    config: OptionalConfigFile = None,
    model: ModelName = None,
    input_size: InputSize = None,
) -> None:
    """Draw skeletons on a picture or a video. This is the only command that writes pictures."""
    check_writable(out, "OUT")
    # Both signals must raise, so that the partly written file is removed. Shells disable SIGINT in the background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    from edge.cli.annotate import run

    with model_errors_name_options(model, input_size):
        seen = run(config_without_broker(config, model, input_size), source, out, first=frame, frames=frames)
    typer.echo(f"wrote {out}: {seen}", err=True)
