"""`edge-pose models`: list, verify, fetch, import and remove models."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.options import AsJson
from edge.errors import EXIT_CONFIG, EXIT_FAILURE, UsageError

app = typer.Typer(no_args_is_help=True, help="List, check, add and remove models.")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the installed models, whether their files are intact, and the models that can be fetched."""
    from edge.models import listing

    models = listing.list_models()
    if as_json:
        typer.echo(json.dumps(listing.as_json(models)))
    else:
        listing.show(models)
    if any(model.problem for model in models):
        raise typer.Exit(EXIT_FAILURE)


@app.command("verify")
def verify_models(as_json: AsJson = False) -> None:
    """Check the size and checksum of every installed model, and that it loads and runs."""
    from edge.inference.model_trial import check_model
    from edge.models import listing

    found = list(listing.verify(check_model))
    if as_json:
        typer.echo(json.dumps([{"name": one.name, "ok": one.ok, "detail": one.detail} for one in found]))
    else:
        listing.show_verified(found)
    if not all(one.ok for one in found):
        raise typer.Exit(EXIT_CONFIG)


@app.command("fetch")
def fetch_model(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A model that `edge-pose models list` shows as fetchable.")
    ],
    mirror: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DIR|URL",
            help="Folder or base URL to get the file from, instead of its usual address.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download a model, compare it with its pinned checksum, and add it to the catalogue."""
    from edge.inference.model_trial import check_model
    from edge.models import catalogue, download, importing

    known = catalogue.remote()
    if name not in known and name in catalogue.entries():
        raise UsageError("NAME", f"{name} is included in edge-pose", "there is nothing to fetch")
    if name not in known:
        raise UsageError("NAME", f"there is no model {name!r} to fetch", f"use one of {', '.join(known)}")
    place: str | Path | None = mirror
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        place = Path(mirror)
        if not os.path.isdir(place):
            raise UsageError("--from", f"there is no folder {mirror!r}", "name a folder or an http(s) URL")
    with download.progress_bar(name, known[name].size) as progress:
        imported = download.fetch(name, known[name], place, check_model, progress)
    typer.echo(json.dumps(importing.as_json(imported)) if as_json else importing.summary(imported))


@app.command("import")
def import_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A PoseNet or MoveNet .tflite file for the CPU or the Edge TPU.")
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name to use in model.name instead of the file's name.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a model of your own. Removes the decoder from Coral's models, and checks that the rest runs."""
    from edge.inference.model_trial import check_model
    from edge.models import importing

    imported = importing.import_model(file, name, check_model)
    typer.echo(json.dumps(importing.as_json(imported)) if as_json else importing.summary(imported))


@app.command("remove")
def remove_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model that was fetched or imported.")],
) -> None:
    """Remove a model from the catalogue, and delete its file."""
    from edge.models import catalogue_editor, folders

    path, others = catalogue_editor.remove(name)
    typer.echo(f"removed {path}")
    for place in others:
        command = folders.command(f"remove {name}", place)
        typer.echo(f"another model {name!r} remains in {place}; to remove it too, run: {command}")
