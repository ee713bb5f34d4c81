"""Test what the unit's sandbox allows and denies, from inside. With `--invoke`, only measure the time of an invoke."""

import ctypes
import mmap
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from edge.config import Config
from edge.errors import AcceleratorError, ReasonCode
from edge.inference.edgetpu_protocol import Spec
from edge.inference.edgetpu_runtime import EdgeTpuRuntime
from edge.inference.loading import open_network

INVOKES = 150


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def denied(name: str, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except OSError:
        say(f"probe: ok denied: {name}")
    else:
        say(f"probe: FAIL should be denied: {name}")


def allowed(name: str, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except OSError as exc:
        say(f"probe: FAIL should be allowed: {name} ({exc})")
    else:
        say(f"probe: ok allowed: {name}")


def new_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), "unshare")


def connect_udev() -> None:
    """Subscribe to device events, like libudev."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15) as events:  # NETLINK_KOBJECT_UEVENT
        events.bind((0, 0))


def connect_broker() -> None:
    socket.create_connection(("127.0.0.1", 1883), 5).close()


def call_back() -> None:
    """Let C call Python, like load_delegate. An old libffi creates code at run time for this."""
    if ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 7)() != 7:
        raise OSError("the callback did not run")


def start_worker() -> None:
    """Start the Edge TPU's worker process, which uses shared memory. It must answer that the library is missing."""
    try:
        EdgeTpuRuntime(b"", Spec("none", "", "libnothing.so.1", 1))
    except AcceleratorError as exc:
        if exc.code is not ReasonCode.NO_LIBRARY:
            raise OSError(str(exc)) from exc


def invoke_ms() -> float:
    # One thread, because two would wait for each other, and so measure the load of the machine.
    cpu = open_network(msgspec.convert({"inference": {"threads": 1}}, Config)).runtime
    cpu.input()[:] = np.random.default_rng(1).integers(0, 255, cpu.input().shape)
    times = []
    for _ in range(INVOKES):
        before = time.perf_counter()
        cpu.invoke()
        times.append((time.perf_counter() - before) * 1e3)
    return min(times)  # the load of the machine only adds to it


def main() -> None:
    if "--invoke" not in sys.argv:
        state = Path(os.environ["STATE_DIRECTORY"])
        denied("a write to /etc", lambda: Path("/etc/edge-pose/mine").write_text("x"))
        denied("a write to /opt", lambda: Path("/opt/edge-pose/mine").write_text("x"))
        denied("reading /home", lambda: Path("/home/someone/file").read_text())
        denied("a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        denied("a packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        denied("a namespace of its own", new_namespace)
        denied("writable and executable memory", lambda: mmap.mmap(-1, 4096, prot=7))
        denied("the kernel's log", lambda: os.close(os.open("/dev/kmsg", os.O_RDONLY)))
        denied("a privileged system call", lambda: os.chroot("/"))
        allowed("its state directory", lambda: (state / "crash").write_text("x"))
        allowed("its models", lambda: list((state / "models").iterdir()))
        allowed("a device of the group video", lambda: Path("/dev/edge-pose-null").read_bytes())
        allowed("udev's device events", connect_udev)
        allowed("/sys, where libusb and libcamera find devices", lambda: list(Path("/sys/bus").iterdir()))
        allowed("the network", connect_broker)
        allowed("callbacks from C, which delegates need", call_back)
        allowed("the Edge TPU's worker process", start_worker)
    say(f"invoke: {invoke_ms():.2f}")


main()
