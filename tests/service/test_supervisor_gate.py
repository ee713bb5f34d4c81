"""What the supervisor makes of frames that no network sees."""

import pytest

from tests.service.test_supervisor import STALL_S, Running


def test_frames_that_no_network_sees_are_no_stall() -> None:
    running = Running()
    running.source.waiting = True
    running.frame(0)
    running.gate.idle = True
    running.pass_over(3 * STALL_S)
    running.supervisor.publish_health()
    health = running.listener.all("health")[-1]
    assert (health["camera"], health["idle"], health["last_frame_age_s"]) == ("ok", True, 0)
    assert (health["frames"]["processed"], health["frames"]["idle"]) == (1, 3 * STALL_S / 0.25)
    assert health["fps"] == pytest.approx(4, rel=0.1)
    running.wait(STALL_S + 1)
    health = running.listener.all("health")[-1]
    assert (health["camera"], health["idle"]) == ("stalled", False)


def test_frames_that_no_network_sees_feed_the_watchdog() -> None:
    running = Running()
    running.frame(0)
    before = running.listener.states.count("WATCHDOG=1")
    running.pass_over(10)
    assert running.listener.states.count("WATCHDOG=1") >= before + 9


def test_idle_mode_is_reported_when_it_begins_and_when_it_ends() -> None:
    running = Running()
    running.frame(0)
    running.gate.idle = True
    running.pass_over(3)
    running.gate.idle = False
    running.frame(1)
    running.wait(1)
    assert [health["idle"] for health in running.listener.all("health")] == [False, True, False]
    assert any("0 people, idle" in state for state in running.listener.states)


def test_a_blind_camera_is_reported_and_the_state_is_unknown_until_a_network_sees_a_frame() -> None:
    running = Running()
    running.source.waiting = True
    running.frame(0)
    running.wait(0.5)
    assert running.listener.all("state")[-1]["people"] == 0
    running.gate.blind = True
    running.pass_over(3)
    assert running.listener.all("health")[-1]["camera"] == "blind"
    assert running.listener.all("state")[-1]["people"] is None
    assert any("nothing can be seen" in state for state in running.listener.states)
    running.gate.blind = False
    running.pass_over(0.5)
    assert running.listener.all("health")[-1]["camera"] == "blind"
    assert running.listener.all("state")[-1]["people"] is None
    running.frame(1)
    running.wait(0.5)
    assert running.listener.all("health")[-1]["camera"] == "ok"
    assert running.listener.all("state")[-1]["people"] == 0
