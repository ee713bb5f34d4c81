"""`edge-pose doctor`."""

import json

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson, ConfigFile
from edge.errors import EXIT_FAILURE


def doctor(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Examine the machine around the sensor, also while it runs, and say how to fix what is wrong.

    Run it with sudo: what a normal user may not read is reported as unknown. Exit code 1 if there is a problem, else 0.
    """
    log_problems()
    from edge.doctor import report, runner

    found = runner.examine(config)
    if as_json:
        typer.echo(json.dumps(report.as_json(found)))
    else:
        report.show(found)
    if report.has_problem(found):
        raise typer.Exit(EXIT_FAILURE)
