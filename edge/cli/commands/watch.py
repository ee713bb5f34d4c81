"""`edge-pose watch`."""

from typing import Annotated

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson, ConfigFile


def watch(
    config: ConfigFile = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Broker to use instead of the configured one. User and TLS settings then come from --config or, "
            "without it, from EDGE_POSE_MQTT__... variables.",
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="Port of the broker.", min=1, max=65535)] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print only events and changes of the state, not a line per person.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what the sensors on a broker see: a line per person, per event, and per change of the state."""
    log_problems()
    from edge.cli.watch import run
    from edge.config import find_credential

    if host is None or config is not None:
        find_credential()
    raise typer.Exit(run(config, host, port, as_json=as_json, people=not events))
