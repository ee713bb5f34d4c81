"""Options that several commands share, and functions that apply them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.errors import ModelError, UsageError

if TYPE_CHECKING:
    from edge.config import Config

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", show_default=False,
        help="Configuration file instead of /etc/edge-pose/edge-pose.toml.",
        readable=False,  # edge.config reports an unreadable file, with exit code 78 instead of 2
    ),
]  # fmt: skip
OptionalConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="Configuration file instead of the defaults.", show_default=False
    ),
]
Recordings = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, or folders with recordings.")]
RulesConfig = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", show_default=False,
        help="Configuration of the rules instead of the recorded one.",
        readable=False,  # edge.config reports an unreadable file, with exit code 78 instead of 2
    ),
]  # fmt: skip
ModelName = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|FILE", help="Model to use instead of model.name.", show_default=False),
]
InputSize = Annotated[
    str | None,
    typer.Option(
        metavar="HEIGHTxWIDTH", help="Input size to use instead of model.input_size, in px.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def check_writable(out: Path, option: str) -> None:
    """Refuse an output file whose folder does not exist. Raises UsageError."""
    if not os.path.isdir(out.parent):
        raise UsageError(option, f"the folder {out.parent} does not exist", "create it")
    if os.path.isdir(out):
        raise UsageError(option, f"{out} is a folder", "name a file")


def config_without_broker(
    path: Path | None, model: str | None, input_size: str | None, defaults: Mapping[str, str] | None = None
) -> "Config":
    """The configuration with the options `--model` and `--input-size` applied.

    `defaults` are environment variables that apply where the environment does not set them.
    Raises ConfigError, UsageError.
    """
    import msgspec

    from edge.config import InputPixels, load

    config = load(path, {**(defaults or {}), **os.environ}, broker=False)
    changed: dict[str, Any] = {}
    if model is not None:
        changed["name"] = model
    if input_size is not None:
        size = input_size.lower().split("x")
        try:
            changed["input_size"] = msgspec.convert(size, tuple[InputPixels, InputPixels], strict=False)
        except msgspec.ValidationError:
            remedy = "name a size in px from 33 to 2049, such as 353x481"
            raise UsageError("--input-size", f"{input_size!r} is not HEIGHTxWIDTH", remedy) from None
    return msgspec.structs.replace(config, model=msgspec.structs.replace(config.model, **changed))


@contextmanager
def model_errors_name_options(model: str | None, input_size: str | None) -> Iterator[None]:
    """Replace the key in a ModelError by the option, if the option was given. Raises UsageError."""
    options = {"model.name": ("--model", model), "model.input_size": ("--input-size", input_size)}
    try:
        yield
    except ModelError as exc:
        option, given = options.get(exc.key, ("", None))
        if given is None:
            raise
        raise UsageError(option, exc.problem, exc.remedy) from exc
