"""`edge-pose evaluate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.options import (
    AsJson,
    InputSize,
    ModelName,
    OptionalConfigFile,
    check_writable,
    config_without_broker,
    model_errors_name_options,
)


def evaluate(
    annotations: Annotated[
        Path, typer.Option(metavar="FILE", help="COCO keypoint annotations: person_keypoints_*.json.")
    ],
    images: Annotated[Path, typer.Option(metavar="DIR", help="Folder with the annotated pictures.")],
    config: OptionalConfigFile = None,
    model: ModelName = None,
    input_size: InputSize = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Use at most this many pictures.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the poses as COCO results.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure AP, AR, errors and latency on annotated pictures.

    Without --config, decode.max_people is 20, because COCO's evaluation counts at most 20 people per picture.
    """
    if out is not None:
        check_writable(out, "--out")
    from edge.evaluation import evaluate as evaluation
    from edge.evaluation import tables

    defaults = {} if config else {"EDGE_POSE_DECODE__MAX_PEOPLE": "20"}
    with model_errors_name_options(model, input_size):
        wanted = config_without_broker(config, model, input_size, defaults)
        report, found = evaluation.run(wanted, annotations, images, limit, out)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        tables.show(report)
    if out is not None:  # last, so that a failure does not lose the report
        evaluation.write(found, out)
        typer.echo(f"wrote {out}: {len(found)} pose{'' if len(found) == 1 else 's'}", err=True)
