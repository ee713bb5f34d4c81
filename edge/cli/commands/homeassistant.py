"""`edge-pose homeassistant`: remove a sensor from Home Assistant."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from edge.cli.log import log_problems
from edge.cli.options import AsJson, ConfigFile

app = typer.Typer(no_args_is_help=True, help="Remove a sensor from Home Assistant.")


@app.command("remove")
def remove(
    config: ConfigFile = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Device to remove instead of the configured one.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Remove it even if it is online.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete every retained message of a sensor from the broker. Home Assistant then removes the device."""
    log_problems()
    from msgspec.structs import replace

    from edge.config import as_home, find_credential, load
    from edge.homeassistant.removal import remove_device

    find_credential()
    loaded = load(config)
    loaded = replace(loaded, mqtt=as_home(loaded.mqtt))
    removal = remove_device(loaded, device or loaded.device.topic_id, force=force)
    if as_json:
        typer.echo(json.dumps(asdict(removal)))
        return
    broker = f"{loaded.mqtt.host}:{loaded.mqtt.port}"
    if removal.found:
        typer.echo(f"deleted {len(removal.topics)} retained messages of {removal.device} on {broker}:")
    else:
        typer.echo(f"found nothing of {removal.device} on {broker}; if this login may not read it, these are deleted:")
    for topic in removal.topics:
        typer.echo(f"  {topic}")
    if removal.online:
        typer.echo(f"{removal.device} is online, and publishes again")
