"""The command line: what each command takes. What it does is elsewhere, and imported when it is wanted."""

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.errors import EXIT_CONFIG, EXIT_FAILURE, EdgeError, ModelError, UsageError, print_error

if TYPE_CHECKING:
    from edge.config import Config

app = typer.Typer(
    name="edge-pose",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A headless human pose sensor: frames from a camera, keypoints out over MQTT. Pictures stay on the device.",
    epilog="Exit codes: 0 clean end, 1 what a restart may mend, 2 wrong use of this command line, 78 configuration "
    "or model.",
)
models_app = typer.Typer(no_args_is_help=True, help="The models that are known by name.")
app.add_typer(models_app, name="models")


class LogLevel(StrEnum):
    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Configuration file, else /etc/edge-pose/edge-pose.toml.", show_default=False,
        readable=False,  # what cannot be read is the configuration's fault and not of this command line's use
    ),
]  # fmt: skip
OptionalConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file, else all defaults.", show_default=False)
]
ModelName = Annotated[
    str | None, typer.Option("--model", metavar="NAME|FILE", help="Instead of model.name.", show_default=False)
]
InputSize = Annotated[
    str | None, typer.Option(metavar="HEIGHTxWIDTH", help="Instead of model.input_size, px.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines: JSON.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from edge import __version__

        typer.echo(f"edge-pose {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    config: ConfigFile = None,
    log_level: Annotated[LogLevel, typer.Option(help="Least level that is logged.")] = LogLevel.info,
) -> None:
    """Run the sensor: camera frames in, keypoints out over MQTT, until SIGTERM or the end of a file.

    SIGHUP reads the configuration again, but in a terminal, where it says that the terminal is gone.
    """
    _log_to_stderr(log_level)
    from edge.config import find_credential, load
    from edge.service.run import run as run_sensor

    find_credential()
    wanted = load(config)
    try:
        code = run_sensor(wanted, None if os.isatty(0) else lambda: load(config))
    except EdgeError as exc:
        code = print_error(exc)
    except Exception:
        logging.getLogger(__name__).exception("an error that nobody foresaw; please report it")
        code = EXIT_FAILURE
    # All is said and closed. What libraries do at the end of a process may hang, as their devices do, or crash.
    os._exit(code)


@app.command()
def demo(
    broker: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Use this broker instead of one of the demo's own.")
    ] = None,
    frames: Annotated[int, typer.Option(min=0, help="End after so many frames; 0 = go on until Ctrl-C.")] = 0,
    source: Annotated[str, typer.Option(help="Where frames come from, as camera.source takes it.")] = "synthetic:walk",
) -> None:
    """Show the whole of it with nothing attached: a painted person, a broker, and the messages as they arrive."""
    _log_to_stderr(LogLevel.error)
    from edge.cli.demo import run as run_demo

    raise typer.Exit(run_demo(broker, frames, source))


@app.command()
def check(
    config: ConfigFile = None,
    as_json: AsJson = False,
    offline: Annotated[bool, typer.Option("--offline", help="Leave source and broker alone.")] = False,
) -> None:
    """Try configuration, model, source and broker one after the other, and say how to mend what fails."""
    _log_to_stderr(LogLevel.error)
    from edge.config import find_credential
    from edge.doctor import selftest

    if not offline:
        find_credential()
    found = selftest.run(config, offline=offline)
    if as_json:
        typer.echo(json.dumps([{"check": one.name, "ok": one.ok, "detail": one.detail} for one in found]))
    else:
        selftest.show(found)
    raise typer.Exit(next((one.exit_code for one in found if not one.ok), 0))


@app.command()
def doctor(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Look at the machine around the sensor, also while it runs, and say how to mend what is wrong.

    Best with sudo: what others may not see is said to be unknown. Exit code 1 if there is a problem, else 0.
    """
    _log_to_stderr(LogLevel.error)
    from edge.doctor import report, runner

    found = runner.examine(config)
    if as_json:
        typer.echo(json.dumps(report.as_json(found)))
    else:
        report.show(found)
    if report.has_problem(found):
        raise typer.Exit(EXIT_FAILURE)


@app.command()
def watch(
    config: ConfigFile = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Broker, instead of the configured one; user and TLS are then those of --config, or else of "
            "EDGE_POSE_MQTT__... in the environment.",
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Its port.", min=1, max=65535)] = None,
    as_json: AsJson = False,
) -> None:
    """Listen to every sensor on the broker and print what it sees, a line a person."""
    _log_to_stderr(LogLevel.error)  # it says itself how it goes with the broker
    from edge.cli.watch import run as run_watch
    from edge.config import find_credential

    if host is None or config is not None:
        find_credential()
    raise typer.Exit(run_watch(config, host, port, as_json=as_json))


@app.command()
def annotate(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A picture or a video, or anything that camera.source takes.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The picture, video or animated GIF to write, by its suffix.")
    ],
    frame: Annotated[int, typer.Option(min=0, help="Which frame of the source, from 0; of a video the first.")] = 0,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Of a video or GIF: at most this many.", show_default=False)
    ] = None,
    config: OptionalConfigFile = None,
    model: ModelName = None,
    input_size: InputSize = None,
) -> None:
    """Draw skeletons on a frame or a video and write that: the one command that does, and only where you say."""
    _check_folder(out, "OUT")
    # What is half written is taken away, also when a shell has switched Ctrl-C off for what runs in the background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    from edge.cli.annotate import run as run_annotate

    with _told_of_options(model, input_size):
        seen = run_annotate(_configured(config, model, input_size), source, out, first=frame, frames=frames)
    typer.echo(f"{out} is written: {seen}", err=True)


@app.command()
def evaluate(
    annotations: Annotated[Path, typer.Option(metavar="FILE", help="COCO keypoints: person_keypoints_*.json.")],
    images: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the pictures that it lists.")],
    config: OptionalConfigFile = None,
    model: ModelName = None,
    input_size: InputSize = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the poses there, as COCO's results.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure AP, AR and errors on pictures whose people are known, and how long it takes.

    Without --config, decode.max_people is 20, as many as COCO looks at; with it, all is as in that file.
    """
    if out is not None:
        _check_folder(out, "--out")
    from edge.evaluation import evaluate as evaluation

    defaults = {} if config else {"EDGE_POSE_DECODE__MAX_PEOPLE": "20"}
    with _told_of_options(model, input_size):
        wanted = _configured(config, model, input_size, defaults)
        report, found = evaluation.run(wanted, annotations, images, limit, out)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        evaluation.show(report)
    if out is not None:  # last, so that the report is not lost with it
        evaluation.write(found, out)
        typer.echo(f"{out} is written: {len(found)} pose{'' if len(found) == 1 else 's'}", err=True)


@app.command()
def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="keypoints, info or health; all without it.")
    ] = None,
) -> None:
    """Print the JSON Schema of the messages."""
    from edge.mqtt.messages import schemas

    known = schemas()
    if name is not None and name not in known:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint="NAME")
    typer.echo(json.dumps(known[name] if name else known, indent=2))


@models_app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models of the catalogues, whether their files are whole, and those that can be fetched."""
    from edge.models import listing

    models = listing.list_models()
    if as_json:
        typer.echo(json.dumps(listing.as_json(models)))
    else:
        listing.show(models)
    if any(model.problem for model in models):
        raise typer.Exit(EXIT_FAILURE)


@models_app.command("verify")
def verify_models(as_json: AsJson = False) -> None:
    """Check every model that is here: its file, size and checksum, and that it loads and runs."""
    from edge.inference.edgetpu_worker import check_model
    from edge.models import listing

    found = list(listing.verify(check_model))
    if as_json:
        typer.echo(json.dumps([{"name": one.name, "ok": one.ok, "detail": one.detail} for one in found]))
    else:
        listing.show_verified(found)
    if not all(one.ok for one in found):
        raise typer.Exit(EXIT_CONFIG)


@models_app.command("fetch")
def fetch_model(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="One of those that `edge-pose models list` says can be fetched.")
    ],
    mirror: Annotated[
        str | None,
        typer.Option("--from", metavar="DIR|URL", help="Where else the file is, by its own name.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download a model that is not shipped, check it against its pinned checksum, and add it to the catalogue."""
    from edge.inference.edgetpu_worker import check_model
    from edge.models import catalogue, download, importing

    known = catalogue.remote()
    if name not in known and name in catalogue.entries():
        raise typer.BadParameter(f"{name} is a part of edge-pose: there is nothing to fetch", param_hint="NAME")
    if name not in known:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint="NAME")
    place: str | Path | None = mirror
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        place = Path(mirror)
        if not os.path.isdir(place):
            raise typer.BadParameter(f"{mirror!r} is neither a folder nor an http(s) address", param_hint="--from")
    with download.progress_bar(name, known[name].size) as progress:
        imported = download.fetch(name, known[name], place, check_model, progress)
    typer.echo(json.dumps(importing.as_json(imported)) if as_json else importing.summary(imported))


@models_app.command("import")
def import_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A PoseNet for the CPU or the Edge TPU, as Coral publishes them.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What model.name will call it, else the file's name.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a model of your own: cut off the decoder that Coral's files end in, check what remains, give it a name."""
    from edge.inference.edgetpu_worker import check_model
    from edge.models import importing

    imported = importing.import_model(file, name, check_model)
    typer.echo(json.dumps(importing.as_json(imported)) if as_json else importing.summary(imported))


@models_app.command("remove")
def remove_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One that was fetched or imported.")],
) -> None:
    """Take a model out of the catalogue, and delete its file."""
    from edge.models import catalogue_editor, folders

    path, others = catalogue_editor.remove(name)
    typer.echo(f"{path} is removed")
    for place in others:
        typer.echo(
            f"another model {name!r} stays in {place}; to remove it, too: {folders.command(f'remove {name}', place)}"
        )


def _check_folder(out: Path, option: str) -> None:
    if not os.path.isdir(out.parent):
        raise typer.BadParameter(f"there is no folder {out.parent}; make it", param_hint=option)
    if os.path.isdir(out):
        raise typer.BadParameter(f"{out} is a folder; name a file", param_hint=option)


def _configured(
    path: Path | None, model: str | None, input_size: str | None, defaults: Mapping[str, str] | None = None
) -> "Config":
    """The configuration without a broker; `defaults` are like environment variables that others override."""
    import msgspec

    from edge.config import InputPixels, load

    config = load(path, {**(defaults or {}), **os.environ}, broker=False)
    changed: dict[str, Any] = {}
    if model is not None:
        changed["name"] = model
    if input_size is not None:
        try:
            changed["input_size"] = msgspec.convert(
                input_size.lower().split("x"), tuple[InputPixels, InputPixels], strict=False
            )
        except msgspec.ValidationError:
            raise typer.BadParameter(
                f"{input_size!r} is not HEIGHTxWIDTH in px from 33 to 2049, such as 353x481", param_hint="--input-size"
            ) from None
    return msgspec.structs.replace(config, model=msgspec.structs.replace(config.model, **changed))


@contextmanager
def _told_of_options(model: str | None, input_size: str | None) -> Iterator[None]:
    """What is wrong with a model that the command line names is told of its option, and not of a key."""
    try:
        yield
    except ModelError as exc:
        key, _, problem = str(exc).partition(": ")
        option, given = {"model.name": ("--model", model), "model.input_size": ("--input-size", input_size)}.get(
            key, ("", None)
        )
        if given is None:
            raise
        raise UsageError(f"{option}: {problem}") from exc


def _log_to_stderr(level: LogLevel) -> None:
    """systemd's journal stamps the time itself, and reads the level from a <n> in front of the line."""
    status = os.fstat(sys.stderr.fileno())
    # Compared, because a shell that was started by a service hands the variable on.
    journal = os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JournalFormatter("%(message)s") if journal else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    )
    logging.basicConfig(level=level.name.upper(), handlers=[handler])
    # Commands that log only errors still warn of renamed keys.
    if level is LogLevel.error:
        logging.getLogger("edge.config").setLevel(logging.WARNING)


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # sd-daemon(3): 3 error, 4 warning, 6 informational, 7 debug.
        priority = {"ERROR": 3, "CRITICAL": 2, "WARNING": 4, "INFO": 6}.get(record.levelname, 7)
        return f"<{priority}>{super().format(record)}"
