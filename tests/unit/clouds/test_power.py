"""Whether a server that was stopped has run since, by what Nova has noted."""

from __future__ import annotations

import pytest

from multisite.clouds.power import QUIET, ServerAction, newest_of, ran_since


def action(name: str, number: int) -> ServerAction:
    return ServerAction(name, f"req-{number}", f"2026-11-29T12:00:0{number}.000000")


STOP, START, OFF, IMAGE = action("stop", 1), action("start", 2), action("stop", 3), action("createImage", 4)


def test_nothing_came_after() -> None:
    assert ran_since([STOP], newest_of([STOP])) is None
    assert ran_since([], newest_of([])) is None


def test_what_lets_no_server_run_does_not_count() -> None:
    assert ran_since([IMAGE, OFF, STOP], newest_of([STOP])) is None
    assert "start" not in QUIET


@pytest.mark.parametrize("name", ["start", "reboot", "rebuild", "unshelve", "something new"])
def test_an_action_that_may_have_started_it_is_named(name: str) -> None:
    """Also when it is off again, and one that nobody knows."""
    ran = action(name, 2)
    assert ran_since([OFF, ran, STOP], newest_of([STOP])) == ran
    assert ran_since([ran], newest_of([])) == ran


def test_where_the_newest_is_not_there_any_more_all_may_be_later() -> None:
    assert ran_since([OFF, START], newest_of([STOP])) == START
