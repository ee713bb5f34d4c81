"""`edge-pose schema`."""

import json
from typing import Annotated

import typer


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="keypoints, info or health. Without it, all three.")
    ] = None,
) -> None:
    """Print the JSON Schema of the messages."""
    from edge.mqtt.messages import schemas

    known = schemas()
    if name is not None and name not in known:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(known)}", param_hint="NAME")
    typer.echo(json.dumps(known[name] if name else known, indent=2))
