"""`edge-pose doctor`."""

import json

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson, ConfigFile
from edge.errors import EXIT_FAILURE


def doctor(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check this machine for problems, and print how to fix them. The service may be running.

    Without sudo, everything that only root may read is reported as unknown.
    The exit code is 1 if there is a problem, else 0.
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
