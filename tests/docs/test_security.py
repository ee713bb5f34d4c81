"""What SECURITY.md promises of the running service."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.brokers import Mosquitto
from tests.support.sensor import ear, sensor

LISTENING = "0A"  # in the column "st" of /proc/net/tcp


def test_the_service_listens_on_no_port_and_writes_only_its_log_and_state(
    mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    broker = mosquitto()
    with ear(broker.port) as heard, sensor(tmp_path, broker.port, {"camera.source": "synthetic:walk"}) as daemon:
        heard.topic("health")  # the last thing that opens files, until the next heartbeat
        process = Path("/proc") / str(daemon.process.pid)
        assert socket_inodes(process).isdisjoint(listening_inodes(process))
        # Its state is saved by a thread, at any time.
        assert {file.parent for file in written_files(process)} <= {tmp_path / "state"}


def socket_inodes(process: Path) -> set[str]:
    targets = [str(link.readlink()) for link in (process / "fd").iterdir()]
    return {found[1] for target in targets if (found := re.fullmatch(r"socket:\[(\d+)\]", target))}


def listening_inodes(process: Path) -> set[str]:
    """Of all processes in the same network namespace; the broker's are among them."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in (process / "net" / name).read_text().splitlines()[1:]]
    found = {row[9] for row in rows if row[3] == LISTENING}
    assert found
    return found


def written_files(process: Path) -> Iterator[Path]:
    """Regular files that the process has open for writing, besides its standard streams."""
    for link in (process / "fd").iterdir():
        flags = int((process / "fdinfo" / link.name).read_text().split("flags:")[1].split()[0], 8)
        if int(link.name) > 2 and flags & (os.O_WRONLY | os.O_RDWR) and link.is_file():
            yield link.readlink()
