"""Two projects of the real sites: the service is a member of both, and what one has is not there for the other.

The tenant is the project ``other``; ``vnf`` is the other one, whose things it names.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
import requests

from multisite_lab import vnf
from multisite_lab.manager import Manager, running

NAME = "theirs"
PORT = 8797
SITES = ("site1", "site2")
TENANT = "site2-other"
"""The tenant's account at the Keystone the service trusts."""


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """Both sites, and both projects of each."""
    with running(tmp_path_factory.mktemp("rights"), port=PORT) as made:
        for site in SITES:
            made.register(site)
            made.become_member(site, "other")
            here, there = made.project(TENANT), made.project(f"{site}-other")
            if here != there:
                made.cli("project", "grant", "create", here, site, there)
        yield made


@pytest.fixture(scope="module")
def point(manager: Manager) -> Iterator[str]:
    """A restore point of the tenant's application."""
    for site in SITES:
        vnf.destroy(f"{site}-other", NAME)
    vnf.deploy("site1-other", NAME, servers=1)
    words = ("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
    manager.cli(*words, cloud=TENANT)
    made = manager.cli(
        "protection",
        "create",
        NAME,
        "--target-site",
        "site2",
        "--console-mark",
        vnf.FREEZE_MARK,
        cloud=TENANT,
    )
    found = manager.cli("protection", "run", made["id"], cloud=TENANT)
    yield str(found["id"])
    for site in SITES:
        vnf.destroy(f"{site}-other", NAME)


@pytest.fixture(scope="module")
def another() -> Iterator[dict[str, str]]:
    """A private network and a security group of ``vnf`` at the target, and a port in it at both sites."""
    made: list[tuple[Any, str, str]] = []
    found: dict[str, str] = {}
    try:
        for site in SITES:
            network = vnf.connect(site).network
            net = network.create_network(name="rights-private")
            made.append((network, "network", net.id))
            network.create_subnet(network_id=net.id, ip_version=4, cidr="10.66.0.0/24", gateway_ip=None)
            port = network.create_port(network_id=net.id, name="rights-port")
            made.append((network, "port", port.id))
            group = network.create_security_group(name="rights-group")
            made.append((network, "security_group", group.id))
            found |= {f"network {site}": net.id, f"port {site}": port.id, f"group {site}": group.id}
        yield found
    finally:
        for network, kind, id in reversed(made):
            getattr(network, f"delete_{kind}")(id)


def ask(manager: Manager, path: str, body: Any) -> tuple[int, Any]:
    """POST as the tenant."""
    with openstack.connect(TENANT, load_yaml_config=True) as conn:
        headers = {"X-Auth-Token": str(conn.session.get_token())}
    answer = requests.post(manager.url + path, headers=headers, json=body, timeout=120)
    return answer.status_code, answer.json()


def told(answer: tuple[int, Any], x: str) -> str:
    """Status and words, without the id that was named, and without what is new in each answer."""
    status, body = answer
    if isinstance(body, dict):
        new = ("digest", "made_at", "data_age_seconds")
        body = {key: value for key, value in body.items() if key not in new}
    return re.sub(r"req-[0-9a-f-]+", "", f"{status} {json.dumps(body, sort_keys=True)}".replace(x, "X"))


def preview(manager: Manager, point: str, rule: str, x: str) -> tuple[int, Any]:
    mapping = {
        "create_missing_flavors": True, "source_is_fenced": True, "keep_addresses": False, rule: {f"{NAME}-data": x}
    }  # fmt: skip
    body = {"restore_point": point, "target_site": "site2", "mapping": mapping}
    return ask(manager, "/v1/recoveries/preview", body)


def problems(answer: tuple[int, Any], rule: str) -> list[str]:
    """What stands in the way because of the rule."""
    status, body = answer
    assert status == 200, body
    said = [problem["what"] for problem in body["problems"]]
    return [what for what in said if f"mapping.{rule}" in what]


@pytest.mark.parametrize(("rule", "kind"), [("networks", "network"), ("security_groups", "group")])
def test_what_another_project_has_at_the_target_is_not_there(
    manager: Manager, point: str, another: dict[str, str], rule: str, kind: str
) -> None:
    theirs, nowhere = another[f"{kind} site2"], str(uuid.uuid4())
    answers = {x: preview(manager, point, rule, x) for x in (theirs, nowhere, f"rights-{kind}")}
    assert problems(answers[nowhere], rule), "the negative control"
    assert told(answers[theirs], theirs) == told(answers[nowhere], nowhere)
    assert "rights-" not in told(answers[theirs], theirs)
    assert problems(answers[f"rights-{kind}"], rule), "nor by its name"


def test_what_is_shared_with_the_project_is_there(
    manager: Manager, point: str, another: dict[str, str]
) -> None:
    network = vnf.connect("site2").network
    shared = network.create_rbac_policy(
        object_type="network", object_id=another["network site2"], action="access_as_shared",
        target_project_id=manager.project(TENANT),
    )  # fmt: skip
    try:
        assert problems(preview(manager, point, "networks", another["network site2"]), "networks") == []
    finally:
        network.delete_rbac_policy(shared)


def test_servers_and_ports_of_another_project_are_not_there(
    manager: Manager, point: str, another: dict[str, str], application: vnf.Vnf
) -> None:
    """``point``: the tenant has a server of its own, which is named first."""
    own = vnf.servers("site1-other", NAME)[0].id
    nowhere = str(uuid.uuid4())
    theirs = application.servers[0].id

    def servers(*ids: str) -> tuple[int, Any]:
        body = {"name": "x", "site": "site1", "servers": [{"id": id} for id in ids]}
        return ask(manager, "/v1/applications", body)

    assert told(servers(theirs), theirs) == told(servers(nowhere), nowhere)
    assert told(servers(own, theirs), theirs) == told(servers(own, nowhere), nowhere)

    def path(port: str) -> tuple[int, Any]:
        ends = [{"site": site, "port": port} for site in SITES]
        return ask(manager, "/v1/paths", {"name": "x", "ends": ends, "protocol": "udp", "port": 5000})

    port = another["port site1"]
    assert told(path(port), port) == told(path(nowhere), nowhere)


def test_what_is_recovered_for_a_tenant_is_the_tenants(
    manager: Manager, point: str, another: dict[str, str]
) -> None:
    """Made by a member, records imported by an administrator in the tenant's project; nothing lands in ``vnf``."""
    before = vnf.leftovers("site2")
    words = (
        "--target-site",
        "site2",
        "--create-missing-flavors",
        "--source-is-fenced",
        "--yes-recover",
        NAME,
    )
    made = manager.cli("recovery", "start", point, *words, cloud=TENANT)
    assert made["state"] == "done", made["error"]
    tenant = vnf.connect(TENANT)
    (server,) = made["servers"]
    assert tenant.compute.get_server(server["id"]).project_id == tenant.current_project_id
    assert list(tenant.block_storage.backups()), "the imported records are the tenant's"
    assert vnf.leftovers("site2") == before
    assert manager.cli("recovery", "undo", made["id"], cloud=TENANT)["state"] == "undone"
    assert another["network site2"] in {net.id for net in vnf.connect("site2").network.networks()}
