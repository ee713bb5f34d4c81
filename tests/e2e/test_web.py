"""The page of a running sensor: what is drawn and set there is in force, also after a crash and without a broker."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EXIT_CONFIG
from tests.support.brokers import LOOPBACK, Mosquitto, accepts_connections, free_port
from tests.support.browser import Browser
from tests.support.sensor import Ear, ear, run_edge, sensor
from tests.support.waiting import until

pytestmark = pytest.mark.broker
Start = Callable[..., Mosquitto]

ALL = [[0, 0], [1, 0], [1, 1], [0, 1]]
HALL = {"name": "hall", "points": ALL}
DOOR = {"name": "door", "from": [0.5, 1], "to": [0.5, 0]}
DISCOVERY = "homeassistant/device/test/config"


def settings(page: int, **more: object) -> dict[str, object]:
    return {
        "camera.source": "synthetic:walk", "model.input_size": [257, 353], "mqtt.heartbeat_s": 1, "web.enabled": True,
        "web.port": page, **more,
    }  # fmt: skip


@pytest.fixture
def browser() -> Browser:
    return Browser(free_port())


def info_with(heard: Ear, *, changed: bool) -> Any:
    """The next `info` that says whether zones and lines were changed."""
    heard.listen(
        lambda message: message.topic.endswith("/info") and json.loads(message.payload)["places_changed"] is changed
    )
    return heard.all("info")[-1]


def zones_of(heard: Ear) -> set[str]:
    """The zones in the next state that is known."""
    heard.listen(lambda message: message.topic.endswith("/state") and b'"zones":{' in message.payload)
    return set(heard.all("state")[-1]["zones"])


def test_drawn_places_are_in_force_and_outlast_a_kill_until_the_file_changes(
    mosquitto: Start, browser: Browser, tmp_path: Path
) -> None:
    port = mosquitto().port
    with ear(port) as heard:
        with sensor(tmp_path, port, settings(browser.port)) as daemon, browser.wait().live() as stream:
            heard.topics("keypoints", 3)
            assert stream.wait("places") == {"zones": [], "lines": [], "changed": False, "toml": ""}
            answer = browser.ask("PUT", "/places", {"zones": [HALL], "lines": [DOOR]})
            assert answer.status == 200, answer.json
            info_with(heard, changed=True)
            heard.listen(lambda message: message.topic.endswith("/event/zone"))
            heard.listen(lambda message: message.topic.endswith("/event/line"))
            assert heard.all("event/zone")[-1]["zone"] == "hall"
            assert heard.all("event/line")[-1]["zone"] == "door"
            assert stream.wait("places", lambda places: places["changed"]) == answer.json
            assert "[[zones]]" in answer.json["toml"]
            refused = browser.ask("PUT", "/places", {"zones": [HALL, HALL], "lines": []})
            assert (refused.status, refused.json["error"]["key"]) == (400, "zones[2].name")
            assert browser.ask("PUT", "/places", {"zones": [HALL], "lines": []}).status == 200
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait()
        with sensor(tmp_path, port, settings(browser.port)) as daemon:
            assert info_with(heard, changed=True)["overrides"] == {}
            heard.listen(lambda message: message.topic.endswith("/event/zone") and b'"entered"' in message.payload)
            with browser.wait().live() as stream:
                assert stream.wait("places")["lines"] == []
            assert browser.ask("DELETE", "/places").json["zones"] == []
            info_with(heard, changed=False)
            assert heard.all("event/zone")[-1]["reasons"] == ["zone removed"]
            assert browser.ask("PUT", "/places", {"zones": [HALL], "lines": []}).status == 200
            info_with(heard, changed=True)
            daemon.assert_stops()
        desk = '[{name = "desk", points = [[0, 0], [1, 0], [1, 1]]}]'
        with sensor(tmp_path, port, settings(browser.port, zones=desk)) as daemon:
            info_with(heard, changed=False)
            assert zones_of(heard) == {"desk"}
            daemon.assert_stops()


def test_zones_that_come_and_go_are_announced_to_home_assistant(
    mosquitto: Start, browser: Browser, tmp_path: Path
) -> None:
    port = mosquitto().port
    with (
        ear(port, "homeassistant/#") as heard,
        sensor(tmp_path, port, settings(browser.port, **{"privacy.allow_pictures": True})) as daemon,
    ):

        def entities(wanted: Callable[[dict[str, Any]], bool]) -> None:
            heard.listen(
                lambda message: message.topic == DISCOVERY and wanted(json.loads(message.payload)["components"])
            )

        entities(lambda found: "pictures" in found and "zone_hall_occupancy" not in found)
        browser.wait().ask("PUT", "/places", {"zones": [HALL], "lines": []})
        entities(lambda found: len(found.get("zone_hall_occupancy", ())) > 1)
        browser.ask("DELETE", "/places")
        entities(lambda found: list(found.get("zone_hall_occupancy", ())) == ["platform"])
        daemon.assert_stops()


def test_settings_go_both_ways(mosquitto: Start, browser: Browser, tmp_path: Path) -> None:
    port = mosquitto().port
    with (
        ear(port) as heard,
        sensor(tmp_path, port, settings(browser.port)) as daemon,
        browser.wait().live() as stream,
    ):
        assert stream.wait("settings")["values"]["fall"] == "ON"
        assert stream.wait("settings")["limits"]["fall_confirm_s"] == [0.5, 10]
        heard.topic("setting/fall", b"ON")
        heard.topic("keypoints")
        heard.say("edge-pose/test/set/fall", "OFF")
        stream.wait("settings", lambda settings: settings["values"]["fall"] == "OFF")
        assert browser.ask("POST", "/settings/fall_confirm_s", {"value": "7"}).status == 200
        heard.topic("setting/fall_confirm_s", b"7")
        refused = browser.ask("POST", "/settings/fall_confirm_s", {"value": "70"})
        assert (refused.status, refused.json["error"]["key"]) == (400, "fall_confirm_s")
        assert browser.ask("POST", "/requests/clear_fall").status == 400  # the rule is off
        assert browser.ask("POST", "/requests/reset_settings").status == 200
        heard.topic("setting/fall", b"ON")
        assert browser.ask("POST", "/requests/clear_fall").json == {"ok": True, "data": {"falls": 0}}
        daemon.assert_stops()


def test_viewers_see_nothing_of_people_after_the_privacy_switch(
    mosquitto: Start, browser: Browser, tmp_path: Path
) -> None:
    port = mosquitto().port
    with (
        ear(port) as heard,
        sensor(tmp_path, port, settings(browser.port, **{"privacy.allow_pictures": True})) as daemon,
        browser.wait().live() as stream,
    ):
        stream.wait("keypoints", lambda frame: frame["poses"])
        token = browser.ask("POST", "/pictures").json["token"]
        stream.wait("pictures", lambda pictures: pictures["watched"])
        assert browser.ask("GET", f"/picture.jpg?token={token}").body.startswith(b"\xff\xd8")
        assert browser.ask("POST", "/settings/enabled", {"value": "OFF"}).status == 200
        stream.wait("health", lambda health: health["camera"] == "off")
        stream.wait_for_more("health", 2)
        off = next(at for at, (name, value) in enumerate(stream.came)
                   if name == "settings" and value["values"]["enabled"] == "OFF")  # fmt: skip
        assert [name for name, _ in stream.came[off:] if name == "keypoints"] == []
        with browser.live() as late:
            late.wait("settings")
            late.wait_for_more("health")
            assert late.all("keypoints") == []
        stream.wait("pictures", lambda pictures: not pictures["watched"])
        assert browser.ask("GET", f"/picture.jpg?token={token}").status == 404
        assert browser.ask("POST", "/pictures").status == 409
        assert browser.ask("GET", "/healthz").status == 503
        watched = [health["pictures"] for health in heard_healths(heard)]
        assert True in watched
        assert watched[-1] is False
        assert browser.ask("POST", "/settings/enabled", {"value": "ON"}).status == 200
        stream.wait_for_more("keypoints")
        assert browser.ask("GET", f"/picture.jpg?token={token}").status == 404
        daemon.assert_stops()
    assert daemon.log.count("the page shows the camera's picture") == 1
    assert daemon.log.count("the page no longer shows the camera's picture") == 1


def heard_healths(heard: Ear) -> list[Any]:
    """The health messages up to the first one of a camera that is off."""
    heard.listen(lambda message: message.topic.endswith("/health") and b'"camera":"off"' in message.payload)
    return heard.all("health")


def test_the_page_goes_on_while_the_broker_is_away(mosquitto: Start, browser: Browser, tmp_path: Path) -> None:
    broker = mosquitto()
    broker.stop()
    with (
        sensor(tmp_path, broker.port, settings(browser.port)) as daemon,
        browser.wait().live() as stream,
    ):
        stream.wait("keypoints", lambda frame: frame["poses"])
        assert stream.wait("status") == {"connected": False}
        for name in ("info", "state", "health", "event"):
            stream.wait(name)
        assert browser.ask("PUT", "/places", {"zones": [HALL], "lines": []}).status == 200
        stream.wait("event", lambda event: event["rule"] == "zone")
        assert browser.ask("GET", "/healthz").status == 503
        broker.start()
        stream.wait("status", lambda status: status["connected"])
        until(lambda: browser.ask("GET", "/healthz").status == 200)
        assert not stream.ended
        daemon.assert_stops()
        until(lambda: stream.ended)


def test_a_reload_opens_the_page_on_the_same_port_again(mosquitto: Start, browser: Browser, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, settings(browser.port)) as daemon:
        for _ in range(2):
            heard.topic("keypoints")
            with browser.wait().live() as stream:
                stream.wait("keypoints")
                daemon.process.send_signal(signal.SIGHUP)
                until(lambda: stream.ended)
                heard.topic("status", b"online")
        heard.topic("keypoints")
        with browser.wait().live() as stream:
            stream.wait("keypoints")
            daemon.assert_stops()
    assert "cannot be opened" not in daemon.log
    assert not accepts_connections(browser.port)


def test_a_port_in_use_does_not_keep_the_sensor_from_working(
    mosquitto: Start, browser: Browser, tmp_path: Path
) -> None:
    port = mosquitto().port
    with (
        ear(port) as heard,
        socket.create_server((LOOPBACK, browser.port)) as other,
        sensor(tmp_path, port, settings(browser.port)) as daemon,
    ):
        heard.topics("keypoints", 5)
        daemon.wait_for_log("web.port")
        other.close()
        daemon.wait_for_log("the page listens")
        assert browser.ask("GET", "/healthz").status == 200
        daemon.assert_stops()
    assert daemon.log.count("web.port") == 1


def test_the_page_says_that_a_camera_does_not_start(mosquitto: Start, browser: Browser, tmp_path: Path) -> None:
    port = mosquitto().port
    with socket.create_server((LOOPBACK, 0)) as silent:
        source = {"camera.source": f"http://{LOOPBACK}:{silent.getsockname()[1]}/"}
        with sensor(tmp_path, port, settings(browser.port, **source)) as daemon:
            answer = browser.wait().ask("GET", "/healthz")
            assert (answer.status, answer.body) == (503, b"the camera has not delivered a frame yet\n")
            assert browser.ask("PUT", "/places", {"zones": [HALL], "lines": []}).status == 200
            with browser.live() as stream:
                assert stream.wait("health")["camera"] == "starting"
            daemon.stop()


def test_without_the_key_there_is_no_page(mosquitto: Start, browser: Browser, tmp_path: Path) -> None:
    port = mosquitto().port
    with ear(port) as heard, sensor(tmp_path, port, settings(browser.port) | {"web.enabled": False}) as daemon:
        heard.topics("keypoints", 3)
        assert not accepts_connections(browser.port)
        maps = Path(f"/proc/{daemon.process.pid}/maps").read_text(encoding="utf-8")
        assert "_asyncio" not in maps, "the libraries of the page take memory"
        daemon.assert_stops()


def test_other_machines_need_a_password(tmp_path: Path) -> None:
    config = tmp_path / "edge-pose.toml"
    config.write_text('mqtt.host = "127.0.0.1"\n[web]\nenabled = true\nhost = "0.0.0.0"\n', encoding="utf-8")
    ended = run_edge("run", "--config", str(config))
    assert ended.returncode == EXIT_CONFIG
    assert "web.host" in ended.stderr
