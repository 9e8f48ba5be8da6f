import datetime as dt

import pytest
from support.web_services import StoppedClock

from rostra.auth.throttle import FREE_TRIES, FREE_TRIES_ALONE, Throttle, TooManyTries, pause


def _fail(throttle: Throttle, times: int, username: str = "ada", address: str = "192.0.2.1") -> None:
    for _ in range(times):
        throttle.begin(username, address)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 1), (6, 2), (8, 8), (13, 256), (14, 300), (1000, 300)]
)
def test_the_pause_doubles_up_to_five_minutes(failures: int, seconds: int) -> None:
    assert pause(failures, 5) == dt.timedelta(seconds=seconds)


def test_a_few_mistakes_cost_nothing_and_then_it_gets_slow() -> None:
    throttle = Throttle(StoppedClock())
    _fail(throttle, FREE_TRIES)
    with pytest.raises(TooManyTries) as refused:
        throttle.begin("ADA ", "192.0.2.1")
    assert refused.value.wait_seconds == 1


def test_waiting_helps() -> None:
    clock = StoppedClock()
    throttle = Throttle(clock)
    _fail(throttle, FREE_TRIES)
    clock.moment += dt.timedelta(seconds=1)
    throttle.begin("ada", "192.0.2.1")


def test_success_forgets_the_mistakes() -> None:
    throttle = Throttle(StoppedClock())
    for _ in range(3):
        _fail(throttle, FREE_TRIES - 1)
        throttle.begin("ada", "192.0.2.1")
        throttle.succeeded("ada", "192.0.2.1")


def test_success_is_no_mistake_of_the_address() -> None:
    throttle = Throttle(StoppedClock())
    for number in range(FREE_TRIES_ALONE * 2):
        throttle.begin(f"user{number}", "192.0.2.1")
        throttle.succeeded(f"user{number}", "192.0.2.1")


def test_somebody_elsewhere_is_not_kept_out_by_a_few_tries() -> None:
    throttle = Throttle(StoppedClock())
    _fail(throttle, FREE_TRIES, address="198.51.100.7")
    throttle.begin("ada", "192.0.2.1")


def test_one_address_cannot_try_many_accounts() -> None:
    throttle = Throttle(StoppedClock())
    for number in range(FREE_TRIES_ALONE):
        throttle.begin(f"user{number}", "198.51.100.7")
    with pytest.raises(TooManyTries):
        throttle.begin("another", "198.51.100.7")
    throttle.begin("another", "192.0.2.1")


def test_people_behind_an_unknown_address_do_not_count_for_each_other() -> None:
    throttle = Throttle(StoppedClock())
    for number in range(FREE_TRIES_ALONE * 2):
        throttle.begin(f"user{number}", "")


def test_many_at_once_count_as_many() -> None:
    throttle = Throttle(StoppedClock())
    refused = 0
    for _ in range(100):
        try:
            throttle.begin("ada", "192.0.2.1")
        except TooManyTries:
            refused += 1
    assert refused == 100 - FREE_TRIES
