"""Planes that are removed while a site is lost: what is left there is noted, and goes when the site is back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds import planes
from multisite.clouds.call import read_one
from multisite.clouds.connect import Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.domain.errors import Conflict, MultisiteError
from multisite.domain.planes import PlaneState
from multisite.jobs.model import JobState
from multisite.networks.planes import leave as planes_leave
from multisite_lab.sim.faults import Rule
from tests.sim import deploy
from tests.sim.plane_setup import FOUR, OWN, PlaneSetup, plane_setup


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PlaneSetup]:
    with plane_setup(tmp_path) as made:
        made.describe(*FOUR)
        yield made


def lose(here: PlaneSetup, name: str, *, die_at: int | None = None) -> Any:
    """Realized, site 2 lost, and removed without it."""
    here.realize(name)
    here.world.cut("site2")
    job = here.remove(name, die_at, "site2")
    assert job is not None
    return job


@pytest.mark.parametrize("name", OWN)
def test_without_a_lost_site_and_later_there_too(here: PlaneSetup, name: str) -> None:
    job = lose(here, name)
    assert job.state is JobState.DONE, job.error
    plane = here.plane(name)
    assert (plane.state, plane.made, plane.job_id, plane.error) == (PlaneState.DESCRIBED, {}, None, None)
    assert [(part.site, part.router) for part in plane.left] == [("site2", name == "copy")]
    assert here.remove(name, None, "site2") is None, (
        "asked for again there is nothing to do, and nothing is forgotten"
    )
    assert here.plane(name).left == plane.left
    with pytest.raises(Conflict, match=r"site2 cannot be asked who is in it.*--without site2"):
        here.remove(name)
    here.world.reconnect("site2")
    assert set(here.left()) == {"site2"}, "the negative control: it is there"
    again = here.remove(name)
    assert again is not None
    assert (again.state, here.left()) == (JobState.DONE, {}), again.error
    assert here.plane(name).left == ()
    assert here.remove(name) is None


def test_only_named_sites_are_left_out(here: PlaneSetup) -> None:
    here.realize("mgmt")
    here.world.cut("site2")
    with pytest.raises(Conflict, match="without: site9 is not a site of plane mgmt"):
        here.remove("mgmt", None, "site9")
    with pytest.raises(Conflict, match="say it is lost"):
        here.remove("mgmt")
    with pytest.raises(Conflict, match="say it is lost"):
        here.remove("mgmt", None, "site1")
    assert here.plane("mgmt").state is PlaneState.ACTIVE


def test_a_stretched_plane_is_unstretched_without_it(here: PlaneSetup) -> None:
    job = lose(here, "hb")
    assert (job.state, here.plane("hb").state, here.plane("hb").left) == (
        JobState.DONE,
        PlaneState.DESCRIBED,
        (),
    )
    here.world.reconnect("site2")
    assert set(here.left()) == {"site2"}, (
        "what a lost site has of a stretched network stays there, and is not noted"
    )


def test_realized_again_elsewhere_while_something_is_left(here: PlaneSetup) -> None:
    """The worst day: the plane is needed over the sites there are; what is left is taken away without touching it."""
    lose(here, "mgmt")
    with pytest.raises(Conflict, match="left at site2 since it was removed without"):
        here.realize("mgmt")
    rest = [one for one in FOUR if one["name"] != "mgmt"]
    with pytest.raises(Conflict, match="it would vanish, and something of it is left at site2"):
        here.describe(*rest)
    here.describe(*rest, {**FOUR[3], "sites": ["site1"], "realized": "local"})
    assert [part.site for part in here.plane("mgmt").left] == ["site2"], "describing anew forgets nothing"
    assert here.realize("mgmt").state is JobState.DONE
    with pytest.raises(MultisiteError, match="realized planes"):
        here.rows.delete(here.application.id)
    here.world.reconnect("site2")
    untouched = here.there("site1")
    job = here.remove("mgmt", left=True)
    assert job is not None
    assert (job.state, here.there("site1")) == (JobState.DONE, untouched), job.error
    assert set(here.left()) == {"site1"}
    plane = here.plane("mgmt")
    assert (plane.state, plane.left, set(plane.made)) == (PlaneState.ACTIVE, (), {"site1"})
    here.remove("mgmt")
    assert here.left() == {}
    here.rows.delete(here.application.id)


def test_what_will_not_come_back_is_forgotten(here: PlaneSetup) -> None:
    lose(here, "mgmt")
    with pytest.raises(MultisiteError, match="realized planes"):
        here.rows.delete(here.application.id)
    with pytest.raises(Conflict, match="nothing of plane mgmt is noted as left at site1"):
        here.service.forget(here.caller, "mme", "mgmt", ["site1"])
    here.service.forget(here.caller, "mme", "mgmt", ["site2"])
    assert here.plane("mgmt").left == ()
    assert here.remove("mgmt") is None
    here.rows.delete(here.application.id)


def test_guests_in_what_is_left_keep_it(here: PlaneSetup) -> None:
    here.realize("copy")
    port = here.guest("site2", "copy")
    here.world.cut("site2")
    here.remove("copy", None, "site2")
    here.world.reconnect("site2")
    with pytest.raises(Conflict, match="plane copy is in use at site2: mme-1"):
        here.remove("copy")
    here.drop_port("site2", port)
    here.remove("copy")
    assert here.left() == {}


def test_guests_in_a_site_that_is_there_keep_it_everywhere(here: PlaneSetup) -> None:
    here.realize("mgmt")
    here.guest("site1", "mgmt")
    here.world.cut("site2")
    with pytest.raises(Conflict, match="in use at site1"):
        here.remove("mgmt", None, "site2")
    assert here.plane("mgmt").state is PlaneState.ACTIVE


def test_a_guest_who_comes_meanwhile_pauses_it(here: PlaneSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    here.realize("mgmt")
    port = here.guest("site1", "mgmt")
    here.world.cut("site2")
    asked = planes.guests
    monkeypatch.setattr(planes, "guests", lambda *_: [])
    job_id = str(here.service.remove(here.caller, "mme", "mgmt", without=("site2",)))
    monkeypatch.setattr(planes, "guests", asked)
    assert here.engine.rest(job_id).state is JobState.PAUSED
    plane = here.plane("mgmt")
    assert (plane.state, set(plane.made)) == (PlaneState.REMOVING, {"site1", "site2"})
    assert "something is left: unused: network mme-mgmt is in use at site1" in (plane.error or "")
    here.drop_port("site1", port)
    again = here.remove("mgmt", None, "site2")
    assert again is not None
    assert (again.state, here.plane("mgmt").state) == (JobState.DONE, PlaneState.DESCRIBED)
    here.engine.resume(job_id, "olga")
    assert here.engine.rest(job_id).state is JobState.DONE, "the one before does no harm"
    assert [part.site for part in here.plane("mgmt").left] == ["site2"]


def test_a_site_that_dies_while_the_plane_is_removed(here: PlaneSetup) -> None:
    here.realize("copy")
    job_id = str(here.service.remove(here.caller, "mme", "copy"))
    here.world.cut("site2")
    assert here.engine.rest(job_id).state is JobState.UNDO_FAILED
    assert here.plane("copy").state is PlaneState.REMOVING
    job = here.remove("copy", None, "site2")
    assert job is not None
    assert (job.state, here.plane("copy").state) == (JobState.DONE, PlaneState.DESCRIBED), job.error
    here.world.reconnect("site2")
    here.remove("copy")
    assert here.left() == {}


def test_what_was_never_written_down_is_found_by_its_tokens(here: PlaneSetup) -> None:
    """Making it failed in a site, and undoing that too: nobody noted what is there."""
    for method, path in (("POST", "/routers$"), ("DELETE", "")):
        here.world.sites["site2"].strike(Rule("error", "network", method, path, times=99, status=409))
    assert here.realize("copy").state is JobState.UNDO_FAILED
    assert here.plane("copy").made == {}, "the negative control: no ids are known"
    here.world.cut("site2")
    here.remove("copy", None, "site2")
    here.world.reconnect("site2")
    here.world.sites["site2"].script.forget()
    assert set(here.left()) == {"site2"}
    (network,) = [id for id, row in here.state("site2").networks.items() if row["name"] == "mme-copy"]
    port = deploy.port(here.clouds.open_for_service("site2"), "mme-1", network)
    with pytest.raises(Conflict, match="in use at site2: mme-1"):
        here.remove("copy")
    here.drop_port("site2", port)
    here.remove("copy")
    assert here.left() == {}


def test_its_old_job_is_not_undone_any_more(here: PlaneSetup) -> None:
    """By ``job undo``: the plane may have been realized again, and that is not this job's to remove."""
    here.realize("mgmt")
    old = str(here.plane("mgmt").job_id)
    here.world.cut("site2")
    here.remove("mgmt", None, "site2")
    here.engine.undo(old, "olga")
    assert here.engine.rest(old).state is JobState.UNDO_FAILED
    assert "the plane was removed without a site" in (here.engine.jobs[old].error or "")
    assert here.plane("mgmt").state is PlaneState.DESCRIBED


@pytest.mark.parametrize("kind", ["lost", "late"])
@pytest.mark.parametrize("path", ["/networks/", "/subnets/", "/routers/[^/]*$", "/remove_router_interface$"])
def test_a_lost_answer_while_removing(here: PlaneSetup, kind: Any, path: str) -> None:
    here.realize("copy")
    here.world.cut("site2")
    method = "PUT" if path.startswith("/remove") else "DELETE"
    rule = Rule(kind, "network", method, path, status=504, seconds=0.1)
    here.world.sites["site1"].strike(rule)
    job = here.remove("copy", None, "site2")
    assert job is not None
    assert (job.state, rule.struck) == (JobState.DONE, 1), job.error
    here.world.reconnect("site2")
    assert set(here.left()) == {"site2"}


def test_killed_anywhere_it_goes_on(here: PlaneSetup) -> None:
    """Every boundary of removing it without the lost site."""
    lose(here, "copy", die_at=10**6)
    most = 10**6 - int(here.engine.last_left or 0)
    assert most > 10, "it takes requests"
    for die_at in range(most):
        here.world.reconnect("site2")
        here.remove("copy")
        assert here.left() == {}, die_at
        dead = lose(here, "copy", die_at=die_at)
        assert not dead.settled, "the negative control: it did die"
        with pytest.raises(Conflict, match=r"Remove .* is at work on it"):
            here.remove("copy", None, "site2")
        job = here.engine.rest(dead.id)
        assert job.state is JobState.DONE, job.error
        assert here.plane("copy").state is PlaneState.DESCRIBED


def test_killed_anywhere_taking_away_what_is_left_goes_on(here: PlaneSetup) -> None:
    die_at, over = 0, False
    while not over:
        lose(here, "copy")
        here.world.reconnect("site2")
        dead = here.remove("copy", die_at)
        assert dead is not None
        over, die_at = dead.settled, die_at + 1
        assert here.engine.rest(dead.id).state is JobState.DONE
        assert (here.left(), here.plane("copy").left) == ({}, ()), die_at
    assert die_at > 10, "it takes requests"


def test_who_notes_nothing_orphans_it(here: PlaneSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of all of these."""

    def forgetful(self: Any, _ctx: Any) -> None:
        at_rest = PlaneState.DESCRIBED
        self.rows.change(self.plane_id, lambda known: replace(known, state=at_rest, made={}, job_id=None))

    monkeypatch.setattr(planes_leave.Leaving, "note", forgetful)
    lose(here, "copy")
    here.world.reconnect("site2")
    assert here.remove("copy") is None
    assert set(here.left()) == {"site2"}, "nobody will ever take it away"


@pytest.mark.parametrize("name", OWN)
def test_what_our_credentials_do_not_see_is_not_gone(here: PlaneSetup, name: str) -> None:
    """Neutron hides what is of another project: with another in clouds.yaml no plane is lost or built twice."""
    here.realize(name)
    there = here.left()
    blind = here.by_others("other")
    other = Sites(lambda name: f"{name}-other", config_file=here.file, timeout=5.0).open_for_service("site2")
    network = here.plane(name).made["site2"].network_id
    with pytest.raises(NotFoundInSite):
        read_one(other, "read it", lambda: other.network, f"/networks/{network}", "network")
    found = blind.check(here.caller, "mme", name)
    assert (found.in_sync, {one.kind for one in found.findings}) == (None, {"unknown"})
    assert "correct cloud site1-other in clouds.yaml" in found.findings[0].what
    assert blind.repair(here.caller, "mme", name) is None
    with pytest.raises(Conflict, match=r"cannot be asked who is in it.*not an administrator's"):
        blind.remove(here.caller, "mme", name)
    job = here.engine.jobs[str(here.service.remove(here.caller, "mme", name))]
    job.kind = here.engine.kinds[job.kind.name]  # of the blind service, registered last
    assert here.engine.rest(job.id).state is JobState.UNDO_FAILED
    assert "it would look gone" in str(job.error)
    assert here.left() == there
