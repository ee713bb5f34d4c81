"""Every address of the page, as a well-behaved client uses it."""

from typing import Any

import pytest
from msgspec.structs import replace

from edge.config import Camera, Config, Privacy, Zone
from edge.config.schema import SLOWEST_FPS
from edge.service.info import Facts, assemble
from edge.web import handler
from edge.web.application import HANDLERS
from edge.web.pages import LOGOUT, STATIC
from tests.support.waiting import until
from tests.web.opened import Page, opened
from tests.web.sensors import HEALTH, TOPICS, FakeSensor

ZONE = {"name": "bed", "points": [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]], "kind": "bed", "loitering_s": 0}
LINE = {"name": "door", "from": [0.2, 0.9], "to": [0.2, 0.4]}
PICTURES = Config(privacy=Privacy(allow_pictures=True))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
METHODS = {
    "/": "GET, HEAD, OPTIONS",
    "/login": "GET, HEAD, POST, OPTIONS",
    "/logout": "POST, OPTIONS",
    "/static/page.css": "GET, HEAD, OPTIONS",
    "/live": "GET, OPTIONS",
    "/settings/fall": "POST, OPTIONS",
    "/requests/clear_fall": "POST, OPTIONS",
    "/places": "PUT, DELETE, OPTIONS",
    "/pictures": "POST, DELETE, OPTIONS",
    "/picture.jpg": "GET, OPTIONS",
    "/healthz": "GET, HEAD, OPTIONS",
    "/metrics": "GET, HEAD, OPTIONS",
}


def test_the_page_and_its_files_are_served(page: Page) -> None:
    kinds = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml",
             "js": "text/javascript; charset=utf-8"}  # fmt: skip
    for file in STATIC.iterdir():
        answer = page.ask("GET", f"/static/{file.name}")
        assert answer.body == file.read_bytes()
        assert answer.headers["Content-Type"] == kinds[file.suffix[1:]]


def test_the_page_has_a_way_to_log_out_only_with_a_password(page: Page, locked: Page) -> None:
    whole = (STATIC / "index.html").read_bytes()
    locked.log_in()
    assert locked.ask("GET", "/").body == whole
    assert page.ask("GET", "/").body == whole.replace(LOGOUT, LOGOUT + b" hidden") != whole


def test_a_browser_that_has_a_file_does_not_get_it_again(page: Page) -> None:
    tag = page.ask("GET", "/static/page.css").headers["ETag"]
    again = page.ask("GET", "/static/page.css", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    assert page.ask("GET", "/static/base.css").headers["ETag"] != tag


@pytest.mark.parametrize("path", METHODS)
def test_every_address_says_which_methods_it_has(page: Page, path: str) -> None:
    options = page.ask("OPTIONS", path)
    assert (options.status, options.headers["Allow"]) == (204, METHODS[path])
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "WHATEVER"} - set(METHODS[path].split(", ")):
        refused = page.ask(method, path)
        assert (refused.status, refused.headers["Allow"]) == (405, METHODS[path])


def test_the_table_of_methods_is_complete() -> None:
    assert len(METHODS) == len(HANDLERS)


@pytest.mark.parametrize("path", ["/", "/static/page.css", "/login", "/healthz", "/metrics"])
def test_head_is_get_without_the_content(page: Page, path: str) -> None:
    head, get = page.ask("HEAD", path), page.ask("GET", path)
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["Content-Length"] == str(len(get.body))


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/nothing"), ("POST", "/nothing"), ("GET", "/static/page.css"), ("GET", "/healthz"),
     ("POST", "/settings/fall"), ("POST", "/settings/nothing"), ("TRACE", "/")],
)  # fmt: skip
def test_every_answer_has_the_strict_headers(page: Page, method: str, path: str) -> None:
    headers = page.ask(method, path).headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] in {"no-store", "no-cache"}
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers


def test_without_a_password_the_login_leads_to_the_page(page: Page) -> None:
    answer = page.ask("GET", "/login")
    assert (answer.status, answer.headers["Location"]) == (302, "/")


def test_a_setting_is_changed(page: Page) -> None:
    answer = page.ask("POST", "/settings/fall", {"value": "OFF"})
    assert (answer.status, answer.json) == (200, {"ok": True})
    assert not page.sensor.config.fall.enabled


@pytest.mark.parametrize(
    ("path", "content", "status", "key"),
    [
        ("/settings/min_confidence", {"value": "7"}, 400, "min_confidence"),
        ("/settings/fall", {"value": "maybe"}, 400, "fall"),
        ("/settings/fall", {"value": True}, 400, "fall"),
        ("/settings/fall", {}, 400, "fall"),
        ("/settings/fall", {"value": "ON", "retain": True}, 400, "retain"),
        ("/settings/fall", "ON", 400, ""),
        ("/settings/fall", "", 400, ""),
        ("/settings/fall", "[" * 60_000, 400, ""),
        ("/settings/fall", ["ON"], 400, ""),
        ("/settings/device.id", {"value": "x"}, 404, "device.id"),
        ("/requests/restart", None, 404, "restart"),
        ("/requests/people", None, 404, "people"),
    ],
)
def test_a_wrong_change_is_refused_with_the_reason(page: Page, path: str, content: Any, status: int, key: str) -> None:
    answer = page.ask("POST", path, content)
    assert (answer.status, answer.json["error"]["key"]) == (status, key)
    assert answer.json["error"].keys() == {"key", "problem", "remedy"}
    assert answer.json["error"]["problem"]
    assert page.sensor.config == page.sensor.file


def test_a_request_is_carried_out(page: Page) -> None:
    answer = page.ask("POST", "/requests/clear_fall")
    assert (answer.status, answer.json) == (200, {"ok": True, "data": {"cleared": 1}})
    assert page.sensor.requests == ["clear_fall"]


def test_zones_and_lines_are_replaced_and_reset(page: Page) -> None:
    answer = page.ask("PUT", "/places", {"zones": [ZONE], "lines": [LINE]})
    assert answer.status == 200
    assert answer.json["zones"] == [ZONE]
    assert answer.json["lines"] == [LINE]
    assert answer.json["changed"] is True
    (zone,) = page.sensor.config.zones
    assert zone == Zone(name="bed", points=((0.1, 0.5), (0.4, 0.5), (0.4, 0.9)), kind="bed")
    answer = page.ask("DELETE", "/places")
    assert (answer.status, answer.json["zones"], answer.json["changed"]) == (200, [], False)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"zones": [ZONE | {"points": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}, "zones.bed.points"),
        ({"zones": [ZONE | {"points": [[0, 0], [2, 0], [1, 1]]}]}, "zones.bed.points"),
        ({"zones": [ZONE | {"kind": "sofa"}]}, "zones.bed.kind"),
        ({"zones": [ZONE, ZONE]}, "zones[2].name"),
        ({"zones": [ZONE | {"colour": "red"}]}, "zones.bed.colour"),
        ({"zones": [{"points": ZONE["points"]}]}, "zones[1].name"),
        ({"zones": {}}, "zones"),
        ({"lines": [LINE | {"to": LINE["from"]}]}, "lines.door"),
        ({"zones": [], "mqtt": {"host": "elsewhere"}}, "mqtt"),
    ],
)
def test_places_are_checked_like_the_configuration(page: Page, content: Any, key: str) -> None:
    answer = page.ask("PUT", "/places", content)
    assert (answer.status, answer.json["error"]["key"]) == (400, key)
    assert page.sensor.config == page.sensor.file


def test_pictures_need_the_configuration(page: Page) -> None:
    answer = page.ask("POST", "/pictures")
    assert (answer.status, answer.json["error"]["key"]) == (403, "privacy.allow_pictures")
    assert page.ask("GET", "/picture.jpg?token=").status == 404


def test_pictures_need_a_camera_that_is_on() -> None:
    with opened(config=replace(PICTURES, camera=Camera(enabled=False))) as page:
        answer = page.ask("POST", "/pictures")
    assert (answer.status, answer.json["error"]["key"]) == (409, "camera.enabled")


def test_pictures_are_shown_from_the_press_to_the_end() -> None:
    with opened(config=PICTURES) as page:
        page.sensor.pictures = {7: b"jpeg 7"}
        answer = page.ask("POST", "/pictures")
        assert answer.json.keys() == {"token", "seconds"}
        token = answer.json["token"]
        assert page.ask("GET", "/picture.jpg?token=other").status == 404
        picture = page.ask("GET", f"/picture.jpg?token={token}")
        assert (picture.status, picture.body) == (200, b"jpeg 7")
        assert picture.headers["X-Sequence"] == "7"
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert picture.headers["Cache-Control"] == "no-store"
        assert page.ask("GET", f"/picture.jpg?token={token}&after=7").status == 204, "there is no newer one"
        page.sensor.pictures = {8: b"jpeg 8"}
        assert page.ask("GET", f"/picture.jpg?token={token}&after=7").body == b"jpeg 8"
        assert page.ask("DELETE", f"/pictures?token={token}").status == 200
        assert page.ask("GET", f"/picture.jpg?token={token}").status == 404


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"camera": "off"}, "the camera is switched off"),
        ({"camera": "stalled"}, "the camera delivers no frames"),
        ({"camera": "blind"}, "nothing can be seen in the frames"),
        ({"camera": "starting"}, "the camera has not delivered a frame yet"),
        ({"last_frame_age_s": 31.0}, "no frame for 30 s"),
        ({"last_frame_age_s": None}, "no frame for 30 s"),
    ],
    ids=["off", "stalled", "blind", "starting", "late", "none"],
)
def test_healthz_says_why_no_frames_go_through(change: dict[str, Any], problem: str) -> None:
    sensor = FakeSensor()
    sensor.reading = replace(HEALTH, **change)
    with opened(sensor=sensor) as page:
        answer = page.ask("GET", "/healthz")
    assert (answer.status, answer.text) == (503, f"{problem}\n")


def test_healthz_is_ok_between_two_frames_of_the_slowest_camera() -> None:
    sensor = FakeSensor()
    sensor.reading = replace(HEALTH, last_frame_age_s=1.5 / SLOWEST_FPS)
    with opened(sensor=sensor) as page:
        assert page.ask("GET", "/healthz").status == 200


def test_healthz_is_ok_while_frames_go_through(page: Page) -> None:
    answer = page.ask("GET", "/healthz")
    assert (answer.status, answer.text) == (200, "ok\n")
    page.sensor.connected = False
    answer = page.ask("GET", "/healthz")
    assert (answer.status, answer.text) == (503, "the broker is not connected\n")


def test_many_questions_about_the_health_disturb_the_sensor_once_per_second(page: Page) -> None:
    for _ in range(200):
        page.ask("GET", "/healthz")
    assert page.sensor.readings < 100


def test_metrics_know_what_the_sensor_is(page: Page) -> None:
    answer = page.ask("GET", "/metrics")
    assert (answer.status, answer.text) == (200, "fps 14.9\nversion \nconnected 1\n")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    info = assemble(Facts(Config()))
    page.sensor.feed.message(TOPICS.info_message(info))
    assert f"version {info.version}\n" in page.ask("GET", "/metrics").text


def test_a_sensor_that_does_not_answer_leaves_the_page_usable(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "PATIENCE_S", 0.05)
    monkeypatch.setattr("edge.web.readings.PATIENCE_S", 0.05)
    page.sensor.hangs = True
    answer = page.ask("POST", "/settings/fall", {"value": "OFF"})
    assert (answer.status, answer.json["error"]["problem"]) == (503, "the sensor does not answer")
    until(lambda: page.ask("GET", "/healthz").text == "the sensor does not answer\n")
    assert page.ask("GET", "/metrics").status == 503
    assert page.ask("GET", "/").status == 200


def test_an_unexpected_error_is_logged_and_not_shown(
    page: Page, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_name: str) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(page.sensor, "request", broken)
    answer = page.ask("POST", "/requests/clear_fall")
    assert answer.status == 500
    assert answer.json["error"]["problem"] == "internal server error"
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text


def test_addresses_that_do_not_exist_are_not_found(page: Page) -> None:
    for path in ("/nothing", "/static/", "/static/nothing.js", "/settings/", "/index.html", "/favicon.ico"):
        assert page.ask("GET", path).status == 404, path
