"""Guests, networks and routers of the real sites, made for a test and removed after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import openstack
import pytest

from multisite_lab import sites
from multisite_lab.provision import EXTERNAL, FLAVOR, IMAGE

NAME = "networks-test"
"""Everything made here is called so, or begins so: that is how it is found again after a killed run."""

ACTIVE = 300.0
AGENT_UP = 300.0


def until(what: str, condition: Callable[[], Any], limit: float, pause: float = 0.5) -> Any:
    """Wait until something is so, and return it; fail with what was waited for."""
    end = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail(f"not within {limit:.0f} s: {what}")
        time.sleep(pause)
    return found


def connect(site: str) -> Any:
    """Log in as the operator: administrator and member of the project."""
    config = openstack.config.OpenStackConfig(config_files=[str(sites.clouds_yaml())])
    return openstack.connection.Connection(config=config.get_one(site))


@dataclass(frozen=True)
class Guest:
    """A server, booted from a volume; its port's address is ``address``."""

    site: str
    cloud: Any
    id: str
    domain: str
    port: str
    address: str

    @property
    def host(self) -> str:
        """Where it runs, as Nova says."""
        return str(self.cloud.compute.get_server(self.id).compute_host)

    def agent(self) -> bool:
        """Whether the agent in it answers."""
        try:
            sites.guest_agent(self.site, self.domain, "guest-ping", timeout=2, host=self.host)
        except sites.LabError:
            return False
        return True

    def run(self, command: str) -> tuple[int, str]:
        """Run a shell command in it through its agent; return exit code and output."""
        return sites.guest_exec(self.site, self.domain, command, host=self.host)

    def pings(self, address: str) -> bool:
        """Whether an address answers one echo request of it."""
        return self.run(f"ping -c 1 -W 2 {address}")[0] == 0

    def console(self) -> str:
        """What it has written to its serial console."""
        return sites.console(self.site, self.id)

    def action(self, **body: Any) -> None:
        """A server action by its name in the API (``migrate=None``); fails when Nova refuses it."""
        answer = self.cloud.compute.post(f"/servers/{self.id}/action", json=body, microversion="2.88")
        assert answer.ok, answer.text

    def wait_at(self, host: str, limit: float = 240.0) -> None:
        """Until Nova says that it is ACTIVE at a host."""

        def there() -> bool:
            server = self.cloud.compute.get_server(self.id)
            assert server.status != "ERROR", server.fault
            return bool(server.status == "ACTIVE" and server.compute_host == host and not server.task_state)

        until(f"{self.domain} is ACTIVE at {host}", there, limit, 1.0)


@dataclass(frozen=True)
class Edge:
    """A network with DHCP behind a router to the external network."""

    cloud: Any
    network: str
    router: str
    group: str

    def router_host(self) -> str:
        """The host whose agent has the router."""
        agents = list(self.cloud.network.routers_hosting_l3_agents(self.router))
        return str(agents[0].host) if agents else ""

    def move_router(self, host: str) -> None:
        """Take the router from the agent that has it and give it to that of another host.

        Not by openstacksdk's methods for it: the first does nothing, the second does not tell that it was refused.
        """
        network = self.cloud.network
        for agent in list(network.routers_hosting_l3_agents(self.router)):
            answer = network.delete(f"/agents/{agent.id}/l3-routers/{self.router}")
            assert answer.ok, answer.text
        (target,) = [a for a in network.agents(agent_type="L3 agent") if a.host == host]
        answer = network.post(f"/agents/{target.id}/l3-routers", json={"router_id": self.router})
        assert answer.ok, answer.text

    def floating_ip(self, port: str) -> Any:
        """A new public address of a port."""
        network = self.cloud.network
        public = network.find_network(EXTERNAL, ignore_missing=False)
        return network.create_ip(floating_network_id=public.id, port_id=port, description=NAME)


def make_edge(cloud: Any, cidr: str, name: str = NAME) -> Edge:
    """Network, subnet, router with gateway, and a group that lets echo requests and SSH in."""
    network = cloud.network
    net = network.create_network(name=name)
    subnet = network.create_subnet(name=name, network_id=net.id, ip_version=4, cidr=cidr)
    public = network.find_network(EXTERNAL, ignore_missing=False)
    router = network.create_router(name=name, external_gateway_info={"network_id": public.id})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    group = network.create_security_group(name=name)
    for rule in ({"protocol": "icmp"}, {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}):
        network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ether_type="IPv4", **rule
        )
    return Edge(cloud, net.id, router.id, group.id)


def boot(site: str, cloud: Any, network: str, groups: list[str], host: str, name: str = NAME) -> Guest:
    """Boot the lab's guest from a Ceph volume at a host; returns when its agent answers."""
    port = cloud.network.create_port(name=name, network_id=network, security_groups=groups)
    image = cloud.image.find_image(IMAGE, ignore_missing=False)
    volume = cloud.block_storage.create_volume(name=name, size=1, image_id=image.id)
    cloud.block_storage.wait_for_status(volume, "available", wait=ACTIVE)
    disk = {"boot_index": 0, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"}
    wanted = {
        "name": name,
        "flavorRef": cloud.compute.find_flavor(FLAVOR, ignore_missing=False).id,
        "networks": [{"port": port.id}],
        "block_device_mapping_v2": [disk | {"delete_on_termination": True}],
        "host": host,
    }
    answer = cloud.compute.post("/servers", json={"server": wanted}, microversion="2.74")
    assert answer.ok, answer.text
    server = cloud.compute.wait_for_server(
        cloud.compute.get_server(answer.json()["server"]["id"]), wait=ACTIVE
    )
    address = port.fixed_ips[0]["ip_address"]
    found = Guest(site, cloud, server.id, server.instance_name, port.id, address)
    until("the guest's agent answers", found.agent, AGENT_UP, 1.0)
    until("the guest has its address", lambda: address in found.console(), AGENT_UP, 1.0)
    return found


def remove(cloud: Any) -> None:
    """Remove what tests made, also an earlier run that was killed."""
    network = cloud.network
    if any(service.type == "compute" for service in cloud.identity.services()):
        for server in cloud.compute.servers(name=f"^{NAME}"):
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server, wait=180)
        for volume in cloud.block_storage.volumes():
            if volume.name.startswith(NAME) and not volume.attachments:
                cloud.block_storage.delete_volume(volume)
    routers = [router for router in network.routers() if router.name.startswith(NAME)]
    ours = {router.id for router in routers}
    for address in network.ips():  # a moving address has a description of its own
        if address.description == NAME or address.router_id in ours:
            network.delete_ip(address)
    for router in routers:
        for port in network.ports(device_id=router.id, device_owner="network:router_interface"):
            network.remove_interface_from_router(router, port_id=port.id)
        network.delete_router(router)
    for port in network.ports():
        if port.name.startswith(NAME):
            network.delete_port(port)
    for net in network.networks():
        if net.name.startswith(NAME):
            network.delete_network(net)
    for group in network.security_groups():
        if group.name.startswith(NAME):
            network.delete_security_group(group)
