"""`edge-pose check`."""

import json
from typing import Annotated

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson, ConfigFile


def check(
    config: ConfigFile = None,
    as_json: AsJson = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not open the source or connect to the broker.")
    ] = False,
) -> None:
    """Test configuration, model, source and broker, one after the other, and say how to fix what fails."""
    log_problems()
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
