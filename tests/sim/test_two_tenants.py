"""Two tenants' applications with equal names and addresses, protected together and recovered into their two projects.

Neither sees anything of the other's, whatever list is asked for as each: the service's and the sites'.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.connect import CloudSite, Sites
from multisite.jobs.model import JobState
from tests.sim import deploy
from tests.sim.tenants import ALICE, BOB, SITE, TARGET, Tenant, Tenants, two_tenants

NAME = "pgw"
MAPPING = {"create_missing_flavors": True, "source_is_fenced": True, "ready_timeout": 60, "boot_timeout": 60}
SHARED = {"/v1/sites"}
"""The only list of what is everybody's."""
LISTS = (
    ("compute", "/servers/detail", "servers"),
    ("compute", "/os-server-groups", "server_groups"),
    ("compute", "/flavors/detail", "flavors"),
    ("volume", "/volumes/detail", "volumes"),
    ("volume", "/snapshots/detail", "snapshots"),
    ("volume", "/backups/detail", "backups"),
    ("network", "/networks", "networks"),
    ("network", "/subnets", "subnets"),
    ("network", "/ports", "ports"),
    ("network", "/security-groups", "security_groups"),
    ("network", "/routers", "routers"),
    ("network", "/floatingips", "floatingips"),
)
COMMON = {
    "flavors": lambda row: row["os-flavor-access:is_public"],
    "networks": lambda row: row["router:external"],
}
"""What a site has for all."""


@dataclass(frozen=True)
class Recovered:
    """``recoveries`` by tenant."""

    made: Tenants
    clouds: Path
    recoveries: dict[str, Any]

    def own(self, who: str, site: str = TARGET) -> CloudSite:
        """A tenant's own account in a site."""
        return Sites(lambda name: f"{name}-{who}", config_file=self.clouds).open_for_service(site)

    def tenant(self, who: str) -> Tenant:
        return self.made.alice if who == ALICE else self.made.bob


def post(made: Tenants, who: Tenant, path: str, body: Any) -> Any:
    status, answer = made.ask(who, "POST", path, body)
    assert status < 300, answer
    return answer


def rest(made: Tenants, jobs: list[str]) -> None:
    for job_id in jobs:
        job = made.rest(job_id)
        assert job.state is JobState.DONE, job.error


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recovered]:
    folder = tmp_path_factory.mktemp("tenants")
    with two_tenants(folder) as made, pytest.MonkeyPatch.context() as monkeypatch:
        both, clouds = (made.alice, made.bob), folder / "clouds.yaml"
        protections = {}
        for who in both:
            monkeypatch.setattr(deploy, "PUBLIC_KEY", f"ssh-ed25519 {who.name} nobody")
            own = Sites(lambda name, who=who: f"{name}-{who.name}", config_file=clouds)  # type: ignore[misc]
            app = deploy.deploy(own.open_for_service(SITE), NAME, 1)
            servers = [{"id": server} for server in app.servers]
            post(made, who, "/v1/applications", {"name": NAME, "site": SITE, "servers": servers})
            body = {"application": NAME, "target_site": TARGET, "options": {"freeze_timeout": 30}}
            protections[who.name] = post(made, who, "/v1/protections", body)["id"]
        runs = {who.name: f"/v1/protections/{protections[who.name]}/run" for who in both}
        rest(made, [post(made, who, runs[who.name], {})["job_id"] for who in both])
        made.world.lose(SITE)
        started = {}
        for who in both:
            points = made.services.protections.restore_points(who.caller, NAME)
            mapping = {**MAPPING, "keypair_names": {NAME: f"{NAME}-{who.name}"}}
            body = {"restore_point": points[0].id, "target_site": TARGET, "mapping": mapping, "confirm": NAME}
            started[who.name] = post(made, who, "/v1/recoveries", body)
        rest(made, [answer["job_id"] for answer in started.values()])
        found = {who.name: made.ask(who, "GET", f"/v1/recoveries/{started[who.name]['recovery']['id']}")[1]
                 for who in both}  # fmt: skip
        yield Recovered(made, clouds, found)


def listed(found: Recovered, who: str) -> dict[str, list[Any]]:
    """Rows of every list of the tenant's target project, by kind, asked with its own account."""
    rows = {}
    for service, path, key in LISTS:
        every = deploy.ask(getattr(found.own(who), service), "GET", path)[key]
        common = COMMON.get(key, lambda _: False)
        rows[key] = [row for row in every if not common(row)]
    return rows


def test_each_is_recovered_into_its_own_project(recovered: Recovered) -> None:
    for who in (ALICE, BOB):
        rows, (server,) = listed(recovered, who), recovered.recoveries[who]["servers"]
        assert [row["id"] for row in rows["servers"]] == [server["id"]]
        assert [row["name"] for row in rows["servers"]] == [f"{NAME}-1"]
        assert sorted(row["name"] for row in rows["volumes"]) == [f"{NAME}-1-data", f"{NAME}-1-root"]
        assert server["addresses"] == [deploy.address("data", 1), deploy.address("mgmt", 1)]
        there = recovered.made.there(who, TARGET)
        owners = {
            row["project_id"] for kind in ("ports", "networks", "security_groups") for row in rows[kind]
        }
        assert owners == {there}
        server_now = deploy.ask(recovered.own(who).compute, "GET", f"/servers/{server['id']}")["server"]
        assert server_now["key_name"] == f"{NAME}-{who}", "names of key pairs are common to all tenants"


def test_the_sites_lists_show_nothing_of_the_other(recovered: Recovered) -> None:
    ids = {
        who: {row["id"] for rows in listed(recovered, who).values() for row in rows} for who in (ALICE, BOB)
    }
    assert all(len(found) > 10 for found in ids.values())
    assert ids[ALICE] & ids[BOB] == set()
    every = deploy.ask(
        recovered.made.services.paths._clouds.open_for_service(TARGET).network, "GET", "/ports"
    )
    seen = {row["id"] for row in every["ports"]}
    assert seen & ids[ALICE], "the negative control: an administrator sees both"
    assert seen & ids[BOB]


def test_the_services_lists_show_nothing_of_the_other(recovered: Recovered) -> None:
    rules = recovered.made.client.application.url_map.iter_rules()
    paths = sorted(
        r.rule for r in rules if r.rule.startswith("/v1/") and "GET" in r.methods and "<" not in r.rule
    )
    assert {"/v1/applications", "/v1/protections", "/v1/restore-points", "/v1/recoveries", "/v1/jobs"} <= set(
        paths
    )
    answers = {
        who: {p: recovered.made.ask(recovered.tenant(who), "GET", p) for p in paths} for who in (ALICE, BOB)
    }
    for who, other in ((ALICE, BOB), (BOB, ALICE)):
        mine, theirs = answers[who], secrets(recovered, answers[other], other)
        assert len(theirs) > 20
        for path, (status, answer) in mine.items():
            assert status in (200, 403), path
            shown = json.dumps(answer)
            assert [word for word in theirs if word in shown] == [], path
        named = [row["name"] for row in mine["/v1/applications"][1]["applications"]]
        assert NAME in named


def secrets(found: Recovered, answers: dict[str, tuple[int, Any]], who: str) -> set[str]:
    """Ids of everything that is a tenant's, in the service and in its project of the target."""
    rows = [
        row
        for path, (status, answer) in answers.items()
        if status == 200 and path not in SHARED and isinstance(answer, dict)
        for listed in answer.values()
        if isinstance(listed, list)
        for row in listed
        if isinstance(row, dict)
    ]
    own = {
        row["id"] for row in rows if isinstance(row.get("id"), str)
    }  # those of the audit trail are numbers
    there = {row["id"] for rows in listed(found, who).values() for row in rows}
    return own | there | {found.tenant(who).project_id, found.made.there(who, TARGET)}
