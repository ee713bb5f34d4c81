"""The Coral Edge TPU: whether it is attached, may be opened, and has a library that fits the runtime."""

import re
from pathlib import Path

from edge.doctor.access import Account, permission
from edge.doctor.command import PYTHON, Run
from edge.doctor.result import Level, Result
from edge.doctor.software import runtime
from edge.inference.edgetpu import INSTALL, LIBRARY, Device, devices

# Google's last library is from the time of TensorFlow 2.5. It crashes with any tflite-runtime newer than this.
_NEWEST_RUNTIME_FOR_GOOGLES = (2, 11)

_LOAD = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.edgetpu_version.restype = ctypes.c_char_p
print(library.edgetpu_version().decode())
"""


def coral(root: Path, wanted: str, user: Account | None) -> list[Result]:
    """A result per attached Coral, with whether the daemon's user may open it; `wanted` is inference.device."""
    results = [_coral(root, device, user) for device in devices(root)]
    if results:
        return results
    if wanted.startswith("edgetpu"):
        fix = 'plug it in, or set inference.device = "auto"'
        return [Result("Coral", "problem", f"none is attached, and inference.device is {wanted}", fix)]
    return [Result("Coral", "ok", "none attached; the CPU runs the model")]


def _coral(root: Path, device: Device, user: Account | None) -> Result:
    if device.kind == "pci":
        text, fix = f"on PCIe {device.address}".strip(), "install its driver, gasket-dkms, and restart the machine"
    else:
        state = "firmware loaded" if device.firmware_loaded else "firmware not loaded yet: the first inference loads it"
        text, fix = f"on USB, {state}", "unplug it and plug it in"
    if not device.has_driver:
        return Result("Coral", "problem", f"{text}, but there is no /{device.node.relative_to(root)}", fix)
    if refused := permission("Coral", root, [device.node], user):
        return refused
    if device.slow:
        text = f"{text}; on a USB 2 port, which makes it several times slower"
        return Result("Coral", "warning", text, "use a USB 3 port (blue)")
    return Result("Coral", "ok", text)


def library(run: Run, *, needed: bool, name: str = LIBRARY) -> Result:
    """libedgetpu: whether it can be loaded, and fits the installed runtime."""
    level: Level = "problem" if needed else "warning"
    ran = run([*PYTHON, _LOAD, name])
    if ran.code != 0:
        if f"{name}: cannot open shared object file" in ran.err:
            if not needed:
                return Result("libedgetpu", "ok", "not installed, and not needed")
            return Result("libedgetpu", "problem", "not installed", INSTALL)
        return Result("libedgetpu", level, f"cannot be loaded: {ran.reason}", INSTALL)
    packages = run(["dpkg-query", "--show", "--showformat=${Version}\n", "libedgetpu1-*"]).out.split()
    version = packages[0] if packages else ""
    installed = runtime(run)
    built_for = re.search(r"tf([0-9.]+[0-9])", version, re.IGNORECASE)
    if built_for:
        return Result("libedgetpu", "ok", f"{version}, built for TensorFlow {built_for[1]}, with {installed.text}")
    if version and installed.level == "ok" and not _fits_googles(installed.text):
        text = f"Google's {version} is older than {installed.text}, and crashes with it"
        return Result("libedgetpu", level, text, INSTALL)
    return Result("libedgetpu", "ok", f"{version or 'not from apt'}; {ran.out.strip()}")


def _fits_googles(installed: str) -> bool:
    """Whether a runtime, given as name and version, is old enough for Google's libedgetpu."""
    name, _, version = installed.partition(" ")
    return name == "tflite-runtime" and tuple(map(int, re.findall(r"\d+", version)[:2])) <= _NEWEST_RUNTIME_FOR_GOOGLES
