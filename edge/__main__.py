"""`edge-pose`, and `python -m edge`."""

import io
import sys

from edge.errors import EdgeError, print_error


def main() -> None:
    """Run the command line; an EdgeError is printed as one line, without a traceback."""
    from edge.cli.app import app  # noqa: PLC0415 - Ctrl-C during this import is caught below

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # terminals without Unicode
    try:
        app()
    except EdgeError as exc:
        sys.exit(print_error(exc))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
