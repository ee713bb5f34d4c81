"""The access list that the installer writes, on a real mosquitto."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, HomeAssistant
from edge.mqtt.access_list import BEGIN, END, access_list, main
from edge.mqtt.topics import Topics
from tests.docs.pages import Page
from tests.support.brokers import Mosquitto
from tests.support.logins import readable, settings, writable

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]

BIRTH = "homeassistant/status"
OF_A_DEVICE = (
    *("status", "info", "health", "state", "keypoints", "event/fall", "snapshot"),
    *("setting/fall", "set/fall", "set/a/b", "response/ping", "request/ping"),
)
ELSEWHERE = ("other", "homeassistant/sensor/lamp/config", "edge-pose/status", "hall/status", "edge-pose")
TOPICS = (
    BIRTH,
    *(f"edge-pose/{device}/{name}" for device in ("hall", "door", "attic") for name in OF_A_DEVICE),
    *(f"homeassistant/device/{device}/config" for device in ("hall", "door", "attic")),
    *ELSEWHERE,
)
# What install.sh of version 0.3.0 wrote, and a login that its documentation describes.
FROM_0_3 = """# Permissions on this broker. To add a user: mosquitto_passwd /etc/mosquitto/edge-pose.passwd NAME
user edge-pose
topic readwrite edge-pose/#
user nodered
topic read edge-pose/#
"""


def device(device_id: str = "hall", username: str = "edge-pose", base_topic: str = "edge-pose") -> Config:
    tables = {"device": {"id": device_id}, "mqtt": {"username": username, "base_topic": base_topic}}
    return msgspec.convert(tables, Config)


def starting(*starts: str) -> set[str]:
    return {topic for topic in TOPICS if topic.startswith(starts)}


@pytest.mark.parametrize(("login", "device_id"), [("edge-pose", "hall"), ("door", "door")])
def test_a_device_may_use_its_own_topics_and_nothing_else(
    mosquitto: Start, tmp_path: Path, login: str, device_id: str
) -> None:
    port = mosquitto(*settings(tmp_path, access_list("", [device()]), "edge-pose", "door", "home")).port
    own = f"edge-pose/{device_id}/"
    assert writable(port, login, TOPICS) == starting(own, f"homeassistant/device/{device_id}/")
    assert readable(tmp_path, port, login, TOPICS, BIRTH) == {BIRTH, *starting(f"{own}set/", f"{own}request/")}


def test_home_reads_everything_and_writes_commands_and_what_remove_clears(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto(*settings(tmp_path, access_list("", [device()]), "edge-pose", "door", "home")).port
    never = {"keypoints", "event/fall", "snapshot", "response/ping"}
    of_devices = {topic for topic in TOPICS if topic.startswith("edge-pose/") and topic.count("/") > 1}
    cleared = {topic for topic in of_devices if topic.split("/", 2)[2] not in never}
    assert writable(port, "home", TOPICS) == {BIRTH, *cleared, *starting("homeassistant/device/")}
    assert readable(tmp_path, port, "home", TOPICS, BIRTH) == starting("edge-pose", "homeassistant/")
    retained = Topics("edge-pose", "door").retained
    assert writable(port, "home", retained) == set(retained)


def test_a_login_without_a_device_may_do_nothing(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto(*settings(tmp_path, access_list("", [device()]), "stranger")).port
    assert writable(port, "stranger", TOPICS) == set()
    assert readable(tmp_path, port, "stranger", TOPICS, BIRTH) == {BIRTH}


def test_an_upgrade_keeps_logins_and_gives_the_device_the_new_topics(mosquitto: Start, tmp_path: Path) -> None:
    rules = access_list(FROM_0_3, [device()])
    port = mosquitto(*settings(tmp_path, rules, "edge-pose", "nodered", "home")).port
    assert writable(port, "edge-pose", TOPICS) == starting("edge-pose") | {"homeassistant/device/hall/config"}
    assert readable(tmp_path, port, "edge-pose", TOPICS, BIRTH) == {BIRTH, *starting("edge-pose")}
    assert writable(port, "nodered", TOPICS) == set()
    assert readable(tmp_path, port, "nodered", TOPICS, BIRTH) == {BIRTH, *starting("edge-pose")}
    assert BIRTH in writable(port, "home", TOPICS)


def test_own_lines_stay_where_they_are_and_ours_are_replaced() -> None:
    first = access_list("# mine\n", [device("hall")])
    second = access_list(first + "user later\ntopic read later\n", [device("attic")])
    assert second == access_list("# mine\nuser later\ntopic read later\n", [device("attic")])
    assert access_list(second, [device("attic")]) == second


def test_another_device_id_and_another_base_topic_get_their_rights(mosquitto: Start, tmp_path: Path) -> None:
    before = access_list("", [device("hall")])
    after = access_list(before, [device("attic", base_topic="our/house"), device("door", "door")])
    port = mosquitto(*settings(tmp_path, after, "edge-pose", "door")).port
    moved = {"our/house/attic/state", "our/house/door/state", "edge-pose/attic/state", "edge-pose/door/state"}
    assert writable(port, "edge-pose", {*moved, *starting("edge-pose/hall/")}) == {"our/house/attic/state"}
    assert writable(port, "door", moved) == {"our/house/door/state", "edge-pose/door/state"}


def test_another_prefix_of_home_assistant_gets_its_rights(mosquitto: Start, tmp_path: Path) -> None:
    other = msgspec.structs.replace(device(), home_assistant=HomeAssistant(prefix="ha"))
    port = mosquitto(*settings(tmp_path, access_list("", [other]), "edge-pose", "home")).port
    topics = {"ha/device/hall/config", "homeassistant/device/hall/config"}
    assert writable(port, "edge-pose", topics) == {"ha/device/hall/config"}
    assert readable(tmp_path, port, "edge-pose", TOPICS, "ha/status") == {
        "ha/status",
        *starting("edge-pose/hall/set/", "edge-pose/hall/request/"),
    }
    assert writable(port, "home", {"ha/status", *topics}) == {"ha/status", "ha/device/hall/config"}


def test_devices_that_share_a_login_share_its_rights(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto(*settings(tmp_path, access_list("", [device("hall"), device("door")]), "edge-pose")).port
    expected = starting("edge-pose/hall/", "edge-pose/door/", "homeassistant/device/hall", "homeassistant/device/door")
    assert writable(port, "edge-pose", TOPICS) == expected


def test_the_command_reads_the_configurations_and_leaves_out_unusable_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_POSE_DEVICE__ID", "of-the-shell")
    for name, text in (("hall", '[device]\nid = "hall"\n[mqtt]\nusername = "u"\n'), ("bad", "[device]\nno = 1\n")):
        (tmp_path / f"{name}.toml").write_text(text)
    files = [str(tmp_path / name) for name in ("none", "bad.toml", "hall.toml")]
    assert main(files) == 0
    printed = capsys.readouterr()
    assert printed.out == access_list("", [device("hall", "u")])
    assert f"{tmp_path}/bad.toml: device.no" in printed.err
    assert main(files[:2]) == 0
    assert capsys.readouterr().out == access_list("", [])
    assert "pattern write edge-pose/%u/#" in access_list("", [])


def test_the_list_in_the_documentation_is_this_one() -> None:
    (block,) = [block for block in Page("docs/mqtt.md").blocks if block.mark == "access list"]
    generated = [line for line in access_list("", []).splitlines() if line not in {BEGIN, END}]
    assert block.text.splitlines() == generated
