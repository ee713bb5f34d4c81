from edge.system.clock import LONGEST_GAP_S, RunningClock


def test_the_clock_counts_the_time_between_two_calls() -> None:
    times_s = iter([100.0, 100.25, 100.75])
    clock = RunningClock(lambda: next(times_s))
    assert clock.now_s() == 0.25
    assert clock.now_s() == 0.75


def test_a_suspension_counts_as_the_longest_gap() -> None:
    times_s = iter([100.0, 100.5, 108.5, 108.75])
    clock = RunningClock(lambda: next(times_s))
    assert clock.now_s() == 0.5
    assert clock.now_s() == 0.5 + LONGEST_GAP_S
    assert clock.now_s() == 0.75 + LONGEST_GAP_S


def test_a_suspension_counts_as_the_gap_that_the_caller_chose() -> None:
    times_s = iter([100.0, 108.0])
    assert RunningClock(lambda: next(times_s), longest_gap_s=0.25).now_s() == 0.25
