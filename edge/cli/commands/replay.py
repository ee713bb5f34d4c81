"""`edge-pose replay`."""

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson, Recordings, RulesConfig


def replay(
    files: Recordings,
    config: RulesConfig = None,
    as_json: AsJson = False,
) -> None:
    """Play recordings through the rules, and print the events."""  # fmt: skip
    log_problems()
    from edge.cli.replay import run

    raise typer.Exit(run(files, config, as_json=as_json))
