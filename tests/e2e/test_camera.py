"""An interrupted camera stream and a suspended service: both continue with the same IDs, and never go offline."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.support.brokers import Mosquitto
from tests.support.scenes import picture_of, scene
from tests.support.sensor import Ear, ear, sensor
from tests.support.streams import http_server, part
from tests.support.waiting import LONG_S

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]

STALL_S = 1
# A busy machine may take long to reopen the stream. The person must keep the ID in the meantime.
SETTINGS = {"camera.stall_s": STALL_S, "camera.fps": 10, "tracking.max_age_s": LONG_S, "mqtt.heartbeat_s": 60}


def live_pictures(end: threading.Event) -> Iterator[bytes]:
    """The stream of a camera: ten pictures per second of one standing person, until `end`."""
    file = BytesIO()
    Pillow.fromarray(picture_of(scene("wave"), 20)).save(file, "jpeg")
    while not end.wait(0.1):
        yield part(file.getvalue())


def wait_for_person(heard: Ear) -> int:
    """The ID of the next person with an ID."""

    def has_id(payload: bytes) -> bool:
        return any(pose["id"] is not None for pose in json.loads(payload)["poses"])

    heard.listen(lambda message: message.topic.endswith("/keypoints") and has_id(message.payload))
    (pose,) = heard.all("keypoints")[-1]["poses"]
    return int(pose["id"])


def wait_for_camera(heard: Ear, state: str) -> None:
    heard.listen(lambda message: message.topic.endswith("/health") and json.loads(message.payload)["camera"] == state)


def statuses(heard: Ear) -> list[bytes]:
    return [message.payload for message in heard.heard if message.topic.endswith("/status")]


def test_an_interrupted_stream_is_reopened(mosquitto: Start, tmp_path: Path) -> None:
    port = mosquitto().port
    interrupted, resumed, end = threading.Event(), threading.Event(), threading.Event()

    def second() -> Iterator[bytes]:
        resumed.wait(LONG_S)
        yield from live_pictures(end)

    with http_server(lambda: live_pictures(interrupted), second) as source, ear(port) as heard:
        with sensor(tmp_path, port, SETTINGS | {"camera.source": source}) as daemon:
            before = wait_for_person(heard)
            heard.topic("event/presence")
            interrupted.set()
            wait_for_camera(heard, "stalled")
            assert heard.all("event/presence")[-1]["reasons"] == ["camera stalled"]
            resumed.set()
            wait_for_camera(heard, "ok")
            assert heard.all("health")[-1]["camera_reopened"] == 1
            assert wait_for_person(heard) == before
            heard.listen(lambda _: heard.all("event/presence")[-1]["event_type"] == "arrived")
            assert statuses(heard) == [b"online"]
            daemon.assert_stops()
        end.set()
    assert "secret" not in daemon.log
    sequences = [message["seq"] for message in heard.all("keypoints")]
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize("kind", ["synthetic", "stream"])
def test_a_suspended_service_continues(mosquitto: Start, tmp_path: Path, kind: str) -> None:
    port = mosquitto().port
    end = threading.Event()
    with http_server(*[lambda: live_pictures(end)] * 9) as stream, ear(port) as heard:
        # At two frames per second, the service is most likely suspended while it waits for a picture.
        settings = SETTINGS | {"camera.source": "synthetic:wave" if kind == "synthetic" else stream, "camera.fps": 2}
        with sensor(tmp_path, port, settings) as daemon:
            before = wait_for_person(heard)
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(4 * STALL_S)
            daemon.process.send_signal(signal.SIGCONT)
            last = heard.all("keypoints")[-1]["seq"]
            heard.topics("keypoints", 4)
            assert heard.all("keypoints")[-1]["seq"] > last
            assert wait_for_person(heard) == before
            assert statuses(heard) == [b"online"]
            assert "gave no picture" not in daemon.log
            daemon.assert_stops()
        end.set()
