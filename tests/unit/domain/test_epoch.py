"""Which copy of an application is the application."""

from __future__ import annotations

from datetime import UTC, datetime

from multisite.domain.epoch import Epoch, Epochs

NOW = datetime(2026, 11, 28, tzinfo=UTC)
NONE = Epochs("a1")
FIRST = Epoch(1, "lyon", "r1", ("s1", "s2"), NOW)
SECOND = Epoch(2, "oslo", "r2", ("s3",), NOW)


def test_the_highest_that_was_not_withdrawn_counts() -> None:
    assert (NONE.current, NONE.number, NONE.highest) == (None, 0, 0)
    both = NONE.begin(SECOND).begin(FIRST)
    assert (both.current, both.number) == (SECOND, 2), "the later word counts, whichever ends first"
    back = both.withdraw("r2")
    assert (back.current, back.number, back.highest) == (FIRST, 1, 2)
    assert back.withdraw("r1").current is None


def test_said_twice_it_begins_once() -> None:
    once = NONE.begin(FIRST)
    assert once.begin(Epoch(1, "lyon", "r1", (), NOW)) == once
    assert once.withdraw("another") == once
    gone = once.withdraw("r1")
    assert gone.withdraw("r1") == gone
    assert gone.begin(FIRST) == gone, "a recovery that was undone begins nothing any more"


def test_servers_of_the_epoch_are_the_application() -> None:
    assert NONE.older_copy("paris", ["s0"]) is None
    moved = NONE.begin(FIRST)
    assert moved.older_copy("paris", ["s0"]) == FIRST
    assert moved.older_copy("lyon", ["s0"]) == FIRST, "the old servers of the same site"
    assert moved.older_copy("lyon", ["s1"]) is None
