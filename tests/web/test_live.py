"""The stream of server-sent events."""

import gc
import json
import socket
import tomllib
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import msgspec
import pytest
from msgspec.structs import replace

from edge.config import Camera, Config, Line, Privacy, Zone
from edge.config.settings import SETTINGS
from edge.mqtt.keypoints import keypoints_out
from edge.mqtt.messages import read_keypoints
from edge.pipeline.seams import Update
from edge.service.info import Facts, assemble
from edge.types import Message
from edge.web import hub, live
from edge.web.feed import EVENTS_KEPT
from edge.web.hub import MAX_VIEWERS
from tests.support.people import person
from tests.support.waiting import LONG_S, until
from tests.web.live import Stream, stream
from tests.web.opened import Page, opened
from tests.web.sensors import HEALTH, TOPICS, FakeSensor
from tests.web.updates import make_update

ZONE = Zone(name="bed", points=((0.1, 0.5), (0.4, 0.5), (0.4, 0.9)), kind="bed")
LINE = Line(name="door", start=(0.2, 0.9), to=(0.2, 0.4))


@pytest.fixture(autouse=True)
def _every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send frames as fast as a test makes them."""
    monkeypatch.setattr(hub, "FRAME_S", 0.0)


@pytest.fixture
def viewer(page: Page) -> Iterator[Stream]:
    with stream(page) as one:
        yield one


def event(number: int) -> Message:
    return Message(TOPICS.event("fall"), b'{"id": %d}' % number)


def test_proxies_neither_store_nor_buffer_a_stream(viewer: Stream) -> None:
    assert viewer.status == 200
    assert viewer.headers["Content-Type"] == "text/event-stream"
    assert viewer.headers["Cache-Control"] == "no-store"
    assert viewer.headers["X-Accel-Buffering"] == "no"


def test_a_new_viewer_gets_the_newest_of_everything() -> None:
    sensor = FakeSensor(Config(zones=(ZONE,), lines=(LINE,)))
    info = TOPICS.info_message(assemble(Facts(sensor.config)))
    for message in (
        info,
        Message(TOPICS.state, b'{"seq": 1}'),
        Message(TOPICS.state, b'{"seq": 2}'),
        *map(event, range(30)),
    ):
        sensor.feed.message(message)
    with opened(sensor=sensor) as page, stream(page) as viewer:
        wanted = {"status", "info", "state", "health", "settings", "places", "aim", "history", "pictures", "event"}
        while wanted - {name for name, _ in viewer.seen} or ("event", {"id": 29}) not in viewer.seen:
            viewer.read()
    newest = dict(viewer.seen)
    assert newest["status"] == {"connected": True}
    assert newest["info"] == json.loads(info.payload)
    assert newest["state"] == {"seq": 2}
    assert newest["health"] == msgspec.to_builtins(HEALTH)
    assert newest["settings"]["values"].keys() == SETTINGS.keys()
    assert newest["settings"]["values"]["min_confidence"] == "0.3"
    assert newest["settings"]["limits"]["min_confidence"] == [0, 1]
    assert newest["places"]["zones"] == [json.loads(msgspec.json.encode(ZONE))]
    assert newest["places"]["lines"] == [{"name": "door", "from": [0.2, 0.9], "to": [0.2, 0.4]}]
    assert newest["places"]["changed"] is False
    assert tomllib.loads(newest["places"]["toml"])["lines"] == newest["places"]["lines"]
    assert newest["history"]["fps"] == [14.9]
    assert newest["pictures"] == {"allowed": False, "watched": False}
    events = [data["id"] for name, data in viewer.seen if name == "event"]
    assert events == list(range(30 - EVENTS_KEPT, 30))
    names = [name for name, _ in viewer.seen if name not in {"event", "aim", "health", "history"}]
    assert len(names) == len(set(names)), "nothing comes twice"


def test_keypoints_are_those_of_mqtt(page: Page, viewer: Stream) -> None:
    viewer.next("status")
    update = make_update(7, person(3), person(None, at=(200, 0)))
    page.sensor.feed.publish(update)
    data = viewer.next("keypoints")
    shown = read_keypoints(json.dumps(data).encode())
    assert replace(shown, latency_ms=None) == replace(keypoints_out(update, 0.0), latency_ms=None)


def test_what_happens_reaches_all_viewers(page: Page, viewer: Stream) -> None:
    with stream(page) as second:
        for one in (viewer, second):
            one.next("status", connected=True)
        page.sensor.feed.message(event(1))
        page.sensor.feed.message(Message(TOPICS.state, b'{"seq": 9}'))
        page.ask("POST", "/settings/fall", {"value": "OFF"})
        page.ask("PUT", "/places", {"zones": [{"name": "desk", "points": [[0, 0], [1, 0], [1, 1]]}]})
        for one in (viewer, second):
            assert one.next("event") == {"id": 1}
        page.sensor.connected = False
        for one in (viewer, second):
            one.next("status", connected=False)
            newest = dict(one.seen)
            assert newest["state"] == {"seq": 9}
            assert newest["settings"]["values"]["fall"] == "OFF"
            assert [zone["name"] for zone in newest["places"]["zones"]] == ["desk"]
            assert newest["places"]["changed"] is True


def test_viewers_see_that_pictures_are_watched() -> None:
    with opened(config=Config(privacy=Privacy(allow_pictures=True))) as page, stream(page) as viewer:
        assert viewer.next("pictures") == {"allowed": True, "watched": False}
        token = page.ask("POST", "/pictures").json["token"]
        assert viewer.next("pictures") == {"allowed": True, "watched": True}
        page.ask("DELETE", f"/pictures?token={token}")
        assert viewer.next("pictures") == {"allowed": True, "watched": False}


def test_verdicts_on_the_aim_follow_the_frames(page: Page, viewer: Stream) -> None:
    aim = viewer.next("aim")
    assert aim["watched_s"] == 0
    assert {"code", "level", "text", "remedy"} == aim["verdicts"][0].keys()
    page.sensor.reading = replace(HEALTH, camera="off")
    while viewer.next("aim")["verdicts"][0]["code"] != "off":
        pass


def test_old_frames_are_not_shown_to_a_new_viewer(page: Page) -> None:
    page.sensor.feed.publish(make_update(1))
    with stream(page) as viewer:
        viewer.next("status")
        page.sensor.feed.publish(make_update(2))
        assert viewer.next("keypoints")["seq"] == 2


def test_frames_are_limited_and_the_newest_one_is_shown(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "FRAME_S", 1.0)
    with stream(page) as viewer:
        viewer.next("status")
        for number in range(1, 200):
            page.sensor.feed.publish(make_update(number))
        viewer.next("keypoints", seq=199)
    assert len([name for name, _ in viewer.seen if name == "keypoints"]) < 20


def test_a_comment_keeps_a_quiet_stream_open(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENCE_S", 0.02)
    with stream(page) as viewer:
        until(lambda: viewer.read() and viewer.comments > 3)


def test_the_page_is_woken_only_while_it_is_watched(page: Page) -> None:
    feed = page.sensor.feed
    assert feed.viewers == 0
    with stream(page) as viewer:
        viewer.next("status")
        assert feed.viewers == 1
    until(lambda: feed.viewers == 0)
    with stream(page) as viewer:
        viewer.next("status")
        feed.message(event(5))
        assert viewer.next("event") == {"id": 5}


def test_another_website_cannot_take_the_place_of_a_viewer(page: Page) -> None:
    assert page.ask("GET", "/live", Sec_Fetch_Site="cross-site").status == 403


def test_too_many_viewers_are_refused_with_the_reason(page: Page) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_VIEWERS):
            assert stack.enter_context(stream(page)).status == 200
        answer = page.ask("GET", "/live")
        assert (answer.status, answer.text.count("\n")) == (503, 1)
        assert answer.headers["Connection"] == "close"
    until(lambda: page.ask("GET", "/healthz").status == 200 and page.sensor.feed.viewers == 0)
    with stream(page) as again:
        assert again.status == 200


def test_two_hundred_streams_leave_the_first_ones_open(page: Page) -> None:
    with ExitStack() as stack:
        viewers = [stack.enter_context(stream(page)) for _ in range(MAX_VIEWERS)]
        for one in viewers:
            one.next("status")
        for _ in range(200):
            client = stack.enter_context(page.socket())
            client.sendall(f"GET /live HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        assert page.ask("GET", "/").status == 200
        page.sensor.feed.message(event(1))
        for one in viewers:
            assert one.next("event") == {"id": 1}


def crowd(number: int, people: int = 10) -> Update:
    """Ten people are 15 kB as a message."""
    return make_update(number, *(person(k, at=(10 * k, 0)) for k in range(people)))


def slow(page: Page, stack: ExitStack) -> socket.socket:
    """A viewer that reads nothing."""
    client = stack.enter_context(socket.socket())
    client.settimeout(LONG_S)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", page.port))
    client.sendall(f"GET /live HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
    return client


def test_a_viewer_that_reads_nothing_costs_less_than_1_mb(page: Page, viewer: Stream) -> None:
    """Another viewer reads everything, so each frame was also meant for the slow one: 2.4 MB in all."""
    with ExitStack() as stack:
        feed = page.sensor.feed
        slow(page, stack)
        until(lambda: feed.viewers == 2)
        feed.publish(crowd(0, 40))
        viewer.next("keypoints", seq=0)
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            sent = 0
            for number in range(1, 41):
                feed.publish(crowd(number, 40))
                feed.message(event(number))
                sent += len(json.dumps(viewer.next("keypoints", seq=number)))
                viewer.seen.clear()
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert sent > 2_000_000
    assert grown < 1_000_000


def test_a_slow_viewer_gets_the_newest_when_it_reads_again(page: Page, viewer: Stream) -> None:
    with ExitStack() as stack:
        client = slow(page, stack)
        until(lambda: page.sensor.feed.viewers == 2)
        for number in range(200):
            page.sensor.feed.publish(crowd(number))
            viewer.next("keypoints", seq=number)
        late = Stream(client)
        late.next("keypoints", seq=199)
        late._file.close()
    assert len([name for name, _ in late.seen if name == "keypoints"]) < 100


def test_a_viewer_that_reads_nothing_for_long_is_dropped(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STUCK_S", 0.1)
    with stream(page) as viewer, ExitStack() as stack:
        feed = page.sensor.feed
        client = slow(page, stack)
        until(lambda: feed.viewers == 2)
        number = 0
        while feed.viewers == 2:
            number += 1
            feed.publish(crowd(number))
            viewer.next("keypoints", seq=number)
        with suppress(ConnectionError):
            while client.recv(65536):  # what the kernel still has
                pass
        feed.publish(crowd(number + 1))
        viewer.next("keypoints", seq=number + 1)


def test_a_stream_with_tls_is_the_same(remote: Page) -> None:
    remote.log_in()
    with stream(remote) as viewer:
        viewer.next("status")
        remote.sensor.feed.publish(crowd(1))
        assert len(viewer.next("keypoints")["poses"]) == 10


def test_the_camera_of_a_sensor_that_is_off_is_shown_as_a_setting() -> None:
    with opened(config=Config(camera=Camera(enabled=False))) as page, stream(page) as viewer:
        assert viewer.next("settings")["values"]["enabled"] == "OFF"
