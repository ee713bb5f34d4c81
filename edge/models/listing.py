"""`edge-pose models list` and `verify`: the models of the catalogues, and whether their files are undamaged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from edge.errors import ModelError
from edge.models import catalogue, folders, importing
from edge.models.catalogue import Entry
from edge.models.importing import Check

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that a catalogue describes."""

    name: str
    entry: Entry
    folder: Path | None  # None if it can be downloaded, but is not on this device
    problem: ModelError | None = None  # with its file

    @property
    def shipped(self) -> bool:
        return self.folder == folders.shipped()


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of verifying a model, or a whole folder whose catalogue cannot be read."""

    name: str
    ok: bool
    detail: str  # the results of the checks, or the problem and its remedy


def list_models() -> list[Listed]:
    """Every known model: first those on this device, then those that can be downloaded. Raises ModelError."""
    models = []
    for folder in folders.with_catalogue():
        for name, entry in catalogue.entries(folder).items():
            try:
                catalogue.read_entry(name, entry, folder)
            except ModelError as exc:
                models.append(Listed(name, entry, folder, exc))
            else:
                models.append(Listed(name, entry, folder))
    present = {model.name for model in models}
    return models + [Listed(name, entry, None) for name, entry in catalogue.remote().items() if name not in present]


def as_json(models: Sequence[Listed]) -> list[dict[str, Any]]:
    """The list for programs. `ok` and `folder` are null for a model that is not on this device."""
    return [
        {
            "name": model.name,
            **msgspec.to_builtins(model.entry),
            "ok": None if model.folder is None else model.problem is None,
            "problem": model.problem.text if model.problem else "",
            "folder": model.folder and str(model.folder),
            "shipped": model.shipped,
        }
        for model in models
    ]


def show(models: Sequence[Listed]) -> None:
    """Print a paragraph per model. Names and paths are neither wrapped nor cut, so that they can be copied."""
    console = Console(highlight=False, soft_wrap=True)
    for model in models:
        entry = model.entry
        console.print(Text(model.name, style="bold"))
        console.print(Text(fill(entry.about, console.width, initial_indent=INDENT, subsequent_indent=INDENT)))
        sizes = " ".join(f"{height}x{width}" for height, width in entry.input_sizes)
        device = {"cpu": "CPU", "edgetpu": "Edge TPU"}[entry.device]
        figures = f"height x width {sizes}, {entry.size / 1e6:.1f} MB, {entry.licence}"
        console.print(Text(f"{INDENT}{entry.family}, {device}, {figures}"))
        if model.folder is None:
            state = Text(f"not on this device; run: {folders.command('fetch ' + model.name)}", style="yellow")
        else:
            file = entry.file if model.shipped else f"{model.folder}/{entry.file}"
            ok = Text(model.problem.text, style="red") if model.problem else Text("undamaged", style="green")
            state = Text.assemble(f"{file}: ", ok)
        console.print(Text.assemble(INDENT, state))


def verify(check: Check) -> Iterator[Verified]:
    """Verify every model on this device: its file, size and sha256, and that it loads.

    `check` runs each model for the CPU once. For a model for the Edge TPU only the structure is checked.
    """
    for folder in folders.with_catalogue():
        try:
            entries = catalogue.entries(folder)
        except ModelError as exc:
            yield Verified(str(folder), ok=False, detail=str(exc))
            continue
        for name, entry in entries.items():
            try:
                yield Verified(name, ok=True, detail=_verify(name, entry, folder, check))
            except ModelError as exc:
                shown = exc.text if exc.key == catalogue.KEY else str(exc)  # the configuration plays no part here
                yield Verified(name, ok=False, detail=shown)


def show_verified(models: Sequence[Verified]) -> None:
    """Print a line per model, with a green tick or a red cross."""
    console = Console()
    for model in models:
        mark = Text("✓ ", style="bold green") if model.ok else Text("✗ ", style="bold red")
        console.print(Text.assemble(mark, (model.name, "bold"), f": {model.detail}"), soft_wrap=True)


def _verify(name: str, entry: Entry, folder: Path, check: Check) -> str:
    model = catalogue.read_entry(name, entry, folder)
    ran_on = importing.check_content(model.content, str(model.path), check).ran_on
    checked = f"runs on {ran_on}" if ran_on else "structure correct; running it needs an Edge TPU"
    return f"{len(model.content)} bytes, sha256 correct, {checked}"
