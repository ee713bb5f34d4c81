"""What the main thread hands to the page: only the newest of everything, and it is woken only for viewers."""

import threading

import pytest

from edge.config import Zone
from edge.mqtt.topics import Topics
from edge.types import Message
from edge.web.feed import EVENTS_KEPT, Content, Feed
from edge.web.seams import Pictures, Places
from tests.web.updates import make_update

TOPICS = Topics("edge-pose", "hall")
ZONE = Zone(name="bed", points=((0, 0), (1, 0), (1, 1)))


@pytest.fixture
def feed() -> Feed:
    return Feed(TOPICS)


def contents(feed: Feed, name: str, after: int = 0) -> list[Content]:
    return [item.content for item in feed.after(after) if item.name == name]


def event(number: int) -> Message:
    return Message(TOPICS.event("fall"), b'{"id": "%d"}' % number)


def test_only_the_newest_of_each_retained_topic_is_kept(feed: Feed) -> None:
    for number in range(1000):
        feed.message(Message(TOPICS.state, b'{"seq": %d}' % number))
        feed.message(Message(TOPICS.health, b"{}"))
    assert contents(feed, "state") == [b'{"seq": 999}']
    assert len(feed.after(0)) == 3, "state, health, and whether pictures are allowed"


def test_the_last_events_are_kept_oldest_first(feed: Feed) -> None:
    for number in range(100):
        feed.message(event(number))
    assert contents(feed, "event") == [event(number).payload for number in range(100 - EVENTS_KEPT, 100)]


def test_settings_are_collected(feed: Feed) -> None:
    feed.message(Message(TOPICS.setting("fall"), b"ON"))
    feed.message(Message(TOPICS.setting("min_confidence"), b"0.3"))
    feed.message(Message(TOPICS.setting("fall"), b"OFF"))
    assert contents(feed, "settings") == [{"fall": "OFF", "min_confidence": "0.3"}]


def test_nothing_of_people_is_left_when_the_camera_is_switched_off(feed: Feed) -> None:
    for setting, value, kept in (("enabled", b"ON", True), ("fall", b"OFF", True), ("enabled", b"OFF", False)):
        feed.publish(make_update(1))
        feed.message(Message(TOPICS.setting(setting), value))
        assert (feed.newest is not None) is kept


@pytest.mark.parametrize("topic", [TOPICS.status, TOPICS.snapshot, TOPICS.response("ping"), "homeassistant/x"])
def test_other_topics_are_ignored(feed: Feed, topic: str) -> None:
    before = feed.after(0)
    feed.message(Message(topic, b"x"))
    assert feed.after(0) == before


def test_a_reader_gets_only_what_is_new(feed: Feed) -> None:
    feed.message(event(1))
    feed.use_places(Places((ZONE,)))
    last = feed.after(0)[-1].number
    assert feed.after(last) == []
    feed.message(event(2))
    feed.use_pictures(Pictures(allowed=True))
    assert [item.content for item in feed.after(last)] == [event(2).payload, Pictures(allowed=True)]


def test_the_page_is_woken_only_while_it_has_viewers(feed: Feed) -> None:
    woken: list[int] = []
    feed.attach(lambda: woken.append(1))
    feed.publish(make_update(1))
    feed.message(event(1))
    assert woken == []
    feed.viewers = 1
    feed.publish(make_update(2))
    feed.message(event(2))
    assert len(woken) == 2
    assert feed.newest is not None
    assert feed.newest.frame.sequence == 2
    feed.detach()
    feed.publish(make_update(3))
    assert len(woken) == 2


def test_a_page_that_has_ended_disturbs_nothing(feed: Feed) -> None:
    def closed() -> None:
        raise RuntimeError("Event loop is closed")

    feed.attach(closed)
    feed.viewers = 1
    feed.publish(make_update(1))
    feed.message(event(1))
    assert contents(feed, "event") == [event(1).payload]


def test_a_reader_in_another_thread_misses_and_repeats_nothing(feed: Feed) -> None:
    """Each event is read before the next one is written, so that none is pushed out."""
    read: list[Content] = []
    done = threading.Event()

    def reading() -> None:
        last = 0
        while len(read) < 2000:
            for item in feed.after(last):
                last = item.number
                if item.name == "event":
                    read.append(item.content)
        done.set()

    thread = threading.Thread(target=reading)
    thread.start()
    for number in range(2000):
        while number - len(read) >= EVENTS_KEPT:
            done.wait(0.0001)
        feed.message(event(number))
    thread.join()
    assert read == [event(number).payload for number in range(2000)]
