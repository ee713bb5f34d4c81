"""`edge-pose run` with a real broker: all messages, from the first to the last."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.mqtt.commands import KINDS
from edge.mqtt.topics import CHANNELS
from edge.skeleton import PARTS
from tests.support.brokers import LOOPBACK, Mosquitto, free_port, mosquitto_sub, publish, relay
from tests.support.contract import channel_of
from tests.support.models import FAST_MODEL
from tests.support.scenes import picture_of, save_pictures, scene
from tests.support.sensor import ear, run_edge, sensor, watch
from tests.support.systemd import Systemd
from tests.support.waiting import LONG_S, until

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]


def test_mosquitto_sub_receives_the_documented_topics_retain_qos_and_expiry(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    options = "-V", "5", "-q", "1", "-F", "%t\t%q\t%r\t%E", "--retain-as-published"
    settings = {"camera.source": "synthetic:walk", "mqtt.heartbeat_s": 1}
    expected = {
        "status": {("1", "1", "")},
        "info": {("1", "1", "")},
        "keypoints": {("0", "0", "5")},
        "event": {("1", "0", "300")},
        "state": {("1", "1", "3")},
        "health": {("1", "1", "3")},
        "snapshot": {("0", "0", "30")},
        "setting": {("1", "1", "")},
        "response": {("1", "0", "30")},
    }
    assert expected.keys() == CHANNELS.keys() - KINDS
    with (
        mosquitto_sub(port, "edge-pose/#", tmp_path / "heard", *options) as lines,
        sensor(tmp_path, port, settings) as daemon,
    ):
        until(lambda: any("/keypoints" in line for line in lines()))
        publish(port, "edge-pose/test/request/snapshot", "")
        until(lambda: all(any(f"/{name}" in line for line in lines()) for name in expected))
        daemon.assert_stops()
        until(lambda: sum("/status" in line for line in lines()) == 2)
        seen: dict[str, set[tuple[str, ...]]] = {}
        for line in lines():
            topic, *properties = line.split("\t")
            name, _ = channel_of(topic)
            if name == "event":
                # An event from before the connection has waited, so less time is left until it expires.
                assert 200 < int(properties[2]) <= 300
                properties[2] = "300"
            seen.setdefault(name, set()).add(tuple(properties))
    assert {name: seen[name] for name in seen if name not in KINDS} == expected


@pytest.mark.parametrize("name", ["walk", "wave"])
def test_the_painted_person_is_detected_where_it_was_painted(mosquitto: Start, tmp_path: Path, name: str) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": f"synthetic:{name}", "camera.fps": 0}):
        heard.topics("keypoints", 240)
    painter = scene(name)
    errors = []
    messages = heard.all("keypoints")
    assert [message["seq"] for message in messages] == list(range(240)), "a source that is not live drops no frame"
    for message in messages:
        assert message["frame"] == {"width": 640, "height": 480}
        (person,) = painter.truth(message["seq"])
        if person.visible.sum() < 12:
            continue  # entering or leaving the frame
        (pose,) = message["poses"]
        for keypoint in pose["keypoints"]:
            assert keypoint["body_part"] == PARTS[keypoint["index"]]
            assert keypoint["confidence"] >= 0.3
            if person.visible[keypoint["index"]]:
                errors.append(np.hypot(*(person.xy[keypoint["index"]] - (keypoint["x"], keypoint["y"]))))
    assert len(errors) > 200 * 12
    assert np.mean(errors) < 15
    info = heard.all("info")[-1]
    assert info["camera"]["frame"] == {"width": 640, "height": 480}
    assert info["backend"]["name"] == "cpu"


def test_two_people_cross_and_keep_their_ids(mosquitto: Start, tmp_path: Path) -> None:
    """While both people are visible, each ID stays near the same painted person."""
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:two", "camera.fps": 0}):
        heard.topics("keypoints", 84)  # later, one person is hidden for longer than tracking.max_age_s
    painter = scene("two")
    painted: dict[int, set[int]] = {}  # ID -> numbers of the nearest painted people
    for message in heard.all("keypoints"):
        people = painter.truth(message["seq"])
        if any(one.visible.sum() < 14 for one in people):
            continue
        assert len(message["poses"]) == 2
        for pose in message["poses"]:
            left, top, width, height = pose["box"]
            middle = np.array((left + width / 2, top + height / 2))
            distances = [np.linalg.norm(middle - one.xy[one.visible].mean(axis=0)) for one in people]
            if pose["id"] is not None and min(distances) < 0.3 * max(distances):
                painted.setdefault(pose["id"], set()).add(int(np.argmin(distances)))
    assert sorted(painted) == [1, 2]
    assert sorted(map(list, painted.values())) == [[0], [1]], painted


def test_single_mode_detects_one_of_two_people(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    settings = {"camera.source": "synthetic:two", "camera.fps": 0, "decode.mode": "single"}
    with ear(port) as heard, sensor(tmp_path, port, settings):
        heard.topics("keypoints", 20)
    # A new person is listed after some detections.
    assert [len(message["poses"]) for message in heard.all("keypoints")[5:]] == [1] * 15


def test_a_falling_person_is_detected_lying_with_the_same_id(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:fall", "camera.fps": 0}):
        heard.topics("keypoints", 145)
    painter = scene("fall")
    ids, lying = set(), []
    for message in heard.all("keypoints")[30:]:  # the scene begins with a person who lies
        (person,) = painter.truth(message["seq"])
        ids |= {pose["id"] for pose in message["poses"]}
        if np.ptp(person.xy[:, 0]) > 1.5 * np.ptp(person.xy[:, 1]):
            lying.append(len(message["poses"]))
    assert ids - {None} == {1}
    assert len(lying) > 50
    assert np.mean(lying) > 0.9


def test_frames_without_people_are_published(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:empty"}):
        heard.topics("keypoints", 10)
    assert all(message["poses"] == [] for message in heard.all("keypoints"))


@pytest.mark.parametrize(("second", "networks"), [("auto", ["movenet-multipose"]), ("off", [])])
def test_the_log_names_the_networks(mosquitto: Start, tmp_path: Path, second: str, networks: list[str]) -> None:
    settings = {"camera.source": "synthetic:empty", "people.second_opinion": second}
    with sensor(tmp_path, mosquitto().port, settings) as daemon:
        daemon.wait_for_log("synthetic:empty -> ")
        line = next(line for line in daemon.log.splitlines() if "synthetic:empty -> " in line)
    first, *others = line.partition("-> ")[2].partition(" on ")[0].split(" + ")
    assert first == FAST_MODEL
    assert [name.removesuffix("-float16") for name in others] == networks  # tflite-runtime uses the float16 variant


def test_mirror_flips_x_and_keeps_the_labels(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    save_pictures(tmp_path, 3)
    seen = []
    for mirror in (False, True):
        source = {"camera.source": f"images:{tmp_path}", "camera.fps": 0, "camera.mirror": mirror}
        with ear(port) as heard, sensor(tmp_path, port, source):
            heard.topic("status", b"online")
            heard.topic("status", b"offline")
        seen.append(heard.all("keypoints"))
    for plain, mirrored in zip(*seen, strict=True):
        (a,), (b,) = plain["poses"], mirrored["poses"]
        assert [k["body_part"] for k in a["keypoints"]] == [k["body_part"] for k in b["keypoints"]]
        assert [639 - k["x"] for k in a["keypoints"]] == pytest.approx([k["x"] for k in b["keypoints"]], abs=0.11)
        assert [k["y"] for k in a["keypoints"]] == [k["y"] for k in b["keypoints"]]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_camera_gives_the_same_poses(mosquitto: Start, tmp_path: Path, rotation: int) -> None:
    port = mosquitto().port
    upright = save_pictures(tmp_path, 1)[0]
    rotated = tmp_path / "rotated"
    rotated.mkdir()
    with Image.open(upright) as image:
        image.rotate(rotation, expand=True).save(rotated / "0.png")  # Pillow rotates counterclockwise
    seen = []
    for source, degrees in ((upright, 0), (rotated, rotation)):
        settings = {"camera.source": f"images:{source}", "camera.rotation": degrees}
        with ear(port) as heard, sensor(tmp_path, port, settings) as daemon:
            heard.topic("keypoints")
            assert daemon.process.wait(LONG_S) == 0
        seen.append(heard.all("keypoints")[0])
    assert seen[1]["frame"] == seen[0]["frame"] == {"width": 640, "height": 480}
    assert seen[1]["poses"] == seen[0]["poses"]


def test_all_pictures_of_a_folder_are_published_and_the_service_ends(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = save_pictures(folder, 12)
    paths[3].write_bytes(paths[3].read_bytes()[:5000])
    paths[7].write_bytes(b"not a picture")
    Image.new("L", (1, 1), 200).save(folder / "100.png")
    Image.new("RGBA", (80, 60), (9, 9, 9, 0)).save(folder / "101.png")
    Image.new("RGB", (8000, 6000), (90, 90, 90)).save(folder / "102.jpg")
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": f"images:{folder}", "camera.fps": 0}) as daemon:
        assert daemon.process.wait(LONG_S) == 0
        heard.topic("status", b"offline")
    messages = heard.all("keypoints")
    assert len(messages) == 10 + 3
    assert [m["frame"]["width"] for m in messages[-3:]] == [1, 80, 8000]
    health = heard.all("health")[-1]
    assert health["frames"] == {"processed": 13, "idle": 0, "dropped": 0, "unreadable": 2}
    assert health["messages_dropped"] == 0
    assert "003.png" in daemon.log
    assert "007.png" in daemon.log
    assert "Traceback" not in daemon.log


def test_all_frames_of_a_video_are_published_and_the_service_ends(mosquitto: Start, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="THE VIDEO EXTRA IS NOT INSTALLED")
    port = mosquitto().port
    painter = scene("walk")
    video = tmp_path / "walk.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=15, options={"b": "4M"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(45):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_of(painter, number), format="rgb24")))
        container.mux(stream.encode())
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": f"video:{video}", "camera.fps": 0}) as daemon:
        assert daemon.process.wait(LONG_S) == 0
        heard.topic("status", b"offline")
    messages = heard.all("keypoints")
    assert [message["seq"] for message in messages] == list(range(45))
    errors = [
        np.hypot(*(painter.truth(message["seq"])[0].xy[keypoint["index"]] - (keypoint["x"], keypoint["y"])))
        for message in messages
        for pose in message["poses"]
        for keypoint in pose["keypoints"]
    ]
    assert len(errors) > 45 * 10
    assert np.mean(errors) < 15


def test_the_broker_publishes_offline_for_a_killed_service(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:walk"}) as daemon:
        heard.topic("status", b"online")
        heard.topic("keypoints")
        daemon.stop(signal.SIGKILL)
        heard.topic("status", b"offline")
    with ear(port) as late:
        assert late.topic("status").retain
        assert late.all("keypoints") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_cleanly_and_quickly(mosquitto: Start, tmp_path: Path, number: int) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:walk"}) as daemon:
        heard.topic("keypoints")
        daemon.assert_stops(number)
        heard.topic("status", b"offline")


@pytest.mark.parametrize("fps", [15, 0])  # a live source drops frames, a file waits
def test_a_signal_stops_the_service_while_the_broker_is_unreachable(tmp_path: Path, fps: int) -> None:
    with sensor(tmp_path, free_port(), {"camera.source": "synthetic:walk", "camera.fps": fps}) as daemon:
        daemon.wait_for_log("connection refused")
        daemon.assert_stops()


def test_the_service_reconnects_to_a_restarted_broker(mosquitto: Start, tmp_path: Path) -> None:
    server = mosquitto()
    source = {"camera.source": "synthetic:walk", "mqtt.heartbeat_s": 1}
    with sensor(tmp_path, server.port, source) as daemon:
        with ear(server.port) as heard:
            heard.topic("keypoints")
        server.kill()
        daemon.wait_for_log("connection refused")
        server.start()
        with ear(server.port) as heard:
            heard.topic("status", b"online")
            heard.topic("info")
            heard.topic("keypoints")
            health = json.loads(heard.topic("health").payload)
        assert health["connects"] == 2
        # The first retry is most of a second later. Until then, messages are dropped.
        assert health["messages_dropped"] > 0
        daemon.assert_stops()


def test_a_file_waits_for_the_broker_and_loses_no_frame(mosquitto: Start, systemd: Systemd, tmp_path: Path) -> None:
    """While it waits, the service is ready and pings the watchdog."""
    save_pictures(tmp_path / "pictures", 5)
    broker, port = mosquitto(), free_port()
    source = {"camera.source": f"images:{tmp_path}/pictures", "camera.fps": 0}
    environ = systemd.environ | {"WATCHDOG_USEC": "400000"}
    with ear(broker.port) as heard, sensor(tmp_path, port, source, environ) as daemon:
        systemd.wait_until(lambda states: "READY=1" in states and states.count("WATCHDOG=1") >= 5)
        assert any("connection refused" in state for state in systemd.states if state.startswith("STATUS="))
        with relay(port, broker.port):
            heard.topic("status", b"online", 2 * LONG_S)  # up to a minute passes between two attempts
            heard.topic("status", b"offline")
            assert daemon.process.wait(LONG_S) == 0
    assert [message["seq"] for message in heard.all("keypoints")] == list(range(5))


def test_systemd_receives_ready_status_watchdog_and_stopping(
    mosquitto: Start, systemd: Systemd, tmp_path: Path
) -> None:
    port = mosquitto().port
    environ = systemd.environ | {"WATCHDOG_USEC": "400000"}
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:walk"}, environ) as daemon:
        systemd.wait_for("READY=1")
        assert set(systemd.states[: systemd.states.index("READY=1")]) <= {"WATCHDOG=1"}
        heard.topic("keypoints")
        systemd.wait_until(lambda states: states.count("WATCHDOG=1") >= 3)
        (status,) = (state for state in systemd.wait_for("STATUS=") if state.startswith("STATUS="))
        daemon.assert_stops()
        systemd.wait_for("STOPPING=1")
    assert status.endswith(" fps, 1 person, online")
    assert float(status.removeprefix("STATUS=").split()[0]) > 0


def test_no_ready_and_no_watchdog_without_a_frame(mosquitto: Start, systemd: Systemd, tmp_path: Path) -> None:
    """The camera is a server that accepts the connection and sends nothing."""
    pytest.importorskip("av", reason="THE VIDEO EXTRA IS NOT INSTALLED")
    port = mosquitto().port
    with socket.create_server((LOOPBACK, 0)) as silent:
        source = {"camera.source": f"http://{LOOPBACK}:{silent.getsockname()[1]}/", "camera.stall_s": 2}
        environ = systemd.environ | {"WATCHDOG_USEC": "100000"}
        with ear(port) as heard, sensor(tmp_path, port, source, environ) as daemon:
            heard.topic("status", b"online")
            heard.topic("status", b"offline")
            assert daemon.process.wait(LONG_S) == 1
        systemd.wait_for("STOPPING=1")
        assert systemd.states == ["STOPPING=1"]
    assert "camera.source" in daemon.log
    assert "Traceback" not in daemon.log


BAD: list[tuple[dict[str, object], int, list[str]]] = [
    ({"mqtt.prt": 1}, 78, ["EDGE_POSE_MQTT__PRT", "unknown key"]),
    ({"mqtt.port": 0}, 78, ["mqtt.port", "from 1 to 65535"]),
    ({"mqtt.host": ""}, 78, ["mqtt.host"]),
    ({"camera.source": "synthetic:dance"}, 78, ["camera.source", "dance", "walk"]),
    ({"camera.source": "webcam"}, 78, ["camera.source", "synthetic:"]),
    ({"camera.source": "picamera2"}, 78, ["camera.source"]),
    ({"camera.source": "images:/does/not/exist"}, 78, ["camera.source", "/does/not/exist"]),
    ({"camera.source": "images:/proc/self/fdinfo"}, 78, ["camera.source", "/proc/self/fdinfo"]),
    ({"camera.source": "video:/does/not/exist.mp4"}, 78, ["camera.source", "/does/not/exist.mp4"]),
    ({"camera.source": "video:/etc/hostname"}, 78, ["camera.source", "/etc/hostname"]),
    ({"camera.source": "/dev/video63"}, 1, ["camera.source", "/dev/video63"]),
    ({"model.name": "posenot"}, 78, ["model.name", "posenot", "posenet"]),
    ({"model.name": "/does/not/exist.tflite"}, 78, ["model.name", "/does/not/exist.tflite"]),
    ({"model.name": "/etc/hostname"}, 78, ["model.name", "/etc/hostname"]),
    ({"model.input_size": "[360, 480]"}, 78, ["model.input_size", "353"]),
    ({"mqtt.username": "u", "mqtt.password_file": "/does/not/exist"}, 78, ["mqtt.password_file"]),
]


@pytest.mark.parametrize(("settings", "code", "words"), BAD, ids=[str(next(iter(bad[0].items()))) for bad in BAD])
def test_the_error_of_an_invalid_setting_is_one_line(
    mosquitto: Start, tmp_path: Path, settings: dict[str, object], code: int, words: list[str]
) -> None:
    with sensor(tmp_path, mosquitto().port, {"camera.source": "synthetic:walk"} | settings) as daemon:
        assert daemon.process.wait(LONG_S) == code
    errors = [line for line in daemon.log.splitlines() if line.startswith("edge-pose: ")]
    assert len(errors) == 1, daemon.log
    assert "Traceback" not in daemon.log
    assert all(word in errors[0] for word in words), errors[0]


def test_check_prints_each_part_and_its_remedy(mosquitto: Start, tmp_path: Path) -> None:
    config = tmp_path / "edge-pose.toml"
    config.write_text(f'[camera]\nsource = "synthetic:walk"\n[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto().port}\n')
    good = run_edge("check", "--config", str(config), "--json")
    assert good.returncode == 0, good.stderr
    assert [(one["check"], one["ok"]) for one in json.loads(good.stdout)] == [
        ("config", True), ("model", True), ("source", True), ("broker", True),
    ]  # fmt: skip
    config.write_text(f'[camera]\nsource = "images:/no"\n[mqtt]\nhost = "127.0.0.1"\nport = {free_port()}\n')
    bad = run_edge("check", "--config", str(config), "--json")
    found = {one["check"]: one for one in json.loads(bad.stdout)}
    assert bad.returncode == 78
    assert [one["ok"] for one in found.values()] == [True, True, False, False]
    assert "camera.source" in found["source"]["detail"]
    assert "start the broker" in found["broker"]["detail"]
    table = run_edge("check", "--config", str(config))
    assert table.returncode == 78
    assert table.stdout.count("✓") == table.stdout.count("✗") == 2
    assert table.stdout.count("\n") == 4, "a line each"


def test_watch_prints_a_line_per_person(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    publish(port, "edge-pose/other/status", "online", "-r")
    with watch(tmp_path, "--host", f"{LOOPBACK}:{port}") as printed, ear(port) as heard:
        printed("other  online")  # the subscription works
        with sensor(tmp_path, port, {"camera.source": "synthetic:walk", "camera.fps": 0}) as daemon:
            heard.topics("keypoints", 60)
            daemon.assert_stops()
        for payload in ("garbage", '{"v": 7}'):
            publish(port, "edge-pose/x/keypoints", payload)
        publish(port, "edge-pose/x/status", "offline")
        lines = printed("x  offline")
    people = [line for line in lines if "person 1  " in line]
    assert len(people) > 30
    assert all("nose" in line and "box" in line and "test" in line for line in people[:5])
    assert ["test", "offline"] in [line.split() for line in lines]
    assert sum("invalid keypoints message" in line for line in lines) == 2


def test_max_rate_hz_limits_messages_but_not_processed_frames(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    limit = {"camera.source": "synthetic:walk", "camera.fps": 0, "mqtt.max_rate_hz": 2, "mqtt.heartbeat_s": 1}
    limit |= {"model.input_size": [129, 161]}  # many frames a second, however slow the machine
    with ear(port) as heard, sensor(tmp_path, port, limit):
        heard.topics("keypoints", 8)
        health = json.loads(heard.topic("health").payload)
    sequences = [message["seq"] for message in heard.all("keypoints")]
    assert min(np.diff(sequences[2:])) >= 2, "the service processes frames that it does not publish"
    assert health["frames"]["processed"] > 1.5 * len(sequences)


def test_a_wrong_password_does_not_end_the_service_and_is_not_logged(
    mosquitto: Start, systemd: Systemd, tmp_path: Path
) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "edge", "s3cret"], check=True, capture_output=True)
    secret.write_text("wr0ng\n")
    port = mosquitto("allow_anonymous false", f"password_file {passwords}").port
    login = {"mqtt.username": "edge", "mqtt.password_file": secret, "camera.source": "synthetic:walk"}
    with sensor(tmp_path, port, login, systemd.environ) as daemon:
        daemon.wait_for_log("mqtt.username")
        seen = len(systemd.states)
        systemd.wait_until(lambda states: sum(state.startswith("STATUS=") for state in states[seen:]) >= 2)
        daemon.assert_stops()
    assert "wr0ng" not in daemon.log
    assert len(daemon.log) < 2000, "the reason is logged only once"
