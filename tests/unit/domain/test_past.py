"""What past runs tell: the median, the lowest, the highest, and how many there were."""

from __future__ import annotations

from multisite.domain.past import Spread, spread


def test_of_past_runs_in_any_order() -> None:
    assert spread([30.0, 10.0, 200.0]) == Spread(30.0, 10.0, 200.0, 3)
    assert spread([10.0, 20.0]) == Spread(15.0, 10.0, 20.0, 2)


def test_of_none_nothing_is_known() -> None:
    assert spread([]) == Spread(None, None, None, 0)
