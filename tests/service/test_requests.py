"""Requests about what the sensor sees."""

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from edge.config import Camera
from edge.errors import RequestError
from edge.rules.rules import Outcome
from edge.rules.values import PersonState, State
from edge.service.requests import UNKNOWN, Requests
from edge.service.snapshots import View
from tests.support.fakes import blank_frame
from tests.support.people import observation, person
from tests.support.pipelines import empty_update

STATE = State(people=1, persons=(PersonState(1, "standing", (), 0.0),))


class Office:
    """Requests of a sensor whose camera is in a condition that is set by hand."""

    def __init__(self, *, continuous: bool = True, rotation: Any = 0) -> None:
        self.sensor = SimpleNamespace(camera="ok")
        self.views: list[View] = []
        self.restart = threading.Event()
        supervisor: Any = self.sensor
        snapshots: Any = SimpleNamespace(request=self.views.append, tick=self.views.append)
        camera = Camera(width=640, height=480, rotation=rotation)
        self.requests = Requests(supervisor, snapshots, camera, continuous=continuous, restart=self.restart)

    def frame(self, sequence: int) -> None:
        update = empty_update(blank_frame(sequence, size=(240, 320)), 0.0, 0.0)
        seen = observation(sequence, person(1), size=(320, 240))
        self.requests.publish(replace(update, seen=seen, outcome=Outcome((), STATE)))


def test_people_are_those_of_the_newest_frame() -> None:
    office = Office()
    office.frame(1)
    office.frame(2)
    answer = office.requests.people()
    assert (answer.seq, [(one.id, one.posture) for one in answer.persons]) == (2, [(1, "standing")])


@pytest.mark.parametrize("camera", UNKNOWN)
def test_people_are_refused_while_the_state_is_unknown(camera: str) -> None:
    office = Office()
    office.frame(1)
    office.sensor.camera = camera
    with pytest.raises(RequestError) as refused:
        office.requests.people()
    assert refused.value.key == "people"
    office.sensor.camera = "ok"
    assert office.requests.people().seq == 1


def test_people_in_unrelated_pictures_have_no_state() -> None:
    office = Office(continuous=False)
    office.frame(1)
    with pytest.raises(RequestError):
        office.requests.people()


def test_a_snapshot_shows_people_only_while_the_state_is_known() -> None:
    office = Office()
    office.frame(1)
    office.requests.snapshot()
    office.sensor.camera = "stalled"
    office.requests.snapshot()
    office.requests.tick()
    known, unknown, due = office.views
    assert known.camera == "ok"
    assert known.seen
    assert known.seen.people
    assert unknown == due == View("stalled", (320, 240), None)


@pytest.mark.parametrize(("rotation", "frame"), [(0, (640, 480)), (90, (480, 640))])
def test_before_the_first_frame_a_snapshot_has_the_configured_size(rotation: int, frame: tuple[int, int]) -> None:
    office = Office(rotation=rotation)
    office.sensor.camera = "starting"
    office.requests.snapshot()
    assert office.views == [View("starting", frame, None)]


def test_a_restart_is_asked_for_and_has_no_data() -> None:
    office = Office()
    assert not office.restart.is_set()
    assert office.requests.handlers["restart"]() is None
    assert office.restart.is_set()
