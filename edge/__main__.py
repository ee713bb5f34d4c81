"""The entry point of `edge-pose` and `python -m edge`."""

import io
import sys

from edge.errors import EdgeError, print_error


def main() -> None:
    """Run the command line. Prints an EdgeError as one line, and ends quietly on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # for terminals without Unicode
    try:
        from edge.cli.app import app  # noqa: PLC0415 - the import is slow enough to be interrupted

        app()
    except EdgeError as exc:
        sys.exit(print_error(exc))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
