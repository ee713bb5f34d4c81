"""`edge-pose evaluate-events`."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.options import (
    AsJson,
    InputSize,
    ModelName,
    OptionalConfigFile,
    config_without_broker,
    model_errors_name_options,
)


def evaluate_events(
    truth: Annotated[Path, typer.Option(metavar="DIR", help="Folder with clips and their truth files.")],
    config: OptionalConfigFile = None,
    model: ModelName = None,
    input_size: InputSize = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only clips whose names match, as in '*_fall_*'. Repeatable."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=0,
            max=240,
            show_default=False,
            help="Frames per second instead of camera.fps; 0 for all frames.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=256, show_default=False, help="Processes; by default one per CPU."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", show_default=False, help="Also write a recording of each clip into this folder."),
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default=False,
            help="Play the recordings in this folder through the rules, instead of the clips.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play clips through the sensor, and compare people and events with the truth."""
    from edge.evaluation import evaluate_events as evaluation
    from edge.evaluation import events_tables

    with model_errors_name_options(model, input_size):
        wanted = config_without_broker(config, model, input_size)
        report = evaluation.run(
            wanted,
            truth,
            only=only or (),
            jobs=jobs or len(os.sched_getaffinity(0)),
            fps=wanted.camera.fps if fps is None else fps,
            record=record,
            recordings=recordings,
        )
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        events_tables.show(report)
