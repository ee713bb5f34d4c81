"""Home Assistant's log: the warnings and errors in it."""

import re
from dataclasses import dataclass

RECORD = re.compile(r"^\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) \([^)]*\) \[([^]]+)\] ", re.MULTILINE)
# Neither is about the sensor: all needed packages are installed, and ffmpeg is not needed.
KNOWN = ("Skipping pip installation", "FFmpeg fails", "Error starting FFmpeg")


@dataclass(frozen=True, slots=True)
class Record:
    """A warning or an error. `text` has all its lines, such as those of a traceback."""

    level: str
    logger: str
    text: str


def parse_log(text: str) -> list[Record]:
    """The warnings and errors in a log, except those in KNOWN. Lines before the first record are an error too."""
    first, *parts = RECORD.split(text)
    records = [Record("ERROR", "", first)] if first.strip() else []
    records += map(Record, parts[0::3], parts[1::3], parts[2::3])
    return [one for one in records if one.level not in {"DEBUG", "INFO"} and not one.text.startswith(KNOWN)]
