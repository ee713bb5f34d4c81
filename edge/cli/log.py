"""Log to standard error, for terminals and for systemd's journal."""

import logging
import os
import sys
from enum import StrEnum


class LogLevel(StrEnum):
    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def log_to_stderr(level: LogLevel) -> None:
    """Log to standard error. The journal adds the time itself, and reads the level from the prefix <n>."""
    if sys.stderr is None:  # closed by the caller
        return
    status = os.fstat(sys.stderr.fileno())
    # The variable alone is no proof: a shell started by a service inherits it.
    journal = os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JournalFormatter("%(message)s") if journal else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    )
    logging.basicConfig(level=level.name.upper(), handlers=[handler])


def log_problems() -> None:
    """Log errors, and warnings about the configuration. For commands that print their results."""
    log_to_stderr(LogLevel.error)
    logging.getLogger("edge.config").setLevel(logging.WARNING)


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # sd-daemon(3): 3 error, 4 warning, 6 informational, 7 debug.
        priority = {"ERROR": 3, "CRITICAL": 2, "WARNING": 4, "INFO": 6}.get(record.levelname, 7)
        return f"<{priority}>{super().format(record)}"
