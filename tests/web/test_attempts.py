"""Wrong passwords are slowed down."""

from edge.web.attempts import FORGET_S, FREE, MAX_ADDRESSES, PAUSE_S, TOTAL, TOTAL_REFILL_S, Attempts


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def failing(attempts: Attempts, address: str, count: int) -> None:
    for _ in range(count):
        attempts.failed(address)


def test_after_five_wrong_passwords_an_address_must_wait() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    failing(attempts, "10.0.0.1", FREE - 1)
    assert attempts.wait_s("10.0.0.1") == 0
    failing(attempts, "10.0.0.1", 1)
    assert attempts.wait_s("10.0.0.1") == PAUSE_S
    clock.now_s += PAUSE_S
    assert attempts.wait_s("10.0.0.1") == 0
    failing(attempts, "10.0.0.1", 1)
    assert attempts.wait_s("10.0.0.1") == PAUSE_S


def test_other_addresses_need_not_wait() -> None:
    attempts = Attempts(Clock())
    failing(attempts, "10.0.0.1", FREE)
    assert attempts.wait_s("10.0.0.2") == 0


def test_a_right_password_or_a_quiet_time_forgets_the_wrong_ones() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for address in ("10.0.0.1", "10.0.0.2"):
        failing(attempts, address, FREE)
    attempts.succeeded("10.0.0.1")
    assert attempts.wait_s("10.0.0.1") == 0
    clock.now_s += FORGET_S + 1
    failing(attempts, "10.0.0.2", 1)
    assert attempts.wait_s("10.0.0.2") == 0


def test_addresses_of_one_ipv6_network_count_together() -> None:
    attempts = Attempts(Clock())
    for number in range(FREE):
        attempts.failed(f"2001:db8:1:2::{number}")
    assert attempts.wait_s("2001:db8:1:2:ffff::1%eth0") == PAUSE_S
    assert attempts.wait_s("2001:db8:1:3::1") == 0


def test_an_ipv4_address_is_the_same_when_it_is_written_as_ipv6() -> None:
    attempts = Attempts(Clock())
    failing(attempts, "::ffff:10.0.0.1", FREE)
    assert attempts.wait_s("10.0.0.1") == PAUSE_S
    assert attempts.wait_s("::ffff:10.0.0.2") == 0


def test_many_addresses_together_must_wait_too() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for number in range(TOTAL):
        attempts.failed(f"10.0.1.{number}")
    assert attempts.wait_s("10.0.0.1") == TOTAL_REFILL_S
    clock.now_s += TOTAL_REFILL_S
    assert attempts.wait_s("10.0.0.1") == 0


def test_the_table_of_addresses_is_bounded() -> None:
    attempts = Attempts(Clock())
    for number in range(3 * MAX_ADDRESSES):
        attempts.failed(f"10.0.{number // 256}.{number % 256}")
    assert len(attempts._failures) == MAX_ADDRESSES
