"""The camera that the configuration asks for: there, free, and open to the daemon. It is not opened here."""

import json
from collections.abc import Sequence
from pathlib import Path

from edge.doctor.access import Account, holders, permission
from edge.doctor.machine import SUDO, Finding, Run, read, split
from edge.doctor.software import CHILD
from edge.models import listing

# Naming the cameras does not take one: it goes beside a daemon that runs.
_LIST = """
import json, sys
sys.path.append(sys.argv[1])
from edge.errors import ConfigError
try:
    from edge.camera.picamera import Picamera2
except ConfigError as exc:
    sys.exit(str(exc))
print(json.dumps([camera["Model"] for camera in Picamera2.global_camera_info()]))
"""
REFUSED = "camera.source: "  # is how what we say of picamera2 begins


def camera(root: Path, run: Run, source: str, user: Account | None) -> list[Finding]:
    """What `camera.source` needs of the machine."""
    if source.startswith("/dev/"):
        return _usb_camera(root, root / source.removeprefix("/"), user)
    if source.partition(":")[0] == "picamera2":
        return _pi_camera(root, run, source, user)
    return [Finding("camera", "ok", f"none needed: camera.source is {source}")]


def _usb_camera(root: Path, node: Path, user: Account | None) -> list[Finding]:
    shown = f"/{node.relative_to(root)}"
    if not node.exists():
        others = ", ".join(f"/{other.relative_to(root)}" for other in sorted((root / "dev").glob("video*")))
        fix = f"plug it in, or set camera.source to one that is there: {others or 'there is none'}"
        return [Finding("camera", "problem", f"there is no {shown}", fix)]
    title = read(root / "sys/class/video4linux" / node.resolve().name / "name")
    found = Finding("camera", "ok", f"{shown} is there{f': {title}' if title else ''}")
    return [found, _in_use(root, [node], user)]


def _pi_camera(root: Path, run: Run, source: str, user: Account | None) -> list[Finding]:
    ran = run([*CHILD, _LIST, str(Path(listing.__file__).parents[2])])
    if ran.code is None:
        fix = "if it says so again on an idle machine: check the camera's cable, and restart the device"
        return [Finding("camera", "warning", f"picamera2 did not name the cameras: {ran.last_words}", fix)]
    if ran.last_words.startswith(REFUSED):
        return [Finding("camera", "problem", *split(ran.last_words.removeprefix(REFUSED)))]
    if ran.code != 0:
        fix = "sudo apt install --reinstall python3-picamera2 python3-libcamera"
        return [Finding("camera", "problem", f"picamera2 fails: {ran.last_words}", fix)]
    models: list[str] = json.loads(ran.out.strip().rpartition("\n")[2])
    index = source.partition(":")[2] or "0"
    if not models:
        fix = "switch off and press the ribbon cable in at both ends; rpicam-hello --list-cameras has to name it"
        return [Finding("camera", "problem", "no camera is detected", fix)]
    if index.isdecimal() and int(index) >= len(models):
        fix = f"set camera.source to picamera2:0{'' if len(models) == 1 else f' ... picamera2:{len(models) - 1}'}"
        return [Finding("camera", "problem", f"there is no camera {index}, but {len(models)}", fix)]
    found = Finding("camera", "ok", f"detected: {', '.join(models)}")
    media = sorted((root / "dev").glob("media*"))
    others = [node for pattern in ("video*", "dma_heap/*") for node in sorted((root / "dev").glob(pattern))]
    # libcamera keeps the media devices open while it has a camera; video codecs open the others too.
    return [found, permission("camera access", root, others, user) or _in_use(root, media, user)]


def _in_use(root: Path, nodes: Sequence[Path], user: Account | None) -> Finding:
    """Whether the daemon may open these nodes, and nobody else has them open."""
    if refused := permission("camera access", root, nodes, user):
        return refused
    users, complete = holders(root, nodes)
    others = [f"{one.command} (process {one.pid})" for one in users if not one.ours]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        text = f"open in {', '.join(others[:3])}{more}"
        return Finding("camera access", "problem", text, "end that program, or keep it from the camera")
    if users:
        return Finding("camera access", "ok", f"in use by edge-pose itself (process {users[0].pid})")
    if not complete:
        return Finding("camera access", "unknown", "whether another program has it open", SUDO)
    return Finding("camera access", "ok", "free")
