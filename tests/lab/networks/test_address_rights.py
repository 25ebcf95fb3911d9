"""Another project's floating IP, with real Neutrons: it is left alone, and told apart from no address of nobody's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import openstack
import pytest
from address_guests import drop_floating_ip
from real_networks import NAME, Edge, connect

from multisite_lab.manager import CommandFailed, Manager
from multisite_lab.provision import EXTERNAL

SITES = ("site1", "site2")
TAKEN, FREE = "203.0.113.201", "203.0.113.202"
"""In no site's allocation pool."""


@pytest.fixture(scope="module")
def ports(service: Manager) -> Iterator[list[str]]:
    """Ports of the project ``other`` in both sites, as options; the service is its member."""
    made: list[tuple[Any, str]] = []
    options = []
    try:
        for site in SITES:
            service.become_member(site, "other", "operator")
            here, there = service.project("site2-other"), service.project(f"{site}-other")
            granted = {row["There"] for row in service.cli("project", "grant", "list")}
            if here != there and there not in granted:
                service.cli("project", "grant", "create", here, site, there)
            network = openstack.connect(f"{site}-other", load_yaml_config=True).network
            net = network.create_network(name=f"{NAME}-rights")
            made.append((network, net.id))
            network.create_subnet(network_id=net.id, ip_version=4, cidr="10.67.0.0/24")
            port = network.create_port(network_id=net.id, name=f"{NAME}-rights")
            options += ["--member", f"{site}={port.id}"]
        yield options
    finally:
        for network, net_id in made:
            for port in network.ports(network_id=net_id):
                if not port.device_owner.startswith("network:"):
                    network.delete_port(port)
            network.delete_network(net_id)


def test_the_floating_ip_of_another_project_is_left_alone(
    service: Manager, clouds: dict[str, Any], ports: list[str], edge: Edge
) -> None:
    """``vnf`` has the address at site 2; for a member of ``other`` it is as one that nobody has."""
    del edge  # the router that makes the external network one of site 1
    cloud = connect("site2")
    drop_floating_ip(cloud, TAKEN)
    external = cloud.network.find_network(EXTERNAL, ignore_missing=False)
    theirs = cloud.network.create_ip(
        floating_network_id=external.id, floating_ip_address=TAKEN, description="theirs"
    )
    try:
        said = {address: refused(service, address, ports) for address in (TAKEN, FREE)}
        assert said[TAKEN].replace(TAKEN, "X") == said[FREE].replace(FREE, "X")
        assert "create_floatingip:floating_ip_address" in said[FREE], "Neutron's own rule"
        now = cloud.network.get_ip(theirs.id)
        assert (now.description, now.port_id, now.project_id) == ("theirs", None, theirs.project_id)
    finally:
        cloud.network.delete_ip(theirs)
    for site in SITES:
        assert not list(clouds[site].network.ips(floating_ip_address=FREE))


def refused(service: Manager, address: str, ports: list[str]) -> str:
    """Why the job that was to make it was undone."""
    name = f"gw{address.rpartition('.')[2]}"
    words = ("address", "create", name, "--address", address, *ports, "--active", "site1", "--probe", "none")
    with suppress(CommandFailed):  # its exit status says that the job was undone
        service.cli(*words, cloud="site2-other")
    (made,) = [row for row in service.cli("address", "list", cloud="site2-other") if row["Name"] == name]
    found = service.cli("address", "show", made["ID"], cloud="site2-other")
    service.show("address", "delete", made["ID"], cloud="site2-other")
    assert found["state"] == "failed", found
    said = re.sub(r"req-[0-9a-f-]+", "", found["error"])
    return json.dumps(sorted(re.split(r"; (?=Reserve )", said)))  # the sites are asked at the same time
