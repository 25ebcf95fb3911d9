"""One limit divided over sites: nobody loses what is used, and what is held never adds up to more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from multisite.domain.global_quota import UNLIMITED, Held, may_raise, shares, to_lower

COUNT = st.integers(0, 40)
ANSWERS = st.builds(lambda limit, used: Held(limit, limit, used), st.integers(-1, 60), COUNT)
AWAY = st.builds(Held, st.none() | st.integers(-1, 60))
SITES = st.dictionaries(st.sampled_from("abcde"), ANSWERS | AWAY, min_size=1)


@given(st.integers(0, 100), SITES)
def test_what_is_used_stays_usable_and_nothing_is_lent_twice(total: int, sites: dict[str, Held]) -> None:
    wanted = shares(total, sites)
    assert set(wanted) == {name for name, one in sites.items() if one.answers}
    used = {name: one.used or 0 for name, one in sites.items() if one.answers}
    away = [one.holds for one in sites.values() if not one.answers]
    kept = wanted == {name: sites[name].limit for name in wanted}
    if None not in away:
        most = max(total, sum(used.values()) + sum(h or 0 for h in away))
        assert sum(wanted.values()) + sum(h or 0 for h in away) <= most
    assert kept or all(wanted[name] >= used[name] for name in wanted)


@given(st.integers(0, 100), SITES)
def test_raises_never_add_up_to_more_than_the_total(total: int, sites: dict[str, Held]) -> None:
    raised = may_raise(total, sites, shares(total, sites))
    after = {
        name: Held(raised.get(name, one.lease), raised.get(name, one.limit), one.used) if one.answers else one
        for name, one in sites.items()
    }
    if raised:
        held = [one.holds for one in after.values()]
        assert None not in held
        before = sum(one.holds or 0 for one in sites.values())
        assert sum(h or 0 for h in held) <= max(total, before)
    assert all(raised[name] > (sites[name].limit or 0) for name in raised)


@given(st.integers(0, 100), SITES)
def test_lowered_and_raised_are_others(total: int, sites: dict[str, Held]) -> None:
    wanted = shares(total, sites)
    assert not set(to_lower(sites, wanted)) & set(may_raise(total, sites, wanted))


@given(st.integers(0, 100), st.dictionaries(st.sampled_from("abcde"), COUNT, min_size=1))
def test_once_divided_it_stays(total: int, used: dict[str, int]) -> None:
    wanted = shares(total, {name: Held(0, 0, count) for name, count in used.items()})
    again = {name: Held(limit, limit, used[name]) for name, limit in wanted.items()}
    assert shares(total, again) == wanted
    assert may_raise(total, again, wanted) == {}


def test_no_limit_is_no_limit() -> None:
    sites = {"a": Held(5, 5, 3), "b": Held(-1, -1, 0)}
    wanted = shares(UNLIMITED, sites)
    assert wanted == {"a": -1, "b": -1}
    assert may_raise(UNLIMITED, sites, wanted) == {"a": -1}
    assert to_lower(sites, wanted) == {}


def test_a_site_without_an_end_holds_everything_until_it_is_lowered() -> None:
    sites = {"a": Held(None, -1, 3), "b": Held(None, 0, 0)}
    wanted = shares(10, sites)
    assert wanted == {"a": 7, "b": 3}
    assert to_lower(sites, wanted) == {"a": 7}
    assert may_raise(10, sites, wanted) == {}


def test_a_request_that_may_still_come_counts() -> None:
    sites = {"a": Held(8, 5, 3, raising=True), "b": Held(2, 2, 2)}
    assert may_raise(10, sites, {"b": 5}) == {}
    sites = {"a": Held(8, 5, 3), "b": Held(2, 2, 2)}
    assert may_raise(10, sites, {"b": 5}) == {"b": 5}
