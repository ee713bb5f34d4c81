"""The Coral Edge TPU: whether it is attached, may be opened, and has a library that fits the runtime."""

import re
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.access import Account, permission
from edge.doctor.command import PYTHON, Run
from edge.doctor.result import Level, Result
from edge.doctor.software import runtime
from edge.inference.edgetpu import INSTALL, LIBRARY, USB_IDS
from edge.system.files import read_text

_PCI_ID = ("0x1ac1", "0x089a")
_USB_3_MBIT = 5000
# Google built its last library beside TensorFlow 2.5; it crashes with any tflite-runtime after this version.
_LAST_FOR_GOOGLES = (2, 11)

_LOAD = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.edgetpu_version.restype = ctypes.c_char_p
print(library.edgetpu_version().decode())
"""


@dataclass(frozen=True, slots=True)
class Coral:
    """An Edge TPU that is attached."""

    text: str
    node: Path
    slow: bool = False  # at a USB 2 port


def corals(root: Path) -> list[Coral]:
    """Every Edge TPU that the kernel knows."""
    found = []
    for device in sorted((root / "sys/bus/usb/devices").glob("*")):
        loaded = USB_IDS.get((read_text(device / "idVendor"), read_text(device / "idProduct")))
        if loaded is not None:
            bus, number = int(read_text(device / "busnum") or 0), int(read_text(device / "devnum") or 0)
            state = "firmware loaded" if loaded else "firmware not loaded yet, which the first inference does"
            slow = float(read_text(device / "speed") or _USB_3_MBIT) < _USB_3_MBIT
            found.append(Coral(f"on USB, {state}", root / f"dev/bus/usb/{bus:03}/{number:03}", slow))
    on_pci = [
        device
        for device in sorted((root / "sys/bus/pci/devices").glob("*"))
        if (read_text(device / "vendor"), read_text(device / "device")) == _PCI_ID
    ]
    return found + [Coral(f"on PCIe {device.name}", root / f"dev/apex_{index}") for index, device in enumerate(on_pci)]


def coral(root: Path, wanted: str, user: Account | None) -> list[Result]:
    """What is attached, and whether the daemon's user may open it; `wanted` is inference.device."""
    results = []
    for device in corals(root):
        if not device.node.exists():
            shown = f"/{device.node.relative_to(root)}"
            on_pci = device.node.name.startswith("apex")
            fix = "install its driver, gasket-dkms, and restart the machine" if on_pci else "unplug it and plug it in"
            results.append(Result("Coral", "problem", f"{device.text}, but there is no {shown}", fix))
        elif refused := permission("Coral", root, [device.node], user):
            results.append(refused)
        elif device.slow:
            text = f"{device.text}; at a USB 2 port, where it is several times slower"
            results.append(Result("Coral", "warning", text, "use a blue port: USB 3"))
        else:
            results.append(Result("Coral", "ok", device.text))
    if results:
        return results
    if wanted.startswith("edgetpu"):
        fix = 'plug it in, or set inference.device = "auto"'
        return [Result("Coral", "problem", f"none is attached, and inference.device is {wanted}", fix)]
    return [Result("Coral", "ok", "none attached: the CPU computes")]


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
    return name == "tflite-runtime" and tuple(map(int, re.findall(r"\d+", version)[:2])) <= _LAST_FOR_GOOGLES
