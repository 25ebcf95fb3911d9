"""kill -9 at the boundaries of an address's verbs: before a request to a site, before and after a change of its record.

A new process then carries on, and what comes of it is what would have come of it undisturbed.  Every third one is
tried; MULTISITE_DEATHS=1 tries them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from multisite.domain.moving_address import AddressState
from multisite.jobs.model import JobState
from multisite.networks.members import MemberAsked
from multisite_lab.sim.neutron import floating_ips
from tests.sim import deploy
from tests.sim.address_setup import ADDRESS, OPERATOR, AddressSetup, address_setup

STRIDE = int(os.environ.get("MULTISITE_DEATHS", "3"))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[AddressSetup]:
    with address_setup(tmp_path) as made:
        yield made
        assert made.twice == []


def every_death(one: Callable[[int], bool]) -> int:
    """``one(n)`` has verbs die at their n-th boundary, lets a new process go on, judges and tells whether any died."""
    return next(number for number in count(step=STRIDE) if not one(number))


def held_by(here: AddressSetup, site: str) -> None:
    record = here.record()
    assert (here.holders(), record.active_site, record.shown_state) == ([site], site, AddressState.HELD)
    history = [line.epoch for line in here.service.history(OPERATOR, here.address_id)]
    assert history == list(range(1, record.epoch + 1))


def guarded(here: AddressSetup, old: str, new: str, die_at: int) -> bool:
    """The guard makes the site that is back let go, its job dies, a new process goes on; whether it died."""
    (guards,) = here.guard.round()
    here.engine.rest(guards, die_at)
    died = here.engine.died
    here.rest()
    held_by(here, new)
    assert here.extra(old) == []
    here.excused.clear()
    here.guard._acted.clear()
    return died


def test_a_move_and_its_undo(here: AddressSetup) -> None:
    here.create()

    def moved_and_taken_back(die_at: int) -> bool:
        job = here.move("site2", die_at=die_at)
        died = here.engine.died
        here.rest()
        assert job.state is JobState.DONE, job.error
        held_by(here, "site2")
        here.service.undo(OPERATOR, here.address_id)
        here.engine.rest(job.id, die_at)
        died |= here.engine.died
        here.rest()
        assert job.state is JobState.UNDONE, job.error
        held_by(here, "site1")
        return died

    assert every_death(moved_and_taken_back) > 20, "few boundaries: the deaths are not where they should be"


def test_a_move_from_a_lost_site_that_comes_back(here: AddressSetup) -> None:
    """The guard's job, which makes it let go, dies at the same boundary."""
    here.create()
    sites = ["site1", "site2"]

    def lost_and_back(die_at: int) -> bool:
        old, new = sites
        here.cut(old)
        here.deaf = True  # the fence holds
        job = here.move(new, old, die_at=die_at)
        died = here.engine.died
        here.rest()
        here.deaf = False
        assert job.state is JobState.DONE, job.error
        assert here.record().in_doubt == (old,)
        here.reconnect(old)
        died |= guarded(here, old, new, die_at)
        sites.reverse()
        return died

    # the end of a job and its address are one change: fewer boundaries than of the others
    assert every_death(lost_and_back) > 15, "few boundaries: the deaths are not where they should be"


def test_a_site_that_lost_its_power(here: AddressSetup) -> None:
    """What the guard puts up to see that it let go is gone too."""
    here.create()
    sites = ["site1", "site2"]

    def powerless_and_back(die_at: int) -> bool:
        old, new = sites
        sim = here.world.sites[old].sim
        here.cut(old)
        floating_ips.power_loss(sim)
        job = here.move(new, old)
        assert job.state is JobState.DONE, job.error
        here.reconnect(old)
        cloud = here.clouds.open_for_service(old)  # disassociated before the agent begins, by whoever
        deploy.ask(cloud.network, "PUT", f"/floatingips/{here.record().member(old).floating_ip_id}",
                   {"floatingip": {"port_id": None}})  # fmt: skip
        floating_ips.resync(sim)
        died = guarded(here, old, new, die_at)
        sites.reverse()
        return died

    assert every_death(powerless_and_back) > 20, "few boundaries: the deaths are not where they should be"


def test_creating_and_deleting(here: AddressSetup) -> None:
    members = [MemberAsked(name, port) for name, port in here.ports.items()]

    def made_and_gone(die_at: int) -> bool:
        here.address_id = here.service.create(OPERATOR, "gw", ADDRESS, members, "site1").id
        job = here.engine.rest(here.record().job_id, die_at)
        died = here.engine.died
        here.rest()
        assert job.state is JobState.DONE, job.error
        held_by(here, "site1")
        gone = here.service.delete(OPERATOR, here.address_id)
        assert gone is not None
        job = here.engine.rest(gone.job_id, die_at)
        died |= here.engine.died
        here.rest()
        assert job.state is JobState.DONE, job.error
        assert here.service.list(OPERATOR) == []
        assert all(not site.sim.state.floatingips for site in here.world.sites.values())
        return died

    assert every_death(made_and_gone) > 20, "few boundaries: the deaths are not where they should be"
