"""The Coral Edge TPU: is it there, may it be used, and does its library fit."""

import re
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.access import Account, permission
from edge.doctor.machine import Finding, Level, Run, read
from edge.doctor.software import CHILD, runtime
from edge.inference.edgetpu import INSTALL, LIBRARY, USB_IDS

_PCI_ID = ("0x1ac1", "0x089a")
_USB_3_MBIT = 5000
# Google's last library was built beside TensorFlow 2.5; with a runtime after this one it crashes.
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
    slow: bool = False  # at a port of USB 2


def corals(root: Path) -> list[Coral]:
    """Every Edge TPU that the kernel knows."""
    found = []
    for device in sorted((root / "sys/bus/usb/devices").glob("*")):
        loaded = USB_IDS.get((read(device / "idVendor"), read(device / "idProduct")))
        if loaded is not None:
            bus, number = int(read(device / "busnum") or 0), int(read(device / "devnum") or 0)
            state = "firmware loaded" if loaded else "firmware not loaded yet, which the first inference does"
            slow = float(read(device / "speed") or _USB_3_MBIT) < _USB_3_MBIT
            found.append(Coral(f"on USB, {state}", root / f"dev/bus/usb/{bus:03}/{number:03}", slow))
    on_pci = [
        device
        for device in sorted((root / "sys/bus/pci/devices").glob("*"))
        if (read(device / "vendor"), read(device / "device")) == _PCI_ID
    ]
    return found + [Coral(f"on PCIe {device.name}", root / f"dev/apex_{index}") for index, device in enumerate(on_pci)]


def coral(root: Path, wanted: str, user: Account | None) -> list[Finding]:
    """What is attached, and whether the daemon's user may open it; `wanted` is inference.device."""
    found = []
    for one in corals(root):
        if not one.node.exists():
            shown = f"/{one.node.relative_to(root)}"
            fix = (
                "install its driver, gasket-dkms, and restart"
                if one.node.name.startswith("apex")
                else "plug it in anew"
            )
            found.append(Finding("Coral", "problem", f"{one.text}, but there is no {shown}", fix))
        elif refused := permission("Coral", root, [one.node], user):
            found.append(refused)
        elif one.slow:
            text = f"{one.text}; at a USB 2 port, where it is several times slower"
            found.append(Finding("Coral", "warning", text, "use a USB 3 port: the blue ones"))
        else:
            found.append(Finding("Coral", "ok", one.text))
    if found:
        return found
    if wanted.startswith("edgetpu"):
        fix = 'plug it in, or set inference.device = "auto"'
        return [Finding("Coral", "problem", f"none is attached, and inference.device is {wanted}", fix)]
    return [Finding("Coral", "ok", "none attached: the CPU computes")]


def library(run: Run, *, needed: bool, name: str = LIBRARY) -> Finding:
    """libedgetpu: whether it can be loaded, and goes with the runtime that is installed."""
    level: Level = "problem" if needed else "warning"
    ran = run([*CHILD, _LOAD, name])
    if ran.code != 0:
        if f"{name}: cannot open shared object file" in ran.err:
            if not needed:
                return Finding("libedgetpu", "ok", "not installed, and not needed")
            return Finding("libedgetpu", "problem", "not installed", INSTALL)
        return Finding("libedgetpu", level, f"cannot be loaded: {ran.last_words}", INSTALL)
    packages = run(["dpkg-query", "--show", "--showformat=${Version}\n", "libedgetpu1-*"]).out.split()
    version = packages[0] if packages else ""
    installed = runtime(run)
    built_for = re.search(r"tf([0-9.]+[0-9])", version, re.IGNORECASE)
    if built_for:
        return Finding("libedgetpu", "ok", f"{version}, built for TensorFlow {built_for[1]}, with {installed.text}")
    if version and installed.level == "ok" and not _old(installed.text):
        text = f"Google's {version} is older than {installed.text}, and is known to crash with it"
        return Finding("libedgetpu", level, text, INSTALL)
    return Finding("libedgetpu", "ok", f"{version or 'not from apt'}; {ran.out.strip()}")


def _old(installed: str) -> bool:
    name, _, version = installed.partition(" ")
    return name == "tflite-runtime" and tuple(map(int, re.findall(r"\d+", version)[:2])) <= _LAST_FOR_GOOGLES
