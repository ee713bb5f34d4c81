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
    """Test the configuration, model, source and broker, and print how to fix each failure."""
    log_problems()
    from edge.config import find_credential
    from edge.doctor import selftest

    if not offline:
        find_credential()
    results = selftest.run(config, offline=offline)
    if as_json:
        lines = [{"check": result.name, "ok": result.level == "ok", "detail": result.line} for result in results]
        typer.echo(json.dumps(lines))
    else:
        selftest.show(results)
    raise typer.Exit(next((result.exit_code for result in results if result.level != "ok"), 0))
