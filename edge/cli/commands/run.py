"""`edge-pose run`."""

import logging
import os
from typing import Annotated

import typer

from edge.cli.log import LogLevel, log_to_stderr
from edge.cli.options import ConfigFile
from edge.errors import EXIT_FAILURE, EdgeError, print_error


def run(
    config: ConfigFile = None,
    log_level: Annotated[
        LogLevel, typer.Option(metavar="LEVEL", help="Lowest level to log: debug, info, warning or error.")
    ] = LogLevel.info,
) -> None:
    """Run the sensor: camera frames in, keypoints out over MQTT, until SIGTERM or the end of a file.

    SIGHUP reloads the configuration, except in a terminal, where it means that the terminal was closed.
    """
    log_to_stderr(log_level)
    from edge.config import find_credential, load
    from edge.service.run import run as run_sensor

    find_credential()
    wanted = load(config)
    try:
        code = run_sensor(wanted, None if os.isatty(0) else lambda: load(config))
    except EdgeError as exc:
        code = print_error(exc)
    except Exception:
        logging.getLogger(__name__).exception("unexpected error; please report it with these lines")
        code = EXIT_FAILURE
    # Everything is closed by now. Skip the normal exit, in which camera and accelerator libraries can hang or crash.
    os._exit(code)
