"""`edge-pose schema`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.errors import UsageError


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="keypoints, event, state, info, health, request, response or recording. Without it, all.",
        ),
    ] = None,
    asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="Print the AsyncAPI document of all topics instead.")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write all schemas and the AsyncAPI document into this folder."),
    ] = None,
) -> None:
    """Print the JSON Schema of the messages, and of the lines of a recording."""
    from edge.mqtt.asyncapi import document
    from edge.mqtt.topics import schemas
    from edge.recording.format import schema as schema_of_recording

    known = schemas() | {"recording": schema_of_recording()}
    if name is not None and name not in known:
        raise UsageError("NAME", f"there is no message {name!r}", f"use one of {', '.join(known)}")
    if write is not None:
        _write(write, {f"schema/{one}.json": content for one, content in known.items()} | {"asyncapi.json": document()})
    elif asyncapi:
        typer.echo(_text(document()))
    else:
        typer.echo(_text(known[name] if name else known))


def _write(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_text(content) + "\n", encoding="utf-8")
    except OSError as exc:
        raise UsageError("--write", f"{folder}: cannot write ({exc.strerror})", "name another folder") from exc


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
