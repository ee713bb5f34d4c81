"""What can be known of a Coral Edge TPU without its library, and how its troubles are told: what, and what to do."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "libedgetpu.so.1"
# Google's own package fits runtimes of 2021 alone. docs/raspberry-pi.md has the commands.
INSTALL = "install a libedgetpu1-std of the runtime's age: https://github.com/feranick/libedgetpu/releases"
USB_IDS = {("1a6e", "089a"): False, ("18d1", "9302"): True}  # whether its firmware is loaded: by the first inference

_ADDED = r"Node number \d+ .* failed to \w+\.|Restored original execution plan .*"


@dataclass(frozen=True, slots=True)
class Device:
    """A Coral that the kernel sees."""

    kind: str  # usb or pci
    node: Path  # what has to be opened to use it

    @property
    def usable(self) -> bool:
        """Whether this user may open it."""
        return os.access(self.node, os.R_OK | os.W_OK)


def devices(root: Path = Path("/")) -> list[Device]:
    """Every Coral that is plugged in, whether it can be used or not."""
    found = [Device("pci", node) for node in sorted((root / "dev").glob("apex_[0-9]*"))]
    for place in sorted((root / "sys/bus/usb/devices").glob("*")):
        vendor, product, bus, number = (_read(place / name) for name in ("idVendor", "idProduct", "busnum", "devnum"))
        if (vendor, product) in USB_IDS:
            found.append(Device("usb", root / f"dev/bus/usb/{bus:0>3}/{number:0>3}"))
    return found


def absent(wanted: str = "") -> str:
    """That there is no Coral; `wanted` is "", "usb:0" etc."""
    where = {"usb": "on USB", "pci": "as /dev/apex_0"}.get(wanted.partition(":")[0], "on USB or as /dev/apex_0")
    return f"no Coral Edge TPU is to be seen {where}; if there is one, plug it in again (PCIe: install gasket-dkms)"


def missing(library: str, reason: str) -> str:
    """That there is no such library, or that it is something else."""
    remedy = INSTALL if library == LIBRARY else "see inference.library"
    return f"{library} cannot be loaded ({_line(reason)}); {remedy}"


def refused(wanted: str, library: str, reason: str, root: Path = Path("/")) -> str:
    """Why the library gave no device; it says nothing itself, most of the time."""
    found = [one for one in devices(root) if one.kind == (wanted.partition(":")[0] or one.kind)]
    if library == LIBRARY and not found:
        return absent(wanted)
    if library == LIBRARY and not any(one.usable for one in found):
        return (f"{found[0].node} may not be opened by this user; add its udev rule, and the user to the group "
                "plugdev (USB) or apex (PCIe)")  # fmt: skip
    number = wanted.partition(":")[2]
    if library == LIBRARY and number and int(number) >= len(found):
        return (f"inference.device: there is no {wanted}, counted from 0: {len(found)} of that kind can be seen; "
                "name another one")  # fmt: skip
    said = _line(reason)
    return (f"{library} opened no Edge TPU{f' ({said})' if said else ''}; see that no other program uses it, "
            "unplug it and plug it in again")  # fmt: skip


def unfit(label: str, library: str, reason: str) -> str:
    """That the library does not take the model."""
    if "runtime version" in reason:
        return f"{library} is too old for {label} ({_line(reason)}); {INSTALL}"
    return (f"{library} does not take {label} ({_line(reason)}); is it compiled for the Edge TPU, and "
            f"{library} as new as the runtime?")  # fmt: skip


def failed(reason: str) -> str:
    """That it stopped in the middle."""
    return f"the Edge TPU failed while it computed ({_line(reason)}); check its cable and power supply"


def silent(for_s: float) -> str:
    """That it does not come back from what it was to do."""
    return (f"the Edge TPU has not answered for {for_s:g} s; unplug it and plug it in again, and check its cable and "
            "power supply")  # fmt: skip


def crashed(library: str, by: str) -> str:
    """That it killed the process in which it was tried."""
    return f"{library} crashed when it was tried ({by}); most often it does not fit the runtime for models: {INSTALL}"


def hung(library: str, after_s: float) -> str:
    """That it was given up."""
    return (f"{library} was tried and did not answer for {after_s:g} s; unplug the Edge TPU and plug it in again, "
            "and check its power supply")  # fmt: skip


def unforeseen(error: Exception) -> str:
    """That something went wrong with it of which nobody thought, be it in a library or in this program."""
    return (f"the Edge TPU cannot be tried or opened ({type(error).__name__}: {_line(str(error))}); unplug it and plug "
            "it in again; if that does not help, report this with the lines around it in the log")  # fmt: skip


def _line(text: str) -> str:
    """What the library said, without what the runtime adds to it."""
    return " ".join(re.sub(_ADDED, " ", text).split())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
