"""The command line `edge-pose`: one file per command in edge/cli/commands, and one line per command here.

Those files declare options and import their work inside the function: `edge-pose --help` must not load numpy.
"""

from typing import Annotated

import typer

from edge import __version__
from edge.cli.commands import annotate, check, demo, doctor, evaluate, models, run, schema, watch

app = typer.Typer(
    name="edge-pose",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A headless human pose sensor: camera frames in, keypoints out over MQTT. Pictures never leave the device.",
    epilog="Exit codes: 0 normal end, 1 a failure that a restart may fix, 2 wrong use of the command line, 78 wrong "
    "configuration or model.",
)

# In the order of --help.
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("watch")(watch.watch)
app.command("annotate")(annotate.annotate)
app.command("evaluate")(evaluate.evaluate)
app.command("schema")(schema.schema)
app.add_typer(models.app, name="models")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge-pose {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
