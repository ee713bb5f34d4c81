"""The command line `edge-pose`. Each command has a file in edge/cli/commands and a line here.

The files declare the options. They import the code that does the work inside the function, so that `--help` is fast.
"""

from typing import Annotated

import typer

from edge import __version__
from edge.cli.commands import (
    annotate,
    check,
    demo,
    doctor,
    evaluate,
    evaluate_events,
    homeassistant,
    models,
    page,
    replay,
    report,
    run,
    schema,
    watch,
)

app = typer.Typer(
    name="edge-pose",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A headless human pose sensor: camera frames in, keypoints out over MQTT. Pictures stay on "
    "the device unless you allow the page to show them.",
    epilog="Exit codes: 0 success, 1 a failure that a restart may fix, 2 invalid command line, 78 invalid "
    "configuration or model.",
)

# In the order of --help.
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("watch")(watch.watch)
app.command("page")(page.page)
app.command("annotate")(annotate.annotate)
app.command("evaluate")(evaluate.evaluate)
app.command("evaluate-events")(evaluate_events.evaluate_events)
app.command("replay")(replay.replay)
app.command("report")(report.report)
app.command("schema")(schema.schema)
app.add_typer(homeassistant.app, name="homeassistant")
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
