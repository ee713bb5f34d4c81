"""No picture leaves the sensor, unless the configuration allows it and a person has asked for it.

The source shows a watermark. Everything that leaves the process is captured and searched for it.
"""

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support.brokers import Mosquitto, free_port
from tests.support.browser import Browser
from tests.support.sensor import Ear, ear, sensor
from tests.support.watermark import is_marked, watermark

Start = Callable[..., Mosquitto]
PAGES = [
    "/", "/login", "/healthz", "/metrics", "/picture.jpg", "/picture.jpg?token=", "/picture.jpg?token=x&after=0",
    "/pictures", "/static/", "/static/picture.jpg", "/static/..%2fpicture.jpg", "/snapshot.png", "/image", "/stream",
]  # fmt: skip


def as_file(image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", kind: str) -> bytes:
    file = BytesIO()
    Pillow.fromarray(image).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "leak",
    [
        lambda mark: mark.tobytes(),
        lambda mark: mark[100:200, 100:300].tobytes(),
        lambda mark: np.ascontiguousarray(mark[:, ::-1]).tobytes(),
        lambda mark: np.ascontiguousarray(mark[..., 1]).tobytes(),
        lambda mark: as_file(mark, "png"),
        lambda mark: as_file(mark[:, ::-1], "jpeg"),
        lambda mark: as_file(mark[::3, ::3], "jpeg"),
        lambda mark: b'{"picture": "' + base64.b64encode(as_file(mark, "jpeg")) + b'"}',
        lambda mark: b'{"picture": "' + base64.b64encode(mark.tobytes()) + b'"}',
        lambda mark: mark.tobytes().hex().encode(),
    ],
    ids=["raw", "part", "mirrored", "channel", "png", "jpeg", "reduced", "base64", "raw base64", "hex"],
)
def test_a_leak_would_be_found(leak: Callable[[object], bytes]) -> None:
    assert is_marked(b"before" + leak(watermark()) + b"after")


def test_another_picture_is_no_leak() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    assert not is_marked(noise.tobytes() + as_file(noise, "png") + as_file(noise, "jpeg"))


def png_source(folder: Path) -> str:
    (folder / "mark.png").write_bytes(as_file(watermark(), "png"))
    return f"images:{folder}"


def video_source(folder: Path) -> str:
    videos = pytest.importorskip("tests.support.videos")
    videos.encode(folder / "mark.mov", [watermark()] * 20)
    return f"video:{folder / 'mark.mov'}"


@pytest.mark.broker
@pytest.mark.parametrize("allowed", [False, True], ids=["forbidden", "allowed and asked for"])
@pytest.mark.parametrize("source", [png_source, video_source], ids=["png", "video"])
def test_no_picture_leaves_the_sensor_unless_it_is_allowed_and_asked_for(
    mosquitto: Start, tmp_path: Path, source: Callable[[Path], str], allowed: bool
) -> None:
    port, browser = mosquitto().port, Browser(free_port())
    pictures, rest = tmp_path / "pictures", tmp_path / "rest"
    for folder in (pictures, rest, rest / "tmp"):
        folder.mkdir()
    settings = {
        "camera.source": source(pictures), "camera.loop": True, "camera.fps": 5, "model.input_size": [257, 353],
        "web.enabled": True, "web.port": browser.port, "mqtt.snapshot_s": 0.5, "mqtt.heartbeat_s": 1,
        "recording.enabled": True, "recording.folder": rest / "recordings", "privacy.allow_pictures": allowed,
    }  # fmt: skip
    environ = {name: str(rest / "tmp") for name in ("TMPDIR", "HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    with ear(port, "#") as heard, sensor(rest, port, settings, environ) as daemon:
        answers = use_everything(heard, browser, asks=allowed)
        daemon.assert_stops()
        heard.topic("status", b"offline")
    sent = [message.payload for message in heard.heard]
    files = {path: path.read_bytes() for path in rest.rglob("*") if path.is_file()}
    kept = {path.suffix for path in files}
    assert kept == {".log", ".json"} | ({".jsonl"} if source is video_source else set())
    assert not any(map(is_marked, [*sent, *files.values()]))
    assert any(map(is_marked, answers)) is allowed


def use_everything(heard: Ear, browser: Browser, *, asks: bool) -> list[bytes]:
    """Ask the sensor for all that it has; returns what came over HTTP."""
    zone = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    heard.topics("keypoints", 3)
    heard.say("edge-pose/test/request/people")
    heard.say("edge-pose/test/request/snapshot")
    heard.topic("test/snapshot")
    heard.topic("response/snapshot")
    with browser.wait().live() as stream:
        answers = [browser.ask("GET", path).body for path in PAGES]
        answers.append(browser.ask("POST", "/settings/fall", {"value": "OFF"}).body)
        answers.append(browser.ask("POST", "/requests/reset_settings").body)
        answers.append(browser.ask("PUT", "/places", {"zones": [zone], "lines": []}).body)
        asked = browser.ask("POST", "/pictures")
        answers.append(asked.body)
        assert asked.status == (200 if asks else 403)
        token = asked.json.get("token", "x")
        stream.wait_for_more("keypoints", 3)
        shown = browser.ask("GET", f"/picture.jpg?token={token}")
        assert shown.status == (200 if asks else 404)
        answers.append(shown.body)
        answers.append(browser.ask("DELETE", f"/pictures?token={token}").body)
        ended = browser.ask("GET", f"/picture.jpg?token={token}")
        assert ended.status == 404
        stream.wait_for_more("keypoints", 3)
        stream.wait_for_more("health")
        assert not is_marked(stream.raw + ended.body)
    return answers
