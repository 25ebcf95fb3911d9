"""A stretched network over three simulated sites, and hands that change its ports behind the manager's back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multisite.clouds.connect import Sites
from multisite.domain.stretched import Member, StretchedNetwork, StretchKind, StretchState
from multisite.networks.stretch.reconcile import Reconciler
from multisite.store.database import Database
from multisite.store.stretched import StretchedRepository
from multisite_lab.sim.model import Row, Settings, Sim, new_id
from multisite_lab.sim.neutron.ipam import blank_port
from multisite_lab.sim.neutron.remote_ports import OWNER, endpoint
from multisite_lab.sim.world import World, make_world

SITES = ("site1", "site2", "site3")
CIDR = "10.99.0.0/24"
NETWORK = "11111111-2222-3333-4444-555555555555"
_macs = itertools.count(1)


@dataclass
class NetworkSetup:
    """``hosts``: of each site, name -> tunnel endpoint."""

    world: World
    database: Database
    clouds: Sites
    reconciler: Reconciler
    network: StretchedNetwork
    hosts: dict[str, dict[str, str]] = field(default_factory=dict)

    def sim(self, site: str) -> Sim:
        return self.world.sites[site].sim

    def ports(self, site: str) -> list[Row]:
        return [
            p
            for p in self.sim(site).state.ports.values()
            if p["network_id"] == self.network.member(site).network_id
        ]

    def real(self, site: str) -> list[Row]:
        return [p for p in self.ports(site) if p["device_owner"].startswith("compute:")]

    def remote(self, site: str, of_site: str) -> list[Row]:
        return [
            p for p in self.ports(site) if p["device_owner"] == OWNER and p["name"].startswith(f"{of_site}/")
        ]

    def boot(self, site: str, number: int, host: str = "", mac: str = "") -> Row:
        """A guest's port with the ``number``-th address of the site's pool."""
        sim, member = self.sim(site), self.network.member(site)
        port = blank_port(sim, sim.state.networks[member.network_id])
        first = (SITES.index(site) + 1) * 50
        address = f"10.99.0.{first + number}"
        count = next(_macs)
        port |= {
            "mac_address": mac
            or f"fa:16:3e:{SITES.index(site):02x}:{count >> 8 & 255:02x}:{count & 255:02x}",
            "fixed_ips": [{"subnet_id": member.subnet_id, "ip_address": address}],
            "device_owner": "compute:nova",
            "device_id": new_id(),
            "binding:host_id": host or next(iter(self.hosts[site])),
            "status": "ACTIVE",
        }
        sim.state.ports[port["id"]] = port
        return port

    def delete(self, site: str, port: Row) -> None:
        self.sim(site).state.ports.pop(port["id"], None)

    def equal(self, known: set[str] | None = None) -> list[str]:
        """What differs between each site's remote ports and the others' real ports; empty when nothing does."""
        wrong = []
        for site in SITES:
            for of_site in SITES:
                if site == of_site or (known is not None and not {site, of_site} <= known):
                    continue
                wanted = {_essence(self.sim(of_site), p) for p in self.real(of_site)}
                has = [_essence(self.sim(site), p) for p in self.remote(site, of_site)]
                if wanted != set(has) or len(has) != len(set(has)):
                    wrong.append(f"{site} for {of_site}: has {sorted(has)}, wanted {sorted(wanted)}")
        return wrong


def _essence(sim: Sim, port: Row) -> tuple[str, str, str, str]:
    real = port["device_id"] if port["device_owner"] == OWNER else port["id"]
    return real, port["mac_address"], port["fixed_ips"][0]["ip_address"], str(endpoint(sim, port))


@contextmanager
def stretched(folder: Path) -> Iterator[NetworkSetup]:
    """Three sites with two hosts each; the network is there and empty."""
    settings = Settings(remote_port=True)
    with make_world(SITES, settings=settings) as world:
        clouds = Sites(config_file=world.write_clouds(folder / "clouds.yaml"), timeout=60)
        database = Database(f"sqlite:///{folder / 'multisite.sqlite'}")
        database.upgrade()
        hosts = {}
        for number, site in enumerate(SITES, start=1):
            hosts[site] = {f"{site}-{n}": f"172.31.{number}.{n}" for n in (1, 2)}
            world.sites[site].sim.settings.vteps = hosts[site]
        network = _made(world)
        StretchedRepository(database).add(network)
        reconciler = Reconciler(database, clouds, parallel=4, patience=120)
        yield NetworkSetup(world, database, clouds, reconciler, network, hosts)
        database.close()


def _made(world: World) -> StretchedNetwork:
    members = []
    for site in SITES:
        sim = world.sites[site].sim
        project = sim.accounts[0].project_id
        common: dict[str, Any] = {"project_id": project, "tags": [], "name": "s", "description": ""}
        net, sub = new_id(), new_id()
        provider = {
            "provider:network_type": "vxlan",
            "provider:segmentation_id": 5000,
            "provider:physical_network": None,
        }
        sim.state.networks[net] = {
            "id": net, **common, **provider, "mtu": 1450, "port_security_enabled": True, "subnets": [sub],
            "shared": False,
        }  # fmt: skip
        sim.state.subnets[sub] = {
            "id": sub, **common, "network_id": net, "cidr": CIDR, "ip_version": 4, "gateway_ip": None,
            "enable_dhcp": False, "allocation_pools": [],
        }  # fmt: skip
        members.append(Member(site, net, sub, project, tags=True))
    return StretchedNetwork(
        NETWORK,
        "s",
        "p",
        StretchKind.VXLAN,
        StretchState.ACTIVE,
        CIDR,
        tuple(members),
        5000,
        1450,
        dhcp="none",
    )
