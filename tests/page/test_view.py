"""What the page shows of the room."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.skeleton import INDEX
from tests.page import contents
from tests.page.browser import DESKTOP, PHONE, Page
from tests.page.stand_in import StandIn
from tests.support.people import STANDING, person
from tests.support.waiting import until

Start = Callable[..., StandIn]
HOSTILE = '<img src="x" onerror="document.title=1">'


@pytest.fixture
def sensor(stand_in: Start, page: Page) -> StandIn:
    """A sensor whose page is open."""
    opened = stand_in()
    page.open(opened.url)
    page.await_text("#link", "Live")
    return opened


def drawn(page: Page, number: int) -> None:
    """Wait until the view shows this frame."""
    until(lambda: page.run("return document.getElementById('canvas').dataset.sequence") == str(number))


def colour(page: Page, x: float, y: float) -> list[int]:
    """The colour of the view at a pixel of the frame."""
    script = """
        const canvas = document.getElementById("canvas");
        const [x, y] = [(arguments[0] + 0.5) / 640 * canvas.width, (arguments[1] + 0.5) / 480 * canvas.height];
        return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];"""
    return [int(value) for value in page.run(script, x, y)[:3]]


def is_near(one: list[int], other: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(one, other, strict=True))


def test_the_left_side_is_blue_and_the_right_side_is_orange(sensor: StandIn, page: Page) -> None:
    drawn(page, sensor.show(person(7, at=(250, 30), scale=1.7)))
    for part, (x, y) in STANDING.items():
        wanted = {"L": (64, 196, 255), "R": (255, 145, 64), "N": (238, 242, 246)}[part[0]]
        assert is_near(colour(page, x * 1.7 + 250, y * 1.7 + 30), wanted), part
    assert len(INDEX) == len(STANDING)


def test_people_are_listed_with_posture_zones_and_confidence(sensor: StandIn, page: Page) -> None:
    sensor.show(person(3, confidence=0.83))
    state = contents.state((3, "lying"))
    state["persons"][0]["zones"] = ["bed"]
    sensor.say("state", state | {"zones": {"bed": {"occupied": True, "people": 1, "dwell_s": 65}}})
    page.await_text("#people li", "lying")
    page.await_text("#people li", "bed")
    page.await_text("#people li", "83 %")
    page.await_text("#places", "1 in it, 1 min")
    page.await_text("#people-spoken", "1 person in view: 1 lying")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_forty_people_fit(sensor: StandIn, page: Page, size: tuple[int, int]) -> None:
    page.look(size)
    people = contents.people(40)
    sensor.show_people(*people)
    until(lambda: len(page.all("#people li")) == 40)
    drawn(page, sensor.sequence)
    assert page.text("#people-count") == "40"
    assert page.run("return document.documentElement.scrollWidth") <= size[0]
    assert page.find("#people").size["height"] <= 345


def test_an_empty_room_is_known_to_be_empty(sensor: StandIn, page: Page) -> None:
    sensor.show_people()
    page.await_text("#people-none", "No person is in view")
    assert page.text("#people-count") == "0"


def test_what_is_unknown_is_never_zero(sensor: StandIn, page: Page) -> None:
    sensor.show_people(person(1))
    page.await_text("#people-count", "1")
    sensor.say("state", contents.unknown_state())
    unknown = {"soc_temperature_c": None, "latency_ms": {"inference": None, "total": None}}
    sensor.say("health", contents.health("stalled", **unknown))
    page.await_text("#cover", "The camera delivers no frames")
    page.await_text("#people-count", "unknown")
    page.await_text("#counted", "unknown")
    assert page.all("#people li") == []
    values = dict(zip(page.texts("#health dt"), page.texts("#health .value"), strict=True))
    assert values["Temperature"] == values["Inference"] == "unknown"


@pytest.mark.parametrize("camera", ["off", "starting", "stalled", "blind"])
def test_a_camera_that_shows_nothing_hides_the_skeletons(sensor: StandIn, page: Page, camera: str) -> None:
    drawn(page, sensor.show(person(1, at=(250, 100))))
    assert page.run(INK) > 300
    sensor.say("health", contents.health(camera))
    until(lambda: page.sees("#cover"))
    until(lambda: page.run(INK) == 0)
    sensor.say("health", contents.health())
    until(lambda: not page.sees("#cover"))


# Pixels of the colour of the left side.
INK = """
    const canvas = document.getElementById("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
        count += Math.abs(data[at] - 64) + Math.abs(data[at + 1] - 196) + Math.abs(data[at + 2] - 255) < 30;
    }
    return count;"""


def test_an_idle_sensor_which_analyses_few_frames_is_shown_as_live(sensor: StandIn, page: Page) -> None:
    on_the_bed = 128, 287.5
    sensor.say("health", contents.health(idle=True))
    drawn(page, sensor.show())
    page.run("""
        const now = performance.now.bind(performance);
        performance.now = () => now() + 4000;
        document.getElementById("canvas").getContext("2d").reset();""")
    until(lambda: colour(page, *on_the_bed) != [0, 0, 0])  # it is drawn again every second
    assert is_near(colour(page, *on_the_bed), (150, 190, 255))


def test_skeletons_turn_grey_when_no_new_ones_come(sensor: StandIn, page: Page) -> None:
    drawn(page, sensor.show(person(1, at=(250, 100))))
    assert page.run(INK) > 300
    until(lambda: page.run(INK) == 0)
    assert page.text("#link") == "Live"


def test_a_clock_that_is_wrong_is_named(sensor: StandIn, page: Page) -> None:
    wrong = datetime.now(UTC) - timedelta(hours=3, minutes=5, seconds=20)
    for _ in range(2):  # the first message after the connection may be old
        sensor.say("health", contents.health(time=contents.timestamp(start=wrong), uptime_s=1.0))
    since = contents.timestamp(-70, wrong)
    state = contents.state((1, "standing"), time=contents.timestamp(start=wrong))
    state["persons"][0]["since"] = since
    sensor.say("state", state)
    page.await_text("#health-note", "clock is 3 h 5 min behind")
    page.await_text("#people li", "for 1 min")  # by the sensor's clock


def test_events_are_listed_newest_first_with_their_reasons(sensor: StandIn, page: Page) -> None:
    for number in range(25):
        sensor.say("event", contents.event(number, "zone", "entered", number, zone="bed"))
    reasons = ["torso 78 degrees from upright", "down for 2.1 s"]
    sensor.say("event", contents.event(30, "fall", "confirmed", 3, reasons=reasons))
    page.await_text("#events li:first-child", "Fall confirmed: person 3")
    page.await_text("#events li:first-child", "torso 78 degrees from upright · down for 2.1 s")
    assert "Person 24 entered bed" in page.texts("#events li")[1]
    assert len(page.all("#events li")) == 20


def test_new_events_are_on_top_although_the_clock_of_the_sensor_was_set_back(sensor: StandIn, page: Page) -> None:
    for number in range(20):
        sensor.say("event", contents.event(number, "zone", "entered", number, time=contents.timestamp(7200 + number)))
    sensor.say("event", contents.event(99, "fall", "confirmed", 3, time=contents.timestamp(1)))
    page.await_text("#events li:first-child", "Fall confirmed: person 3")


def test_an_event_that_is_sent_again_is_listed_once(sensor: StandIn, page: Page) -> None:
    sensor.say("event", contents.event(1, "presence", "arrived"))
    page.await_text("#events", "A person arrived")
    page.open(sensor.url)
    page.await_text("#events", "A person arrived")
    sensor.say("event", contents.event(1, "presence", "arrived"))
    sensor.say("event", contents.event(2, "presence", "left"))
    page.await_text("#events", "Presence ended")
    assert len(page.all("#events li")) == 2


def test_a_fall_is_an_alarm_until_it_is_cleared(sensor: StandIn, page: Page) -> None:
    assert not page.sees("#fall")
    sensor.say("state", contents.state((4, "lying"), fall=True))
    until(lambda: page.sees("#fall"))
    assert "person 4" in page.text("#fall")
    page.press("#clear-fall")
    page.press("#ask-yes")
    until(lambda: sensor.sensor.requests == ["clear_fall"])
    sensor.say("state", contents.state((4, "standing")))
    until(lambda: not page.sees("#fall"))


def test_a_confirmed_fall_stays_an_alarm_while_the_sensor_sees_nothing(sensor: StandIn, page: Page) -> None:
    sensor.say("event", contents.event(1, "fall", "suspected"))
    sensor.say("event", contents.event(1, "fall", "confirmed", time=contents.timestamp(2)))
    sensor.say("state", contents.unknown_state())
    page.await_text("#fall", "not cleared")
    sensor.say("event", contents.event(1, "fall", "cleared", time=contents.timestamp(9)))
    until(lambda: not page.sees("#fall"))


def test_texts_of_the_sensor_are_never_html(sensor: StandIn, page: Page) -> None:
    health = contents.health(backend_reason=HOSTILE)
    state: dict[str, Any] = contents.state((1, HOSTILE), zones={HOSTILE: {"occupied": True, "people": 1, "dwell_s": 1}})
    state["persons"][0]["zones"] = [HOSTILE]
    sensor.say("info", contents.info(HOSTILE, version=HOSTILE, problem=HOSTILE))
    sensor.say("health", health)
    sensor.say("state", state)
    event = contents.event(1, "zone", HOSTILE, zone=HOSTILE, reasons=[HOSTILE])
    sensor.say("event", event)
    sensor.show(person(1))
    for selector in ("#device", "#cover", "#people", "#events", "#health-note"):
        page.await_text(selector, HOSTILE.partition(".")[0])  # a line may end after the dot
    assert page.run("return document.querySelectorAll('img').length") == 1  # the mark in the bar
    assert page.run("return document.title") == HOSTILE


@pytest.mark.parametrize("size", [DESKTOP, PHONE, (320, 568), (844, 390)], ids=str)
def test_nothing_scrolls_sideways(sensor: StandIn, page: Page, size: tuple[int, int]) -> None:
    page.look(size)
    sensor.show_people(*contents.people(3))
    sensor.say("event", contents.event(1, "fall", "confirmed", reasons=["a" * 300]))
    sensor.say("info", contents.info("A very long name of a room " * 5))
    page.await_text("#events", "Fall confirmed")
    width = "return document.documentElement.scrollWidth"
    assert page.run(width) <= size[0]
    page.press("#edit")
    page.press("#places li:first-child button")
    page.press("#place-form summary")
    assert page.run(width) <= size[0]


def test_the_view_stays_on_top_on_a_phone(sensor: StandIn, page: Page) -> None:
    page.look(PHONE)
    sensor.show_people(person(1))
    page.await_text("#people-count", "1")
    page.run("scrollTo(0, 900)")
    top = page.run("return document.getElementById('canvas').getBoundingClientRect().top")
    assert 0 <= top < 60
