"""One process at a time: leases on an SQLite database, and the fence of whoever has lost one."""

from __future__ import annotations

import time

import pytest

from multisite.domain import fence
from multisite.domain.errors import Unavailable
from multisite.periodic.lease import HeldLeases, Lease, LeaseLost, held
from multisite.store.database import Database


def test_one_has_it_until_it_is_given_back(database: Database) -> None:
    one, other = HeldLeases(database, "network"), HeldLeases(database, "network")
    assert one.take("n") is not None
    assert one.take("n") is not None, "again is fine"
    assert other.take("n") is None
    one.keep_only(())
    assert other.take("n") is not None


def test_it_ends_by_itself(database: Database) -> None:
    assert Lease.take(database, "network n", "dead", seconds=-1) is not None
    assert Lease.take(database, "network n", "other") is not None
    assert Lease.take(database, "network n", "dead") is None


def test_the_fence_notices_that_the_process_was_frozen(database: Database) -> None:
    late = Lease.take(database, "network n", "frozen", seconds=30)
    assert late is not None
    late._taken -= 26  # the margin is reached, although nobody has taken it yet
    with pytest.raises(LeaseLost), fence.around(late):
        fence.check()


def test_it_is_lengthened_while_it_is_used(database: Database) -> None:
    kept = Lease.take(database, "network n", "busy", seconds=30)
    assert kept is not None
    before = kept._taken = time.monotonic() - 10
    kept.check()
    assert kept._taken == before, "not written at every request"
    kept._taken = time.monotonic() - 18
    kept.check()
    assert time.monotonic() - kept._taken < 15, "taken anew"


def test_a_job_waits_for_it_with_a_limit(database: Database) -> None:
    one = HeldLeases(database, "network")
    one.take("n")
    with pytest.raises(Unavailable, match="network n"), held(database, "network n", 0.3):
        pass
    one.keep_only(())
    with held(database, "network n", 0.3):
        assert fence.current() is not None
        assert HeldLeases(database, "network").take("n") is None
    assert fence.current() is None
