"""Find Coral Edge TPUs without their library, and describe the library's failures as errors."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from edge.errors import AbsentError, AcceleratorError, ReasonCode
from edge.system.files import read_text

KEY = "Edge TPU"  # of errors about the device itself rather than a configuration key
LIBRARY = "libedgetpu.so.1"
# Google's own package only works with runtimes from 2021. docs/raspberry-pi.md has the commands.
INSTALL = "install a libedgetpu1-std that matches the runtime: https://github.com/feranick/libedgetpu/releases"
REPLUG = "unplug it and plug it in again, and check its cable and power supply"

_USB_IDS = {("1a6e", "089a"): False, ("18d1", "9302"): True}  # -> whether an inference has loaded the firmware
_PCI_ID = ("0x1ac1", "0x089a")
_USB_3_MBIT = 5000

# What the runtimes add to the library's own text.
_ADDED = r"Node number \d+ .* failed to \w+\.|Restored original execution plan .*"


@dataclass(frozen=True, slots=True)
class Device:
    """A Coral that the kernel has found."""

    kind: str  # usb or pci
    node: Path  # the device file that has to be opened to use it
    address: str = ""  # on PCIe
    firmware_loaded: bool = True
    slow: bool = False  # at a USB 2 port

    @property
    def has_driver(self) -> bool:
        """Whether the device file exists. On PCIe, the driver gasket-dkms creates it."""
        return self.node.exists()

    @property
    def usable(self) -> bool:
        """Whether this user may open it."""
        return os.access(self.node, os.R_OK | os.W_OK)


def devices(root: Path = Path("/")) -> list[Device]:
    """Every Coral that is plugged in, with or without a driver."""
    return [*_on_pci(root), *_on_usb(root)]


def _on_pci(root: Path) -> list[Device]:
    places = sorted((root / "sys/bus/pci/devices").glob("*"))
    corals = [place for place in places if (read_text(place / "vendor"), read_text(place / "device")) == _PCI_ID]
    addresses = {root / f"dev/apex_{index}": place.name for index, place in enumerate(corals)}
    nodes = sorted({*addresses, *(root / "dev").glob("apex_[0-9]*")})
    return [Device("pci", node, addresses.get(node, "")) for node in nodes]


def _on_usb(root: Path) -> list[Device]:
    found = []
    for place in sorted((root / "sys/bus/usb/devices").glob("*")):
        vendor, product, bus, number = (
            read_text(place / name) for name in ("idVendor", "idProduct", "busnum", "devnum")
        )
        loaded = _USB_IDS.get((vendor, product))
        if loaded is not None:
            slow = float(read_text(place / "speed") or _USB_3_MBIT) < _USB_3_MBIT
            node = root / f"dev/bus/usb/{bus:0>3}/{number:0>3}"
            found.append(Device("usb", node, firmware_loaded=loaded, slow=slow))
    return found


def absent(wanted: str = "") -> AbsentError:
    """No Coral is attached; `wanted` is "", "usb:0" etc."""
    where = {"usb": "on USB", "pci": "as /dev/apex_0"}.get(wanted.partition(":")[0], "on USB or as /dev/apex_0")
    remedy = "if there is one, plug it in again (PCIe: install gasket-dkms)"
    return AbsentError("", f"no Edge TPU is visible {where}", remedy, code=ReasonCode.ABSENT)


def cannot_load(library: str, reason: str) -> AcceleratorError:
    """There is no such library, or it is not a TFLite delegate."""
    remedy = INSTALL if library == LIBRARY else "check inference.library"
    return AcceleratorError(KEY, f"{library} cannot be loaded ({_line(reason)})", remedy, code=ReasonCode.NO_LIBRARY)


def refused(wanted: str, library: str, reason: str, root: Path = Path("/")) -> AcceleratorError:
    """The library opened no device. It rarely gives a reason, so check the machine for one."""
    kind, _, number = wanted.partition(":")
    found = [device for device in devices(root) if device.has_driver and device.kind == (kind or device.kind)]
    if library == LIBRARY and not found:
        return absent(wanted)
    if library == LIBRARY and not any(device.usable for device in found):
        return AcceleratorError(KEY, f"this user may not open {found[0].node}",
                                "add its udev rule, and the user to the group plugdev (USB) or apex (PCIe)",
                                code=ReasonCode.REFUSED)  # fmt: skip
    if library == LIBRARY and number and int(number) >= len(found):
        return AcceleratorError("inference.device", f"there is no {wanted}: numbers start at 0, and {len(found)} of "
                                "that kind can be seen", "use another number", code=ReasonCode.REFUSED)  # fmt: skip
    said = _line(reason)
    return AcceleratorError(KEY, f"{library} opened no device{f' ({said})' if said else ''}",
                            "stop other programs that use it, then unplug it and plug it in again",
                            code=ReasonCode.REFUSED)  # fmt: skip


def incompatible(label: str, library: str, reason: str) -> AcceleratorError:
    """The library rejected the model."""
    if "runtime version" in reason:
        return AcceleratorError(KEY, f"{library} is too old for {label} ({_line(reason)})", INSTALL,
                                code=ReasonCode.INCOMPATIBLE)  # fmt: skip
    remedy = f"check that the model is compiled for the Edge TPU, and that {library} is as new as the runtime"
    return AcceleratorError(KEY, f"{library} rejected {label} ({_line(reason)})", remedy, code=ReasonCode.INCOMPATIBLE)


def failed(reason: str) -> AcceleratorError:
    """The library reported an error during an inference."""
    return AcceleratorError(KEY, f"inference failed ({_line(reason)})", "check its cable and power supply",
                            code=ReasonCode.FAILED)  # fmt: skip


def crashed(library: str, during: str, by: str) -> AcceleratorError:
    """A signal such as SIGSEGV killed the worker."""
    remedy = REPLUG if during == "an inference" else f"it may not match the TFLite runtime: {INSTALL}"
    return AcceleratorError(KEY, f"{library} crashed during {during} ({by})", remedy, code=ReasonCode.CRASHED)


def exited(library: str, during: str, exit_code: int) -> AcceleratorError:
    """The library called exit() in the worker."""
    return AcceleratorError(KEY, f"{library} ended its process during {during} (exit code {exit_code})", REPLUG,
                            code=ReasonCode.EXITED)  # fmt: skip


def hung(library: str, during: str, after_s: float) -> AcceleratorError:
    """The worker did not answer and was killed."""
    return AcceleratorError(KEY, f"{library} did not answer for {after_s:g} s during {during}", REPLUG,
                            code=ReasonCode.HUNG)  # fmt: skip


def cancelled() -> AcceleratorError:
    """The program stops while the Edge TPU is being opened or used."""
    return AcceleratorError(KEY, "it was closed while in use", "nothing to do", code=ReasonCode.UNEXPECTED)


def unexpected(error: Exception) -> AcceleratorError:
    """Any other error, in a library or in this program."""
    return AcceleratorError(KEY, f"unexpected error ({type(error).__name__}: {_line(str(error))})",
                            f"{REPLUG}; if that does not help, report this with the lines around it in the log",
                            code=ReasonCode.UNEXPECTED)  # fmt: skip


def _line(text: str) -> str:
    return " ".join(re.sub(_ADDED, " ", text).split())
