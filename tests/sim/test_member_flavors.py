"""Flavors that a member's recovery makes are for his project alone; another's private ones are not there for him."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from multisite.jobs.model import JobState
from multisite_lab.sim.model import Row
from multisite_lab.sim.nova.resources import ACCESS, make_flavor
from multisite_lab.sim.site import Reply, Wire
from tests.sim.tenants import MEMBER, SITE, TARGET, Tenants, two_tenants

MAPPING = {"create_missing_flavors": True, "source_is_fenced": True, "ready_timeout": 60, "boot_timeout": 60}
NAME = "t128"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with two_tenants(tmp_path_factory.mktemp("flavors"), MEMBER) as found:
        yield found


@pytest.fixture(autouse=True)
def no_flavor(made: Tenants) -> None:
    made.world.sites[TARGET].sim.state.flavors.clear()


def flavors(made: Tenants) -> list[Row]:
    return list(made.world.sites[TARGET].sim.state.flavors.values())


def same(made: Tenants, who: str) -> Row:
    """As the source's, private, at the target."""
    row = next(f for f in made.world.sites[SITE].sim.state.flavors.values() if f["name"] == NAME)
    wanted = {key: row[key] for key in ("name", "vcpus", "ram", "disk", "OS-FLV-EXT-DATA:ephemeral", "swap")}
    other = make_flavor(made.world.sites[TARGET].sim, wanted | {"os-flavor-access:is_public": False})
    other["extra_specs"], other[ACCESS] = dict(row["extra_specs"]), (made.there(who, TARGET),)
    return other


def asked(made: Tenants, verb: str = "") -> Any:
    body = {"restore_point": made.bob.made["restore-points"], "target_site": TARGET, "mapping": MAPPING}
    body |= {} if verb else {"confirm": "bob-app"}
    status, answer = made.ask(made.bob, "POST", f"/v1/recoveries{verb}", body)
    assert status == (200 if verb else 202), answer
    return answer


def recovered(made: Tenants) -> str:
    answer = asked(made)
    job = made.rest(answer["job_id"])
    assert job.state is JobState.DONE, job.error
    return str(answer["recovery"]["id"])


def undone(made: Tenants, recovery: str) -> None:
    job = made.rest(made.ask(made.bob, "POST", f"/v1/recoveries/{recovery}/undo", {})[1]["job_id"])
    assert job.state is JobState.UNDONE, job.undo_error


def used(made: Tenants) -> set[str]:
    """Ids of the flavors of bob's servers at the target."""
    servers, bob = made.world.sites[TARGET].sim.state.servers.values(), made.there("bob", TARGET)
    return {server.flavor["id"] for server in servers if server.project_id == bob}


def test_it_is_private_with_access_for_the_project(made: Tenants) -> None:
    recovery = recovered(made)
    (row,) = flavors(made)
    assert (row["name"], row["os-flavor-access:is_public"]) == (NAME, False)
    assert row[ACCESS] == (made.there("bob", TARGET),)
    assert used(made) == {row["id"]}
    undone(made, recovery)
    assert flavors(made) == []


def test_anothers_private_one_is_as_if_it_were_not_there(made: Tenants) -> None:
    without = asked(made, "/preview")
    alices = same(made, "alice")
    before = dict(alices)
    with_it = asked(made, "/preview")
    assert (with_it["startable"], with_it["digest"]) == (True, without["digest"])
    recovery = recovered(made)
    (row,) = (f for f in flavors(made) if f["id"] != alices["id"])
    assert row[ACCESS] == (made.there("bob", TARGET),)
    assert used(made) == {row["id"]}
    undone(made, recovery)
    assert flavors(made) == [before]


def test_one_that_another_recovery_makes_at_the_same_moment_is_used_and_stays(made: Tenants) -> None:
    site, others = made.world.sites[TARGET], []
    reply: Callable[[Wire], Reply] = site.reply

    def faster(wire: Wire) -> Reply:
        if wire.method == "POST" and wire.path.endswith("/flavors") and not others:
            others.append(same(made, "bob"))
        return reply(wire)

    site.reply = faster  # type: ignore[method-assign]
    try:
        recovery = recovered(made)
    finally:
        site.reply = reply  # type: ignore[method-assign]
    assert used(made) == {others[0]["id"]}
    undone(made, recovery)
    assert flavors(made) == others
