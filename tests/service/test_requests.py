"""Requests about what the sensor sees."""

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from edge.errors import RequestError
from edge.rules.rules import Outcome
from edge.rules.values import PersonState, State
from edge.service.requests import UNKNOWN, Requests
from edge.service.settings import Overrides, Settings
from edge.service.snapshots import View
from tests.support.fakes import blank_frame
from tests.support.models import fast_config
from tests.support.people import observation, person
from tests.support.pipelines import empty_update

STATE = State(people=1, persons=(PersonState(1, "standing", (), 0.0),))


class Office:
    """Requests of a sensor whose camera is in a condition that is set by hand."""

    def __init__(self, *, continuous: bool = True, rotation: int = 0, fall: bool = True) -> None:
        self.sensor = SimpleNamespace(camera="ok", clear_falls=self._clear_falls)
        self.views: list[View] = []
        self.reasons: list[str] = []
        self.restart = threading.Event()
        supervisor: Any = self.sensor
        snapshots: Any = SimpleNamespace(request=self.views.append, tick=self.views.append)
        camera = {"width": 640, "height": 480, "rotation": rotation}
        config = fast_config(camera=camera, fall={"enabled": fall})
        self.requests = Requests(
            supervisor, snapshots, Settings(config, Overrides(None)), continuous=continuous, restart=self.restart
        )

    def _clear_falls(self, reason: str) -> int:
        self.reasons.append(reason)
        return 2

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


@pytest.mark.parametrize("request_", ["people", "clear_fall"])
def test_unrelated_pictures_have_no_state(request_: str) -> None:
    office = Office(continuous=False)
    office.frame(1)
    with pytest.raises(RequestError) as refused:
        office.requests.handlers[request_]()
    assert refused.value.key == request_


def test_the_answer_says_how_many_falls_were_cleared() -> None:
    office = Office()
    assert office.requests.clear_fall().falls == 2
    assert office.reasons == ["cleared by request"]


def test_falls_cannot_be_cleared_while_the_rule_is_off() -> None:
    office = Office(fall=False)
    with pytest.raises(RequestError):
        office.requests.clear_fall()
    assert office.reasons == []


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
