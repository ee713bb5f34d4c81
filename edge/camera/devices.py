"""The camera devices of this machine: whether we may open them, and who has."""

import os
import re
from contextlib import suppress
from pathlib import Path

DEVICES = re.compile(r"/dev/(video|media)\d+")


def no_camera() -> str:
    """What to do where no camera is found."""
    media = sorted(Path("/dev").glob("media[0-9]*"))
    if media and not any(os.access(device, os.R_OK | os.W_OK) for device in media):
        return f"this user may not open {media[0]}: sudo usermod -aG video <user>"
    return "switch off and check its cable at both ends, then see: rpicam-hello --list-cameras"


def holders() -> str:
    """Other processes that have camera devices open, as far as we may see, or how to find out."""
    found: dict[str, None] = {}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        process = descriptor.parents[1]
        with suppress(OSError):  # other people's, or gone meanwhile
            if process.name != str(os.getpid()) and DEVICES.fullmatch(str(descriptor.readlink())):
                found[f"{(process / 'comm').read_text().strip()} (process {process.name})"] = None
    return ", ".join(found) or "another process, which this user may not see: sudo fuser -v /dev/media* names it"
