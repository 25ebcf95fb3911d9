"""The service's account is a member of the tenants' projects: what it does as an administrator are the listed calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.administrator import CALLS, IMPORT_RECORD, administrator, may_administer
from multisite.domain.caller import Caller
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.networks.stretch.order import StretchOrder
from multisite_lab.sim import site as sim_site
from multisite_lab.sim.model import Account
from multisite_lab.sim.site import Reply, SimSite, Wire
from tests.sim.tenants import ADDRESSES, MEMBER, SITE, SITES, TARGET, Tenants, two_tenants

ROOT = Path(__file__).parents[2]
MAPPING = {"create_missing_flavors": True, "source_is_fenced": True, "ready_timeout": 60, "boot_timeout": 60}
READS = {("GET", "/servers/detail"), ("GET", "/servers"), ("GET", "/servers/{id}")}
AS_ADMINISTRATOR = READS | {
    ("GET", "/servers/{id}/diagnostics"),
    ("GET", "/os-keypairs"),
    ("GET", "/os-keypairs/{name}"),
    ("GET", "/ports"),
    ("PUT", "/ports/{id}"),
    ("GET", "/networks"),
    ("GET", "/volumes/detail"),
    ("GET", "/os-services"),
    ("GET", "/os-hypervisors/detail"),
    ("GET", "/allocation_candidates"),
    ("GET", "/types"),
    ("GET", "/group_types/{id}"),
    ("GET", "/backups/{id}/export_record"),
    ("POST", "/backups/import_record"),
    ("GET", "/backups/detail"),
    ("POST", "/servers/{id}/action#quiesce"),
    ("POST", "/servers/{id}/action#unquiesce"),
    ("GET", "/servers/{id}/os-multisite-quiesce"),
    ("GET", "/flavors/detail"),
    ("POST", "/flavors"),
    ("POST", "/flavors/{id}/os-extra_specs"),
    ("POST", "/flavors/{id}/action#addTenantAccess"),
    ("DELETE", "/flavors/{id}"),
}
"""Of a protection, a recovery and its undo: what ``clouds.administrator`` lists, as requests."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with two_tenants(tmp_path_factory.mktemp("member"), MEMBER) as found:
        yield found


@contextmanager
def noted(made: Tenants) -> Iterator[set[tuple[str, str]]]:
    """The requests an administrator's token came with; what a site is asked before it has one is left out."""
    found: set[tuple[str, str]] = set()
    before = {name: site.reply for name, site in made.world.sites.items()}

    def watch(site: SimSite) -> None:
        reply = site.reply

        def watched(wire: Wire) -> Reply:
            known = site.sim.state.tokens.get(wire.headers.get("x-auth-token", ""))
            service, path = sim_site._service(wire.path)
            if known is not None and known[0].is_admin and service is not None and path != "/":
                route, _ = sim_site._route(service, wire.method, path)
                found.add((wire.method, (route.template if route else path) + sim_site._action(wire)))
            return reply(wire)

        site.reply = watched  # type: ignore[method-assign]

    for site in made.world.sites.values():
        watch(site)
    try:
        yield found
    finally:
        for name, site in made.world.sites.items():
            site.reply = before[name]  # type: ignore[method-assign]


def test_what_is_done_as_an_administrator_is_listed(made: Tenants) -> None:
    bob = made.bob
    with noted(made) as asked:
        status, answer = made.ask(bob, "POST", f"/v1/protections/{bob.made['protections']}/run", {})
        assert status == 202, answer
        assert made.rest(answer["job_id"]).state is JobState.DONE
        point = made.services.protections.restore_points(bob.caller)[0]
        body = {"restore_point": point.id, "target_site": TARGET, "mapping": MAPPING, "confirm": "bob-app"}
        status, answer = made.ask(bob, "POST", "/v1/recoveries", body)
        assert status == 202, answer
        job = made.rest(answer["job_id"])
        assert job.state is JobState.DONE, job.error
        undone = made.ask(bob, "POST", f"/v1/recoveries/{answer['recovery']['id']}/undo", {})[1]
        assert made.rest(undone["job_id"]).state is JobState.UNDONE
    assert asked <= AS_ADMINISTRATOR
    assert {("POST", "/backups/import_record"), ("POST", "/servers/{id}/action#quiesce")} <= asked
    manifest = made.services.protections._manifests.read(point.id)
    assert manifest.keypairs, "of the server's user, which is not the service's"
    assert not [note for note in manifest.notes if "user data" in note]
    imported = made.world.sites[TARGET].sim.state.backups.values()
    assert {backup.project_id for backup in imported if backup.imported} <= {
        made.there("bob", TARGET), made.there("alice", TARGET)
    }  # fmt: skip


def choose(made: Tenants, address: str) -> Job:
    """An address that nobody has, for ports of bob's."""
    members = [{"site": s, "port": made.bob.made["free-port", s]} for s in SITES]
    body = {
        "name": f"gw-{address[-3:]}",
        "address": address,
        "members": members,
        "active": SITE,
        "probe": "none",
    }
    status, answer = made.ask(made.bob, "POST", "/v1/addresses", body)
    assert status == 202, answer
    return made.rest(answer["job_id"])


def test_neutrons_rule_for_choosing_an_address_holds(made: Tenants) -> None:
    """One that nobody has is refused by Neutron itself, in both sites; nothing is left."""
    job = choose(made, "203.0.113.150")
    assert job.state is JobState.UNDONE
    assert "create_floatingip:floating_ip_address is disallowed by policy" in str(job.error)
    assert "--floating-ip-address 203.0.113.150" in str(job.error)
    rows = [r for site in SITES for r in made.world.sites[site].sim.state.floatingips.values()]
    assert "203.0.113.150" not in {row["floating_ip_address"] for row in rows}
    assert ADDRESSES["bob"] in {row["floating_ip_address"] for row in rows}


def test_an_administrators_account_lends_its_right(made: Tenants) -> None:
    """The negative control: the service's account gets the role admin in the tenant's project."""
    before = {site: made.world.sites[site].sim.accounts for site in SITES}
    with_roles(made, lambda a: replace(a, roles=("admin", *MEMBER)) if a.user_name == "operator" else a)
    try:
        job = choose(made, "203.0.113.151")
        assert job.state is JobState.DONE, job.error
    finally:
        for site in SITES:
            made.world.sites[site].sim.accounts = before[site]
        with_roles(made, lambda a: a)


def with_roles(made: Tenants, change: Callable[[Account], Account]) -> None:
    """Change the accounts of both sites; the service logs in anew."""
    for site in SITES:
        sim = made.world.sites[site].sim
        sim.accounts = tuple(change(account) for account in sim.accounts)
        made.services.paths._clouds.drop(site)


def test_a_stretched_network_is_the_tenants(made: Tenants) -> None:
    """Made by an administrator of the site, in the account's own project, for the tenant's."""
    for site in SITES:
        made.world.sites[site].sim.settings.remote_port = True
    roles = frozenset({"admin", *MEMBER})
    olga = Caller("u-olga", "olga", made.bob.project_id, "bob", roles, "req-1", "Default")
    order = StretchOrder("hb", SITES, cidr="10.40.0.0/24")
    network = made.services.networks.stretch(olga, order)
    job = made.rest(str(network.job_id))
    assert job.state is JobState.DONE, job.error
    known = made.services.networks.get(olga, network.id)
    for member in known.members:
        state = made.world.sites[member.site].sim.state
        owner = made.there("bob", member.site)
        assert state.networks[member.network_id]["project_id"] == owner
        assert state.subnets[member.subnet_id]["project_id"] == owner


def test_without_an_account_that_may_it_is_said(made: Tenants) -> None:
    clouds = made.services.paths._clouds
    site = clouds.open(TARGET, for_project=made.bob.project_id)
    assert may_administer(site, IMPORT_RECORD)
    entry = site.conn.config.config
    named = entry.pop("multisite_administrator")
    try:
        assert not may_administer(site, IMPORT_RECORD)
        assert administrator(site, IMPORT_RECORD) is site
        body = {"restore_point": made.bob.made["restore-points"], "target_site": TARGET, "mapping": MAPPING}
        _, answer = made.ask(made.bob, "POST", "/v1/recoveries/preview", body)
        assert "multisite_administrator" in str(answer)
    finally:
        entry["multisite_administrator"] = named


def test_the_documentation_has_every_call() -> None:
    text = (ROOT / "docs/projects.md").read_text()
    rows: dict[str, Any] = dict(re.findall(r"^\| ([a-z][^|]+?) \| ([^|]+?) \|", text, re.M))
    for call in CALLS:
        assert rows.get(call.what) == call.why.partition(";")[0], call
