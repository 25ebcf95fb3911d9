"""How fast images are sent: over all that is sent from one site to another."""

from __future__ import annotations

import pytest

from multisite.resources.images.pace import Pace, Rate


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_link_is_as_fast_as_it_may_be() -> None:
    clock = Clock()
    pace = Pace(100, clock, clock.sleep)
    for _ in range(10):
        pace.take("paris", ["lyon"], 100)
    assert clock.now == pytest.approx(9.0), "the first goes at once"


def test_what_goes_to_two_sites_waits_for_the_slower() -> None:
    clock = Clock()
    pace = Pace(100, clock, clock.sleep)
    pace.take("paris", ["lyon"], 500)
    pace.take("paris", ["nice"], 100)
    assert clock.now == 0.0, "another link"
    pace.take("paris", ["lyon", "nice"], 100)
    assert clock.now == pytest.approx(5.0)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    Pace(0, clock, clock.sleep).take("paris", ["lyon"], 1 << 40)
    assert clock.now == 0.0


def test_the_rate_in_words() -> None:
    clock = Clock()
    rate = Rate(4 << 20, clock)
    clock.now = 2.0
    assert rate.add(1 << 20) == "0.5 MiB/s, 6 s left"
