"""The configured camera: whether it exists, is free, and may be opened. It is not opened here."""

import json
from collections.abc import Sequence
from pathlib import Path

from edge.doctor.access import Account, permission
from edge.doctor.command import CHECKOUT, PYTHON, Run
from edge.doctor.result import SUDO, Result
from edge.system.files import read_text
from edge.system.processes import Process, processes_with_open_file

# Prints the models of the cameras, or why picamera2 cannot be used. Listing cameras opens none.
_LIST = """
import json, sys
sys.path.append(sys.argv[1])
from edge.errors import EdgeError
try:
    from edge.camera.picamera import Picamera2
except EdgeError as exc:
    print(json.dumps({"problem": exc.problem, "remedy": exc.remedy}))
else:
    print(json.dumps({"models": [camera["Model"] for camera in Picamera2.global_camera_info()]}))
"""


def camera(root: Path, run: Run, source: str, user: Account | None) -> list[Result]:
    """Whether the camera that `camera.source` names can be used."""
    if source.startswith("/dev/"):
        return _usb_camera(root, root / source.removeprefix("/"), user)
    if source.partition(":")[0] == "picamera2":
        return _pi_camera(root, run, source, user)
    return [Result("camera", "ok", f"not needed: camera.source is {source}")]


def _usb_camera(root: Path, node: Path, user: Account | None) -> list[Result]:
    shown = f"/{node.relative_to(root)}"
    if not node.exists():
        others = ", ".join(f"/{other.relative_to(root)}" for other in sorted((root / "dev").glob("video*")))
        fix = f"plug it in, or set camera.source to a device that exists: {others or 'there is none'}"
        return [Result("camera", "problem", f"there is no {shown}", fix)]
    title = read_text(root / "sys/class/video4linux" / node.resolve().name / "name")
    present = Result("camera", "ok", f"{shown} exists{f': {title}' if title else ''}")
    return [present, _in_use(root, [node], user)]


def _pi_camera(root: Path, run: Run, source: str, user: Account | None) -> list[Result]:
    ran = run([*PYTHON, _LIST, CHECKOUT])
    if ran.code is None:
        fix = "if this happens on an idle machine too: check the camera's cable, and restart the machine"
        return [Result("camera", "warning", f"picamera2 did not list the cameras: {ran.reason}", fix)]
    if ran.code != 0:
        fix = "sudo apt install --reinstall python3-picamera2 python3-libcamera"
        return [Result("camera", "problem", f"picamera2 failed: {ran.reason}", fix)]
    listed = json.loads(ran.out.strip().rpartition("\n")[2])
    if "problem" in listed:
        return [Result("camera", "problem", listed["problem"], listed["remedy"])]
    models: list[str] = listed["models"]
    index = source.partition(":")[2] or "0"
    if not models:
        fix = "switch off and press the ribbon cable in at both ends; rpicam-hello --list-cameras has to list it"
        return [Result("camera", "problem", "no camera is detected", fix)]
    if index.isdecimal() and int(index) >= len(models):
        last = "" if len(models) == 1 else f" ... picamera2:{len(models) - 1}"
        fix = f"set camera.source to picamera2:0{last}"
        return [Result("camera", "problem", f"there is no camera {index}; {len(models)} detected", fix)]
    detected = Result("camera", "ok", f"detected: {', '.join(models)}")
    media = sorted((root / "dev").glob("media*"))
    others = [node for pattern in ("video*", "dma_heap/*") for node in sorted((root / "dev").glob(pattern))]
    # While a camera is in use, libcamera keeps the media devices open. Video codecs use the other nodes too.
    return [detected, permission("camera access", root, others, user) or _in_use(root, media, user)]


def _in_use(root: Path, nodes: Sequence[Path], user: Account | None) -> Result:
    """Whether the daemon may open these nodes, and whether another program has them open."""
    if refused := permission("camera access", root, nodes, user):
        return refused
    resolved = {str(node.resolve()) for node in nodes}
    users, complete = processes_with_open_file(resolved.__contains__, root)
    others = [str(process) for process in users if not _is_daemon(process)]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        text = f"open in {', '.join(others[:3])}{more}"
        return Result("camera access", "problem", text, "stop that program, or configure it for another camera")
    if users:
        return Result("camera access", "ok", f"in use by edge-pose itself (process {users[0].pid})")
    if not complete:
        return Result("camera access", "unknown", "whether another program has it open", SUDO)
    return Result("camera access", "ok", "free")


def _is_daemon(process: Process) -> bool:
    """Whether this is edge-pose: by its program, or by `python -m edge`."""
    return any(word.endswith("/edge-pose") for word in process.arguments) or process.arguments[1:3] == ("-m", "edge")
