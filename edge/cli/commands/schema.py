"""`edge-pose schema`."""

import json
from typing import Annotated

import typer

from edge.errors import UsageError


def schema(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="keypoints, event, state, info, health or recording. Without it, all."),
    ] = None,
) -> None:
    """Print the JSON Schema of the messages, and of the lines of a recording."""
    from edge.mqtt.topics import schemas
    from edge.recording.format import schema as schema_of_recording

    known = schemas() | {"recording": schema_of_recording()}
    if name is not None and name not in known:
        raise UsageError("NAME", f"there is no message {name!r}", f"use one of {', '.join(known)}")
    typer.echo(json.dumps(known[name] if name else known, indent=2))
