"""`edge-pose page`."""

import json

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson, ConfigFile


def page(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print where the page is, with a QR code for a phone, and the fingerprint of its certificate."""
    log_problems()
    from edge.cli.page import describe, show
    from edge.config import DEFAULT_PATH, find_credential, load
    from edge.config.checks import check_web

    find_credential()
    loaded = load(config or DEFAULT_PATH, broker=False)
    check_web(loaded.web)
    facts = describe(loaded)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        show(facts, config)
