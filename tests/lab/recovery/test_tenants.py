"""Two tenants' applications with equal names and addresses, protected together, recovered into their two projects.

The tenants are ``member`` of the project ``vnf`` and ``other`` of the project ``other``, members both; the service's
account is a member of both projects.  Neither sees anything of the other's, whatever list is asked for as each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import openstack
import pytest
import requests

from multisite_lab import vnf
from multisite_lab.manager import Manager, running

NAME = "twin"
PORT = 8798
SITES = ("site1", "site2")
TENANTS = ("member", "other")
"""Accounts, by the ending of their entries in clouds.yaml."""
LISTS = (
    "/v1/applications", "/v1/protections", "/v1/restore-points", "/v1/recoveries", "/v1/jobs", "/v1/project-grants",
    "/v1/stretched-networks", "/v1/addresses", "/v1/paths",
)  # fmt: skip
SITE_LISTS = (
    ("compute", "/servers/detail", "servers"),
    ("compute", "/os-server-groups", "server_groups"),
    ("block-storage", "/volumes/detail", "volumes"),
    ("block-storage", "/snapshots/detail", "snapshots"),
    ("block-storage", "/backups/detail", "backups"),
    ("network", "/v2.0/networks?router:external=false&shared=false", "networks"),
    ("network", "/v2.0/subnets", "subnets"),
    ("network", "/v2.0/ports", "ports"),
    ("network", "/v2.0/security-groups", "security_groups"),
    ("network", "/v2.0/routers", "routers"),
    ("network", "/v2.0/floatingips", "floatingips"),
)


@dataclass(frozen=True)
class Recovered:
    """``points`` and ``recoveries`` by tenant, as the client shows them."""

    manager: Manager
    points: dict[str, Any]
    recoveries: dict[str, Any]


def own(site: str, tenant: str) -> str:
    """The tenant's entry in clouds.yaml."""
    return f"{site}-{tenant}"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with running(tmp_path_factory.mktemp("tenants"), port=PORT) as made:
        for site in SITES:
            made.register(site)
            made.become_member(site, "other")
            here, there = made.project(own("site2", "other")), made.project(own(site, "other"))
            if here != there:
                made.cli("project", "grant", "create", here, site, there)
        yield made


@pytest.fixture(scope="module")
def recovered(manager: Manager) -> Iterator[Recovered]:
    for site in SITES:
        for tenant in TENANTS:
            vnf.destroy(own(site, tenant), NAME)
    protections = {}
    for tenant in TENANTS:
        vnf.deploy(own("site1", tenant), NAME, servers=1)
        cloud = own("site2", tenant)
        words = ("--site", "site1", "--metadata-tag", f"vnf={NAME}")
        manager.cli("application", "create", NAME, *words, cloud=cloud)
        words = ("--method", "consistent-backup", "--target-site", "site2", "--console-mark", vnf.FREEZE_MARK)
        protections[tenant] = manager.cli("protection", "create", NAME, *words, cloud=cloud)["id"]
    with ThreadPoolExecutor(len(TENANTS)) as together:
        points = dict(zip(TENANTS, together.map(
            lambda tenant: manager.cli("protection", "run", protections[tenant], cloud=own("site2", tenant)), TENANTS
        ), strict=True))  # fmt: skip
        recoveries = dict(
            zip(TENANTS, together.map(lambda t: recover(manager, points[t]["id"], t), TENANTS), strict=True)
        )
    yield Recovered(manager, points, recoveries)
    for tenant in TENANTS:
        manager.cli("recovery", "undo", recoveries[tenant]["id"], cloud=own("site2", tenant))
        for site in SITES:
            vnf.destroy(own(site, tenant), NAME)


def protect(manager: Manager, protection: str, tenant: str) -> Any:
    return manager.cli("protection", "run", protection, cloud=own("site2", tenant))


def recover(manager: Manager, point: str, tenant: str) -> Any:
    """Key pairs belong to the service's account, so the tenants' of one name get two."""
    words = (
        "--target-site", "site2", "--create-missing-flavors", "--source-is-fenced", "--map",
        f"keypair-name:{NAME}={NAME}-{tenant}", "--yes-recover", NAME,
    )  # fmt: skip
    return manager.cli("recovery", "start", point, *words, cloud=own("site2", tenant))


def rows(tenant: str) -> dict[str, list[Any]]:
    """Of every list of the target, asked as the tenant."""
    with openstack.connect(own("site2", tenant), load_yaml_config=True) as conn:
        found = {}
        for service, path, key in SITE_LISTS:
            answer = conn.session.get(path, endpoint_filter={"service_type": service})
            found[key] = list(answer.json()[key])
        return found


def ids(found: dict[str, list[Any]]) -> set[str]:
    return {row["id"] for listed in found.values() for row in listed}


def lists(manager: Manager, tenant: str) -> dict[str, Any]:
    """Of every list of the service, asked as the tenant."""
    with openstack.connect(own("site2", tenant), load_yaml_config=True) as conn:
        headers = {"X-Auth-Token": str(conn.session.get_token())}
    answers = {}
    for path in LISTS:
        answer = requests.get(manager.url + path, headers=headers, timeout=60)
        assert answer.status_code == 200, (path, answer.text)
        answers[path] = answer.json()
    return answers


def test_each_is_recovered_into_its_own_project(recovered: Recovered) -> None:
    addresses = set()
    for tenant in TENANTS:
        recovery, found = recovered.recoveries[tenant], rows(tenant)
        assert recovery["state"] == "done", recovery["error"]
        (server,) = recovery["servers"]
        project = recovered.manager.project(own("site2", tenant))
        (shown,) = [row for row in found["servers"] if row["id"] == server["id"]]
        assert (shown["name"], shown["tenant_id"]) == (f"{NAME}-1", project)
        assert shown["key_name"] == f"{NAME}-{tenant}"
        assert server["mark"], "its data is that of the restore point"
        addresses.add(tuple(server["addresses"]))
        assert {row["project_id"] for row in found["ports"]} <= {project}
    assert len(addresses) == 1


def test_the_sites_lists_show_nothing_of_the_other(recovered: Recovered) -> None:
    one, other = (ids(rows(tenant)) for tenant in TENANTS)
    assert one & other == set()
    servers = {s["id"] for tenant in TENANTS for s in recovered.recoveries[tenant]["servers"]}
    with openstack.connect("site2-admin", load_yaml_config=True) as conn:
        answer = conn.session.get(
            "/servers/detail?all_tenants=1", endpoint_filter={"service_type": "compute"}
        )
    assert servers <= {row["id"] for row in answer.json()["servers"]}, "the negative control"


def test_the_services_lists_show_nothing_of_the_other(recovered: Recovered) -> None:
    answers = {tenant: lists(recovered.manager, tenant) for tenant in TENANTS}
    for tenant, other in (TENANTS, TENANTS[::-1]):
        shown = json.dumps(answers[tenant])
        own_ids = {row["id"] for row in answers[tenant]["/v1/applications"]["applications"]}
        theirs = ids({path: listed for answer in answers[other].values() for path, listed in answer.items()
                      if isinstance(listed, list) and listed and "id" in listed[0]})  # fmt: skip
        theirs |= ids(rows(other)) | {recovered.manager.project(own("site2", other))}
        assert own_ids
        assert [word for word in theirs if word in shown] == []
