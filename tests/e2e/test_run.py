"""`edge-pose run` beside a real broker: what is on the wire, from the first message to the last."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.mqtt.messages import PAYLOADS
from edge.skeleton import PARTS
from tests.support.brokers import Mosquitto, free_port
from tests.support.scenes import picture_of, save_pictures, scene
from tests.support.sensor import ear, run_edge, sensor

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]


def test_topics_retain_qos_and_payloads_as_mosquitto_sub_sees_them(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    command = ["mosquitto_sub", "-p", str(port), "-V", "5", "-q", "1", "-t", "edge-pose/#", "-F", "%t\t%q\t%r\t%E\t%p"]
    with (tmp_path / "heard").open("wb") as out:
        listener = subprocess.Popen([*command, "--retain-as-published"], stdout=out)
        time.sleep(0.3)
        with (
            ear(port) as heard,
            sensor(tmp_path, port, {"camera.source": "synthetic:walk", "mqtt.heartbeat_s": 1}) as daemon,
        ):
            for _ in range(30):
                heard.topic("keypoints")
            heard.topic("health")
            assert daemon.stop()[0] == 0
            heard.topic("status", b"offline")
        time.sleep(0.3)
        listener.terminate()
        listener.wait()
    seen: dict[str, set[tuple[str, ...]]] = {}
    for line in (tmp_path / "heard").read_text().splitlines():
        topic, qos, retain, expiry, _payload = line.split("\t")
        seen.setdefault(topic, set()).add((qos, retain, expiry))
    assert seen == {
        "edge-pose/test/status": {("1", "1", "")},
        "edge-pose/test/info": {("1", "1", "")},
        "edge-pose/test/keypoints": {("0", "0", "5")},
        "edge-pose/test/health": {("1", "1", "3")},
    }
    assert {topic.rsplit("/", 1)[1] for topic in seen} == {*PAYLOADS, "status"}


@pytest.mark.parametrize("name", ["walk", "wave"])
def test_the_painted_person_is_where_the_painter_put_it(mosquitto: Start, tmp_path: Path, name: str) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": f"synthetic:{name}", "camera.fps": 0}):
        for _ in range(240):
            heard.topic("keypoints")
    painter = scene(name)
    errors = []
    messages = heard.all("keypoints")
    assert [message["seq"] for message in messages] == list(range(240)), "a source that is not live drops nothing"
    for message in messages:
        assert message["frame"] == {"width": 640, "height": 480}
        (person,) = painter.truth(message["seq"])
        if person.visible.sum() < 12:
            continue  # on its way in or out
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
    """Where both are seen, each id is where the same painted person is, from the first message to the last."""
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:two", "camera.fps": 0}):
        for _ in range(84):  # later on, one of them is hidden for longer than anybody is remembered
            heard.topic("keypoints")
    painter = scene("two")
    who: dict[int, set[int]] = {}
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
                who.setdefault(pose["id"], set()).add(int(np.argmin(distances)))
    assert sorted(who) == [1, 2]
    assert sorted(map(list, who.values())) == [[0], [1]], who


def test_single_person_mode_is_still_there(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    settings = {"camera.source": "synthetic:two", "camera.fps": 0, "decode.mode": "single"}
    with ear(port) as heard, sensor(tmp_path, port, settings):
        for _ in range(20):
            heard.topic("keypoints")
    assert [len(message["poses"]) for message in heard.all("keypoints")] == [1] * 20


def test_who_lies_is_seen_and_who_fell_has_the_same_id(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:fall", "camera.fps": 0}):
        for _ in range(145):
            heard.topic("keypoints")
    painter = scene("fall")
    ids, lying = set(), []
    for message in heard.all("keypoints")[15:]:
        (person,) = painter.truth(message["seq"])
        ids |= {pose["id"] for pose in message["poses"]}
        if np.ptp(person.xy[:, 0]) > 1.5 * np.ptp(person.xy[:, 1]):
            lying.append(len(message["poses"]))
    assert ids - {None} == {1}
    assert len(lying) > 50
    assert np.mean(lying) > 0.9


def test_an_empty_room_is_told_too(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:empty"}):
        for _ in range(10):
            heard.topic("keypoints")
    assert all(message["poses"] == [] for message in heard.all("keypoints"))


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
def test_a_camera_that_hangs_askew_is_turned_upright(mosquitto: Start, tmp_path: Path, rotation: int) -> None:
    port = mosquitto().port
    upright = save_pictures(tmp_path, 1)[0]
    askew = tmp_path / "askew"
    askew.mkdir()
    with Image.open(upright) as image:
        image.rotate(rotation, expand=True).save(askew / "0.png")  # Pillow turns to the left, we back to the right
    seen = []
    for source, turn in ((upright, 0), (askew, rotation)):
        with (
            ear(port) as heard,
            sensor(tmp_path, port, {"camera.source": f"images:{source}", "camera.rotation": turn}) as daemon,
        ):
            heard.topic("keypoints")
            assert daemon.process.wait(20) == 0
        seen.append(heard.all("keypoints")[0])
    assert seen[1]["frame"] == seen[0]["frame"] == {"width": 640, "height": 480}
    assert seen[1]["poses"] == seen[0]["poses"]


def test_a_folder_is_published_whole_and_the_daemon_ends(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = save_pictures(folder, 12)
    paths[3].write_bytes(paths[3].read_bytes()[:5000])
    paths[7].write_bytes(b"this is no picture")
    Image.new("L", (1, 1), 200).save(folder / "100.png")
    Image.new("RGBA", (80, 60), (9, 9, 9, 0)).save(folder / "101.png")
    Image.new("RGB", (8000, 6000), (90, 90, 90)).save(folder / "102.jpg")
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": f"images:{folder}", "camera.fps": 0}) as daemon:
        assert daemon.process.wait(60) == 0
        heard.topic("status", b"offline")
    messages = heard.all("keypoints")
    assert len(messages) == 10 + 3
    assert [m["frame"]["width"] for m in messages[-3:]] == [1, 80, 8000]
    health = heard.all("health")[-1]
    assert health["frames"] == {"processed": 13, "dropped": 0, "unreadable": 2}
    assert health["messages_dropped"] == 0
    assert "003.png" in daemon.log
    assert "007.png" in daemon.log
    assert "Traceback" not in daemon.log


def test_a_video_is_published_whole_and_the_daemon_ends(mosquitto: Start, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="THE VIDEO EXTRA IS NOT INSTALLED")
    port = mosquitto().port
    painter = scene("walk")
    film = tmp_path / "walk.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("mpeg4", rate=15, options={"b": "4M"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(45):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_of(painter, number), format="rgb24")))
        container.mux(stream.encode())
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": f"video:{film}", "camera.fps": 0}) as daemon:
        assert daemon.process.wait(60) == 0
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


def test_the_last_will_speaks_for_a_daemon_that_was_killed(mosquitto: Start, tmp_path: Path) -> None:
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
def test_a_signal_ends_it_cleanly_and_soon(mosquitto: Start, tmp_path: Path, number: int) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:walk"}) as daemon:
        heard.topic("keypoints")
        code, took_s = daemon.stop(number)
        heard.topic("status", b"offline")
    assert code == 0
    assert took_s < 2
    assert "Traceback" not in daemon.log


def test_a_signal_ends_it_although_the_broker_is_away(tmp_path: Path) -> None:
    for fps in (15, 0):  # a camera's frames are dropped, a file's wait
        with sensor(tmp_path, free_port(), {"camera.source": "synthetic:walk", "camera.fps": fps}) as daemon:
            while "connection refused" not in daemon.log:
                time.sleep(0.05)
            code, took_s = daemon.stop()
        assert (code, took_s < 2) == (0, True)


def test_a_broker_that_comes_and_goes(mosquitto: Start, tmp_path: Path) -> None:
    server = mosquitto()
    source = {"camera.source": "synthetic:walk", "mqtt.heartbeat_s": 1}
    with sensor(tmp_path, server.port, source) as daemon:
        for _ in range(2):
            with ear(server.port) as heard:
                heard.topic("status", b"online")
                heard.topic("info")
                heard.topic("keypoints")
            server.kill()
            time.sleep(1.5)
            server.start()
        with ear(server.port) as heard:
            heard.topic("status", b"online")
            health = json.loads(heard.topic("health").payload)
        assert health["connects"] == 3
        assert health["messages_dropped"] > 5
        assert daemon.stop()[0] == 0
    assert "Traceback" not in daemon.log


def test_a_file_waits_for_the_broker_and_loses_nothing(mosquitto: Start, tmp_path: Path) -> None:
    """Killed in the middle: what the broker had not forwarded is its loss, the rest comes after it is back."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    save_pictures(folder, 5)
    server = mosquitto()
    server.stop()
    with sensor(tmp_path, server.port, {"camera.source": f"images:{folder}", "camera.fps": 0}) as daemon:
        time.sleep(2)
        assert daemon.process.poll() is None
        server.start()
        with ear(server.port) as heard:
            assert daemon.process.wait(30) == 0
            heard.topic("status", b"offline")
    assert [message["seq"] for message in heard.all("keypoints")] == list(range(5))


def test_what_systemd_is_told(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with ear(port) as heard, sensor(tmp_path, port, {"camera.source": "synthetic:walk"}, environ) as daemon:
            told = [systemd.recv(1000).decode()]
            while "READY=1" not in told[-1]:
                told.append(systemd.recv(1000).decode())
            assert all(state == "WATCHDOG=1" for state in told[:-1])
            heard.topic("keypoints")
            while sum("STATUS" in state for state in told) < 2 or told.count("WATCHDOG=1") < 3:
                told.append(systemd.recv(1000).decode())
            assert daemon.stop()[0] == 0
            while "STOPPING" not in told[-1]:
                told.append(systemd.recv(1000).decode())
    status = next(state for state in reversed(told) if "STATUS" in state)
    assert " fps, 1 person, online" in status
    assert float(status.split("=")[1].split()[0]) > 0


def test_a_file_that_waits_for_the_broker_is_ready_and_no_hang(tmp_path: Path) -> None:
    save_pictures(tmp_path, 3)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with sensor(tmp_path, free_port(), {"camera.source": f"images:{tmp_path}"}, environ) as daemon:
            told: list[str] = []
            while told.count("WATCHDOG=1") < 5 or not any("READY=1" in state for state in told):
                told.append(systemd.recv(1000).decode())
            assert any("connection refused" in state for state in told if "STATUS" in state)
            assert daemon.stop()[0] == 0


def test_no_ready_and_no_watchdog_without_a_frame(tmp_path: Path, mosquitto: Start) -> None:
    """A stream that is accepted and then silent: nothing went through, so nothing is claimed."""
    pytest.importorskip("av", reason="THE VIDEO EXTRA IS NOT INSTALLED")
    port = mosquitto().port
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        source = {"camera.source": f"http://127.0.0.1:{silent.getsockname()[1]}/", "camera.stall_s": 2}
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
        with ear(port) as heard, sensor(tmp_path, port, source, environ) as daemon:
            heard.topic("status", b"online")
            assert daemon.process.wait(20) == 1
            heard.topic("status", b"offline")
        assert systemd.recv(1000) == b"STOPPING=1"
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
def test_bad_input_is_one_clear_line(tmp_path: Path, settings: dict[str, object], code: int, words: list[str]) -> None:
    with sensor(tmp_path, free_port(), {"camera.source": "synthetic:walk"} | settings) as daemon:
        assert daemon.process.wait(30) == code
    said = [line for line in daemon.log.splitlines() if line.startswith("edge-pose: ")]
    assert len(said) == 1, daemon.log
    assert "Traceback" not in daemon.log
    assert all(word in said[0] for word in words), said[0]


def test_check_names_each_part_and_its_remedy(mosquitto: Start, tmp_path: Path) -> None:
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


def test_watch_prints_a_line_a_person(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    from tests.support import ROOT  # noqa: PLC0415
    from tests.support.sensor import _environ  # noqa: PLC0415

    command = ["python3", "-m", "edge", "watch", "--host", f"127.0.0.1:{port}"]
    import sys  # noqa: PLC0415

    with (tmp_path / "watched").open("wb") as out, ear(port) as heard:
        watching = subprocess.Popen([sys.executable, *command[1:]], stdout=out, env=_environ({}), cwd=ROOT)
        time.sleep(2)
        with sensor(tmp_path, port, {"camera.source": "synthetic:walk", "camera.fps": 0}) as daemon:
            for _ in range(60):
                heard.topic("keypoints")
            daemon.stop()
        for payload in ("garbage", '{"v": 7}'):
            subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "edge-pose/x/keypoints", "-m", payload], check=True)
        time.sleep(0.5)
        assert watching.poll() is None
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
    lines = (tmp_path / "watched").read_text().splitlines()
    people = [line for line in lines if "person 1  " in line]
    assert len(people) > 30
    assert all("nose" in line and "box" in line and "test" in line for line in people[:5])
    assert ["test", "offline"] in [line.split() for line in lines]
    assert sum("no keypoints message" in line for line in lines) == 2


def test_rate_limit(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    limit = {"camera.source": "synthetic:walk", "camera.fps": 0, "mqtt.max_rate_hz": 2, "mqtt.heartbeat_s": 1}
    limit |= {"model.input_size": [129, 161]}  # many frames a second, however slow the machine
    with ear(port) as heard, sensor(tmp_path, port, limit):
        for _ in range(8):
            heard.topic("keypoints")
        health = json.loads(heard.topic("health").payload)
    sequences = [message["seq"] for message in heard.all("keypoints")]
    assert min(np.diff(sequences[2:])) >= 2, "frames between the messages were processed, not published"
    assert health["frames"]["processed"] > 1.5 * len(sequences)


def test_the_environment_of_a_secret_stays_secret(mosquitto: Start, tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "edge", "s3cret"], check=True, capture_output=True)
    secret.write_text("wr0ng\n")
    port = mosquitto("allow_anonymous false", f"password_file {passwords}").port
    login = {"mqtt.username": "edge", "mqtt.password_file": secret, "camera.source": "synthetic:walk"}
    with sensor(tmp_path, port, login) as daemon:
        while "mqtt.username" not in daemon.log:
            assert daemon.process.poll() is None
            time.sleep(0.05)
        time.sleep(1)
        assert daemon.process.poll() is None, "a wrong password is waited out, not died of"
        assert daemon.stop()[0] == 0
    assert "wr0ng" not in daemon.log
    assert os.path.getsize(daemon.log_path) < 2000  # noqa: PTH202 - nothing is said again and again
