"""`edge-pose`, and `python -m edge`."""

import io
import sys

from edge.errors import EdgeError, print_error


def main() -> None:
    """Run the command line; an error of the owner's making is one line, without a traceback."""
    from edge.cli.app import app  # noqa: PLC0415 - so that Ctrl-C during the import is caught below

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a tick that a terminal cannot show is no reason to die
    try:
        app()
    except EdgeError as exc:
        sys.exit(print_error(exc))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
