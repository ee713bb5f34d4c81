"""Log lines on a terminal, in systemd's journal, and without standard error."""

import os
import re
import subprocess
import sys
from pathlib import Path

from edge.errors import EXIT_CONFIG
from tests.support import ROOT

SCRIPT = """
import logging
from edge.cli.log import LogLevel, log_to_stderr
log_to_stderr(LogLevel.info)
for level in ("debug", "info", "warning", "error"):
    getattr(logging.getLogger("edge"), level)("a line")
"""


def logged(folder: Path, *, journal: bool) -> list[str]:
    """The lines that SCRIPT logs to a file; with `journal`, the file is the one in JOURNAL_STREAM."""
    path = folder / "stderr"
    with path.open("wb") as file:
        status = os.fstat(file.fileno())
        stream = f"{status.st_dev}:{status.st_ino}" if journal else "1:1"
        environ = os.environ | {"JOURNAL_STREAM": stream}
        subprocess.run([sys.executable, "-c", SCRIPT], stderr=file, check=True, cwd=ROOT, env=environ)
    return path.read_text(encoding="utf-8").splitlines()


def test_lines_in_the_journal_have_a_priority_and_no_time(tmp_path: Path) -> None:
    assert logged(tmp_path, journal=True) == ["<6>a line", "<4>a line", "<3>a line"]


def test_lines_elsewhere_have_a_time_and_a_level(tmp_path: Path) -> None:
    lines = logged(tmp_path, journal=False)
    assert [re.sub(r"^\d{4}-\d\d-\d\d [\d:,]{12} ", "", line) for line in lines] == [
        "INFO    a line", "WARNING a line", "ERROR   a line",
    ]  # fmt: skip


def test_a_command_works_without_standard_error() -> None:
    command = 'exec "$0" -m edge run --config /does/not/exist.toml 2>&-'
    assert subprocess.run(["sh", "-c", command, sys.executable], cwd=ROOT, check=False).returncode == EXIT_CONFIG
