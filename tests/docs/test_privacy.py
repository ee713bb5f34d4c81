"""What docs/privacy.md says about the data that the service sends, and its commands."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest

from edge.mqtt.topics import CHANNELS
from tests.docs.pages import Page
from tests.support.brokers import Mosquitto
from tests.support.sensor import ear, sensor

PAGE = Page("docs/privacy.md")
TOPIC = {"event": "event/<rule>", "setting": "setting/<name>", "response": "response/<request>"}
TCPDUMP = [line for line in PAGE.commands if "tcpdump " in line]
WALK = {"camera.source": "synthetic:walk"}
ESTABLISHED = "01"  # in the column "st" of /proc/net/tcp


def test_every_topic_of_a_sensor_is_listed() -> None:
    sent = CHANNELS.keys() - {"set", "request"}
    section = PAGE.section("What leaves the device")
    assert {name for name in sent if f"`{TOPIC.get(name, name)}`" not in section} == set()


@pytest.mark.broker
def test_the_service_has_one_connection_and_sends_as_much_as_documented(
    mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    broker = mosquitto()
    with ear(broker.port) as heard, sensor(tmp_path, broker.port, WALK) as daemon:
        heard.listen(lambda one: one.topic.endswith("/state") and json.loads(one.payload)["people"] == 1)
        heard.topics("keypoints", 30)
        assert remote_ports(Path("/proc") / str(daemon.process.pid)) == [broker.port]
    sizes = [
        len(message.payload)
        for message in heard.heard
        if message.topic.endswith("/keypoints") and len(json.loads(message.payload)["poses"]) == 1
    ]
    (documented,) = re.findall(r"One person takes about ([\d,]+)\s+bytes per message", PAGE.text)
    assert mean(sizes) == pytest.approx(int(documented.replace(",", "")), rel=0.15)


def remote_ports(process: Path) -> list[int]:
    """The ports to which a process is connected over TCP."""
    links = [str(link.readlink()) for link in (process / "fd").iterdir()]
    inodes = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
    rows = [line.split() for name in ("tcp", "tcp6") for line in (process / "net" / name).read_text().splitlines()[1:]]
    return [int(row[2].rpartition(":")[2], 16) for row in rows if row[9] in inodes and row[3] == ESTABLISHED]


@pytest.mark.parametrize("command", TCPDUMP)
def test_filters_of_tcpdump_are_valid(command: str) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("TCPDUMP IS NOT INSTALLED: run: apt-get install tcpdump")
    (expression,) = re.findall(r"'(.*)'", command)
    done = subprocess.run(["tcpdump", "-y", "EN10MB", "-d", expression], capture_output=True, text=True, check=False)
    if "permission" in done.stderr:
        pytest.skip("TCPDUMP MAY NOT CAPTURE: that needs root")
    assert done.returncode == 0, done.stderr
