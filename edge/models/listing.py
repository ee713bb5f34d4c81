"""`edge-pose models list` and `verify`: what the catalogues have, what could be fetched, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from edge.errors import ModelError
from edge.models import catalogue, importing
from edge.models.catalogue import Entry

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Found:
    """What came of verifying a model; `detail` says what was found, or what is wrong and what to do."""

    name: str
    ok: bool
    detail: str


def listed() -> list[dict[str, Any]]:
    """Every model that is known: first those that are here, then those that can be fetched. Raises ModelError.

    `ok` tells whether the file is the one described; it is null, as `folder` is, of what is not here.
    """
    models = []
    for name, entry, folder in _here():
        problem = ""
        try:
            catalogue.read_entry(name, entry, folder)
        except ModelError as exc:
            problem = str(exc)
        models.append(_described(name, entry) | {
            "ok": not problem, "problem": problem, "folder": str(folder), "shipped": folder == catalogue.folder(),
        })  # fmt: skip
    here = {model["name"] for model in models}
    for name, entry in catalogue.remote().items():
        if name not in here:
            models.append(_described(name, entry) | {"ok": None, "problem": "", "folder": None, "shipped": False})
    return models


def show(models: list[dict[str, Any]]) -> None:
    """A paragraph each. Names and paths are never broken or cut, so that they can be copied."""
    console = Console(highlight=False, soft_wrap=True)
    for model in models:
        console.print(Text(model["name"], style="bold"))
        console.print(Text(fill(model["about"], console.width, initial_indent=INDENT, subsequent_indent=INDENT)))
        sizes = " ".join(f"{height}x{width}" for height, width in model["input_sizes"])
        device = {"cpu": "CPU", "edgetpu": "Edge TPU"}[model["device"]]
        figures = f"height x width {sizes}, {model['size'] / 1e6:.1f} MB, {model['licence']}"
        console.print(Text(f"{INDENT}{model['family']}, {device}, {figures}"))
        if model["folder"] is None:
            state = Text(f"not here; do: {catalogue.command('fetch ' + model['name'])}", style="yellow")
        else:
            where = model["file"] if model["shipped"] else f"{model['folder']}/{model['file']}"
            whole = Text("whole", style="green") if model["ok"] else Text(model["problem"], style="red")
            state = Text.assemble(f"{where}: ", whole)
        console.print(Text.assemble(INDENT, state))


def verified() -> Iterator[Found]:
    """Check every model that is here, one after the other: its file, size and sha256, and that it loads.

    Models for the CPU are run once, in a process of their own; of those for the Edge TPU the structure alone is read.
    """
    for folder in catalogue.folders():
        try:
            entries = catalogue.entries(folder)
        except ModelError as exc:
            yield Found(str(folder), ok=False, detail=str(exc))
            continue
        for name, entry in entries.items():
            try:
                yield Found(name, ok=True, detail=_verify(name, entry, folder))
            except ModelError as exc:
                yield Found(name, ok=False, detail=str(exc).removeprefix("model.name: "))


def show_verified(found: list[Found]) -> None:
    """A line each: green ticks, red crosses with the remedy."""
    console = Console()
    for one in found:
        mark = Text("✓ ", style="bold green") if one.ok else Text("✗ ", style="bold red")
        console.print(Text.assemble(mark, (one.name, "bold"), f": {one.detail}"), soft_wrap=True)


def _verify(name: str, entry: Entry, folder: Path) -> str:
    model = catalogue.read_entry(name, entry, folder)
    ran_on = importing.examined(model.content, label=str(model.path)).ran_on
    checked = f"runs on {ran_on}" if ran_on else "its structure is right; to run, it needs an Edge TPU"
    return f"{len(model.content)} bytes, sha256 right, {checked}"


def _here() -> Iterator[tuple[str, Entry, Path]]:
    """Name, entry and folder of every model that a catalogue on this device describes."""
    for folder in catalogue.folders():
        for name, entry in catalogue.entries(folder).items():
            yield name, entry, folder


def _described(name: str, entry: Entry) -> dict[str, Any]:
    return {"name": name, **msgspec.to_builtins(entry)}
