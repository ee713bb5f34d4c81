"""The page of a running sensor."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.skeleton import INDEX
from edge.types import Array
from tests.page.browser import DESKTOP, PHONE, Page
from tests.page.conftest import NETWORK
from tests.support.brokers import LOOPBACK, Mosquitto, accepts_connections, free_port
from tests.support.scenes import picture_of, scene
from tests.support.sensor import Sensor, ear, sensor
from tests.support.waiting import until

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]

LEFT, RIGHT = (64, 196, 255), (255, 145, 64)
REACH = 12  # px of the frame between a painted joint and its keypoint
LIMBS = [part for part in INDEX if part.endswith(("SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE"))]
CORNERS = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)]


def settings(port: int, **more: object) -> dict[str, object]:
    return {
        "camera.source": "synthetic:walk", "camera.fps": 6, "mqtt.heartbeat_s": 1, "web.enabled": True,
        "web.port": port, **more,
    }  # fmt: skip


@pytest.fixture
def port(page: Page) -> int:
    """Of the page. A test without a browser starts no sensor."""
    assert page
    return free_port()


def open_page(page: Page, port: int) -> None:
    until(lambda: accepts_connections(port))
    page.open(f"http://{LOOPBACK}:{port}/")
    page.await_text("#link", "Live")


def end(page: Page, daemon: Sensor) -> None:
    """Leave the page, and stop the sensor."""
    page.open("about:blank")
    daemon.assert_stops()


def view(page: Page) -> tuple[int, Array]:
    """The number of the frame that the view shows, and the view, uint8 (480, 640, 4)."""
    script = """
        const canvas = document.getElementById("canvas");
        return [canvas.dataset.sequence, canvas.toDataURL("image/png")];"""
    number, url = page.run(script)
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA")
    return int(number or -1), np.asarray(image.resize((640, 480), Image.Resampling.NEAREST))


def has_colour(image: Array, x: float, y: float, colour: tuple[int, int, int]) -> bool:
    """Whether there is a pixel of this colour near a position."""
    left, top = max(round(x) - REACH, 0), max(round(y) - REACH, 0)
    part = image[top : round(y) + REACH + 1, left : round(x) + REACH + 1, :3].astype(int)
    return bool((np.abs(part - colour).max(axis=-1) < 20).any())


@pytest.mark.parametrize("name", ["walk", "three"])
def test_the_skeleton_is_where_the_painted_person_is(
    mosquitto: Start, page: Page, port: int, tmp_path: Path, name: str
) -> None:
    painter = scene(name)
    hits: list[bool] = []
    with sensor(tmp_path, mosquitto().port, settings(port, **{"camera.source": f"synthetic:{name}"})) as daemon:
        open_page(page, port)
        until(lambda: len(page.all("#people li")) == len(painter.truth(0)))
        seen: set[int] = set()

        def look() -> bool:
            number, image = view(page)
            if number not in seen:
                seen.add(number)
                for truth in painter.truth(number):
                    for part in LIMBS:
                        if truth.visible[INDEX[part]]:
                            x, y = truth.xy[INDEX[part]]
                            hits.append(has_colour(image, x, y, LEFT if part.startswith("LEFT") else RIGHT))
            return len(seen) >= 12

        until(look)
        end(page, daemon)
    assert len(hits) > 100
    assert np.mean(hits) > 0.9


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["mouse", "finger"])
def test_a_zone_that_is_drawn_is_kept_and_works(
    mosquitto: Start, page: Page, port: int, tmp_path: Path, size: tuple[int, int]
) -> None:
    broker = mosquitto().port
    with ear(broker) as heard, sensor(tmp_path, broker, settings(port)) as daemon:
        page.look(size)
        open_page(page, port)
        page.await_text("#places-none", "None yet")
        page.press("#edit")
        for corner in (*CORNERS, CORNERS[0]):
            if size == PHONE:
                page.touch(corner)
            else:
                page.click(*corner)
        page.write("#place-name", "whole room")
        page.press("#save")
        heard.listen(lambda message: message.topic.endswith("/event/zone") and b'"entered"' in message.payload)
        assert heard.all("event/zone")[-1]["zone"] == "whole_room"
        (file,) = (tmp_path / "state").glob("test.places.json")
        (zone,) = json.loads(file.read_text(encoding="utf-8"))["drawn"]["zones"]
        assert np.allclose(zone["points"], CORNERS, atol=0.01)
        page.await_text("#events", "entered whole_room")
        page.await_text("#places", "1 in it")
        end(page, daemon)


def test_a_page_stays_open_while_the_sensor_restarts(
    mosquitto: Start, page: Page, port: int, tmp_path: Path, accepted: list[str]
) -> None:
    accepted += [NETWORK % ("5..", ".*"), NETWORK % ("", "")]
    broker = mosquitto().port
    with sensor(tmp_path, broker, settings(port)) as daemon:
        open_page(page, port)
        page.await_text("#people-count", "1")
        daemon.assert_stops()
    page.await_text("#link", "No data since")
    with sensor(tmp_path, broker, settings(port)) as daemon:
        page.await_text("#link", "Live")
        page.await_text("#people-count", "1")
        until(lambda: not page.sees("#cover"))
        end(page, daemon)


def test_the_picture_and_the_skeleton_are_of_the_same_frame(
    mosquitto: Start, page: Page, port: int, tmp_path: Path
) -> None:
    allowed = settings(port, **{"privacy.allow_pictures": True})
    with sensor(tmp_path, mosquitto().port, allowed) as daemon:
        open_page(page, port)
        page.await_text("#people-count", "1")
        page.press("#show-picture")
        until(lambda: view(page)[1][5, 5, 3] == 255)  # the view was transparent there
        number, image = view(page)
        until(lambda: view(page)[0] != number)
        number, image = view(page)
        assert difference(image, picture_of(scene("walk"), number)) < 6
        assert difference(image, picture_of(scene("walk"), number + 40)) > 6
        page.press("#show-picture")
        until(lambda: view(page)[1][5, 5, 3] == 0)
        end(page, daemon)


def difference(image: Array, other: Array) -> float:
    """Mean difference of the upper part of the view, without the bright noise of single pixels."""
    blurred = [
        np.asarray(Image.fromarray(one[:480, :, :3].astype(np.uint8)).resize((80, 60), Image.Resampling.BOX), float)
        for one in (image, other)
    ]
    return float(np.abs(blurred[0] - blurred[1]).mean())


def test_the_privacy_switch_works_and_the_aim_is_judged(
    mosquitto: Start, page: Page, port: int, tmp_path: Path
) -> None:
    broker = mosquitto().port
    with ear(broker) as heard, sensor(tmp_path, broker, settings(port)) as daemon:
        open_page(page, port)
        until(lambda: page.find("#verdict").get_attribute("data-level") in {"good", "hint", "bad"})
        page.press("#setting-enabled")
        heard.topic("setting/enabled", b"OFF")
        page.await_text("#cover", "The camera is off")
        page.await_text("#people-count", "unknown")
        page.press("#switch-on")
        heard.topic("setting/enabled", b"ON")
        page.await_text("#people-count", "1")
        end(page, daemon)
