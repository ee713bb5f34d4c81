"""What the supervisor does for the page: it says that pictures are watched, and goes on without a broker."""

from itertools import groupby

import pytest

from edge.pipeline.shutter import PERIOD_S, WATCHED_S, Shutter
from edge.types import Message
from tests.service.test_supervisor import Running
from tests.support.fakes import blank_frame


class Watched(Running):
    """A running sensor with a shutter."""

    def __init__(self) -> None:
        super().__init__()
        self.shutter = Shutter(lambda _: b"jpeg", mirror=False, on=True, monotonic=self.clock)
        self.supervisor._shutter = self.shutter

    @property
    def reported(self) -> list[bool]:
        return [health["pictures"] for health in self.listener.all("health")]

    def is_shown(self, token: str) -> bool:
        """Whether the page gets the next frame."""
        self.clock.now_s += PERIOD_S
        self.shutter.see(blank_frame(round(self.clock.now_s)))
        return self.shutter.picture(token, -1) is not None


@pytest.fixture
def sensor() -> Watched:
    sensor = Watched()
    sensor.frame(0)
    return sensor


def test_pictures_are_shown_only_after_health_has_said_so(sensor: Watched) -> None:
    token = sensor.shutter.open()
    assert not sensor.is_shown(token)
    assert sensor.reported == [False]
    sensor.supervisor.tick()
    assert sensor.reported == [False, True]
    assert sensor.is_shown(token)


@pytest.mark.parametrize("frames", [False, True], ids=["silent", "frames"])
def test_health_says_at_once_that_pictures_are_over(sensor: Watched, *, frames: bool) -> None:
    sensor.shutter.open()
    began_s = sensor.clock.now_s
    sensor.supervisor.tick()
    while sensor.clock.now_s < began_s + WATCHED_S + 0.25:
        sensor.clock.now_s += 0.25
        if frames:
            sensor.frame(round(sensor.clock.now_s * 4))
        sensor.supervisor.tick()
        assert sensor.reported[-1] is (sensor.clock.now_s < began_s + WATCHED_S)
    assert [watched for watched, _ in groupby(sensor.reported)] == [False, True, False]


def test_pictures_that_were_closed_at_once_were_never_shown(sensor: Watched) -> None:
    token = sensor.shutter.open()
    sensor.shutter.close(token)
    sensor.supervisor.tick()
    assert sensor.reported == [False]


def test_the_health_that_the_page_asks_for_does_not_start_pictures(sensor: Watched) -> None:
    token = sensor.shutter.open()
    assert sensor.supervisor.health().pictures
    assert not sensor.is_shown(token)
    assert sensor.reported == [False]


def test_health_is_made_without_a_broker_only_for_the_page() -> None:
    for tap, reported in ((None, [False]), (list[Message]().append, [False, True])):
        running = Running()
        running.frame(0)
        running.listener.tap = tap
        running.listener.connection.connected = False
        running.gate.idle = True
        running.pass_over(1)
        assert [health["idle"] for health in running.listener.all("health")] == reported
