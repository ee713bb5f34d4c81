"""`edge-pose schema`."""

import json
from typing import Annotated

import typer


def schema(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="keypoints, event, state, info or health. Without it, all."),
    ] = None,
) -> None:
    """Print the JSON Schema of the messages."""
    from edge.mqtt.topics import schemas

    known = schemas()
    if name is not None and name not in known:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(known)}", param_hint="NAME")
    typer.echo(json.dumps(known[name] if name else known, indent=2))
