"""The service records, and a replay prints the events that it published."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto
from tests.support.recordings import files
from tests.support.scenes import save_pictures
from tests.support.sensor import ear, run_edge, sensor
from tests.support.waiting import until

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]

CONFIG = """\
[presence]
enter_s = 0.2
leave_s = 1.0

[[zones]]
name = "left"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
loitering_s = 1.5

[[lines]]
name = "middle"
from = [0.5, 1.0]
to = [0.5, 0.0]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "edge-pose.toml"
    file.write_text(CONFIG)
    return file


def settings(folder: Path, fps: float = 0) -> dict[str, object]:
    return {
        "camera.source": "synthetic:two", "camera.fps": fps, "model.input_size": [257, 353], "mqtt.heartbeat_s": 1,
        "recording.enabled": True, "recording.folder": folder, "recording.max_mb": 2,
    }  # fmt: skip


def test_a_replay_prints_the_events_that_were_published(mosquitto: Start, config: Path, tmp_path: Path) -> None:
    port, folder = mosquitto().port, tmp_path / "recordings"
    with ear(port) as heard, sensor(tmp_path, port, settings(folder), config=config) as daemon:
        heard.topics("keypoints", 300)
        daemon.assert_stops()
        heard.topic("status", b"offline")
    published = [json.loads(message.payload) for message in heard.heard if "/event/" in message.topic]
    assert {event["rule"] for event in published} == {"presence", "zone", "line"}
    assert len(files(folder)) > 1
    done = run_edge("replay", "--json", str(folder))
    assert [json.loads(line) for line in done.stdout.splitlines()] == published
    assert done.stderr == f"{len(published)} events\n"
    assert daemon.log.count("presence arrived") == sum(event["event_type"] == "arrived" for event in published)


def test_a_killed_service_leaves_a_recording_that_can_be_replayed(
    mosquitto: Start, config: Path, tmp_path: Path
) -> None:
    port, folder = mosquitto().port, tmp_path / "recordings"
    for _ in range(2):
        with ear(port) as heard, sensor(tmp_path, port, settings(folder), config=config) as daemon:
            heard.topics("keypoints", 60)
            daemon.stop(signal.SIGKILL)
    runs = {json.loads(path.read_bytes().splitlines()[0])["run"] for path in files(folder)}
    assert len(runs) == 2
    done = run_edge("replay", "--json", str(folder))
    assert done.returncode == 0
    assert sum('"arrived"' in line for line in done.stdout.splitlines()) == 2


def test_without_a_writable_folder_the_service_goes_on(mosquitto: Start, tmp_path: Path) -> None:
    port, folder = mosquitto().port, tmp_path / "recordings"
    folder.write_text("in the way")
    with ear(port) as heard, sensor(tmp_path, port, settings(folder, fps=15)) as daemon:
        daemon.wait_for_log("recording.folder: cannot write")
        heard.topics("keypoints", 5)
        heard.topics("health", 2)
        daemon.assert_stops()
    assert daemon.log.count("recording.folder") == 1
    health = heard.all("health")
    assert health[-1]["camera"] == "ok"
    assert health[-1]["recording_dropped"] >= 5


def test_nothing_is_recorded_unless_enabled_and_photographs_never_are(mosquitto: Start, tmp_path: Path) -> None:
    port, folder = mosquitto().port, tmp_path / "recordings"
    save_pictures(tmp_path / "pictures", 3)
    off = settings(folder) | {"recording.enabled": False}
    with ear(port) as heard, sensor(tmp_path, port, off):
        heard.topics("keypoints", 5)
        assert json.loads(heard.topic("health").payload)["recording_dropped"] is None
    photographs = settings(folder) | {"camera.source": f"images:{tmp_path}/pictures"}
    with ear(port) as heard, sensor(tmp_path, port, photographs) as daemon:
        heard.topics("keypoints", 3)
        until(lambda: daemon.process.poll() is not None)
    assert not folder.exists()
    assert not any(message.topic.endswith("/state") and not message.retain for message in heard.heard)
