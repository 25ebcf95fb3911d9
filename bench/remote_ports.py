"""What remote ports cost at a real Neutron: against ordinary ports, until the agents know, and 200 of them reconciled.

The other site of the reconciled network is a simulated one with twenty hosts, so that only one Neutron is measured.
Needs the lab's form for networks (a second compute host is not needed, namespaces as guests are).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from bench.report import ratio
from multisite.clouds import remote_ports, resources, stretched
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.session import FencedAdapter
from multisite.domain.stretched import REMOTE_OWNER, Member, StretchedNetwork, StretchKind, StretchState
from multisite.networks.stretch.reconcile import Reconciler
from multisite.store.database import Database
from multisite.store.stretched import StretchedRepository
from multisite_lab import flows, sites, taps
from multisite_lab.sim.model import Settings, new_id
from multisite_lab.sim.neutron.ipam import blank_port
from multisite_lab.sim.world import World, make_world

GOAL, FDB_GOAL = 1.2, 1.0
SITE, FAR = "site1", "far"
CIDR, VNI = "10.96.0.0/16", 5998
PAIRS, PORTS, VTEPS, FDB = 40, 200, 20, 5
NETWORK = "0b5c1c5e-0000-4000-8000-0000000000be"
TOKEN = "multisite:bench-remote-ports:network"
FIRST_VTEP = "172.31.9.{}"
"""Of the lab's underlay, from 101 on: nobody has them."""


def vtep(number: int) -> str:
    return FIRST_VTEP.format(101 + number)


def mac(number: int) -> str:
    return f"fa:16:3e:be:{number >> 8:02x}:{number & 255:02x}"


def address(number: int) -> str:
    return f"10.96.{1 + number // 250}.{1 + number % 250}"


@contextmanager
def network_at(site: CloudSite) -> Iterator[tuple[str, str]]:
    """A VXLAN network and its subnet, without DHCP; everything in it goes afterwards."""
    _remove(site)
    fields = {"name": "bench", "provider:network_type": "vxlan", "provider:segmentation_id": VNI}
    network = str(resources.ensure(site, "network", TOKEN, fields)["id"])
    wanted = {"network_id": network, "cidr": CIDR, "ip_version": 4, "gateway_ip": None, "enable_dhcp": False}
    subnet = str(resources.ensure(site, "subnet", TOKEN, wanted)["id"])
    try:
        yield network, subnet
    finally:
        _remove(site)


def _remove(site: CloudSite) -> None:
    for network in site.network.get(f"/networks?tags={TOKEN}").json()["networks"]:
        for port in site.network.get(f"/ports?network_id={network['id']}").json()["ports"]:
            site.network.delete(f"/ports/{port['id']}")
        stretched.remove(site, "network", TOKEN, network["id"])


def _post(site: CloudSite, body: Mapping[str, Any]) -> tuple[str, float]:
    begun = time.monotonic()
    answer = site.network.post("/ports", json={"port": dict(body)})
    took = time.monotonic() - begun
    answer.raise_for_status()
    return str(answer.json()["port"]["id"]), took


def against_ordinary(site: CloudSite, network: str, subnet: str) -> dict[str, float]:
    """Median seconds of one POST of each kind; in turn, so that all see the same site.

    A remote port is bound by the request that makes it, so its peer is an ordinary port that is, too (a server's, made
    with its host); one that is bound to no host yet is told besides.
    """
    kinds = ("remote", "ordinary", "unbound")
    # The first behind an endpoint makes its shadow agent besides, so these are timed apart.
    order = ["first"] * VTEPS + [kinds[number % len(kinds)] for number in range(len(kinds) * PAIRS)]
    taken: dict[str, list[float]] = {kind: [] for kind in ("first", *kinds)}
    made = []
    host = sites.hosts(SITE)[0]
    for number, kind in enumerate(order):
        body = {
            "network_id": network, "mac_address": mac(number), "security_groups": [],
            "fixed_ips": [{"subnet_id": subnet, "ip_address": address(number)}],
        }  # fmt: skip
        if kind in ("first", "remote"):
            body |= {
                "device_owner": REMOTE_OWNER,
                "device_id": new_id(),
                "tunneling_ip": vtep(number % VTEPS),
            }
        elif kind == "ordinary":
            body |= {"device_owner": "compute:bench", "device_id": new_id(), "binding:host_id": host}
        port, seconds = _post(site, body)
        taken[kind].append(seconds)
        made.append(port)
    for port in made:
        site.network.delete(f"/ports/{port}")
    return {kind: statistics.median(times) for kind, times in taken.items()}


def until_agents_know(site: CloudSite, network: str, subnet: str) -> list[float]:
    """Seconds from the answer of a POST until the switch of a host with a guest has the flow."""
    body = {"network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": address(900)}]}
    tap = taps.plug(SITE, _post(site, body)[0])
    found = []
    try:
        for number in range(FDB):
            far = mac(1000 + number)
            fields = {
                "name": f"{FAR}/x", "mac_address": far, "device_id": new_id(), "tunneling_ip": vtep(number),
                "fixed_ips": [{"subnet_id": subnet, "ip_address": address(901 + number)}], "security_groups": [],
            }  # fmt: skip
            token = remote_ports.token_of(NETWORK, FAR, str(fields["device_id"]))
            remote_ports.create(site, network, token, fields, tags=False)
            begun = time.monotonic()
            while not any(far in flow and "table=20" in flow for flow in flows.of(SITE, tap.host)):
                if time.monotonic() - begun > 30:
                    raise RuntimeError(f"{tap.host} has no flow for {far} after 30 s")
            found.append(time.monotonic() - begun)
    finally:
        taps.unplug(tap)
    return found


class Counting:
    """Requests by host and method, of everything this process sends to sites."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._honest = FencedAdapter.send
        counting = self

        def send(adapter: FencedAdapter, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
            where = FAR if "127.0.0.1" in request.url else SITE
            counting.counts[f"{where} {request.method}"] += 1
            return counting._honest(adapter, request, *args, **kwargs)

        FencedAdapter.send = send  # type: ignore[method-assign,assignment]

    def take(self) -> str:
        said = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        self.counts.clear()
        return said


def far_site(world: World) -> Member:
    """Twenty hosts with ten guests each."""
    sim = world.sites[FAR].sim
    sim.settings.vteps = {f"far-{n}": vtep(n) for n in range(VTEPS)}
    project, net, sub = sim.accounts[0].project_id, new_id(), new_id()
    common: dict[str, Any] = {"project_id": project, "tags": [], "name": "bench", "description": ""}
    provider = {
        "provider:network_type": "vxlan",
        "provider:segmentation_id": VNI,
        "provider:physical_network": None,
    }
    sim.state.networks[net] = {
        "id": net, **common, **provider, "mtu": 1450, "port_security_enabled": True, "subnets": [sub], "shared": False
    }  # fmt: skip
    sim.state.subnets[sub] = {"id": sub, **common, "network_id": net, "cidr": CIDR, "allocation_pools": []}
    for number in range(PORTS):
        port = blank_port(sim, sim.state.networks[net])
        port |= {
            "mac_address": mac(number), "device_owner": "compute:nova", "binding:host_id": f"far-{number % VTEPS}",
            "fixed_ips": [{"subnet_id": sub, "ip_address": address(number)}], "status": "ACTIVE",
        }  # fmt: skip
        sim.state.ports[port["id"]] = port
    return Member(FAR, net, sub, project, tags=True)


def reconciled(folder: Path, network: str, subnet: str, project: str) -> None:
    """From empty, and with nothing to do; prints seconds and requests."""
    counting = Counting()
    with make_world((FAR,), settings=Settings(remote_port=True)) as world:
        file = world.write_clouds(folder / "clouds.yaml")
        both = yaml.safe_load(file.read_text())
        both["clouds"][SITE] = yaml.safe_load(sites.clouds_yaml().read_text())["clouds"][SITE]
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(both))
        database = Database(f"sqlite:///{folder / 'bench.sqlite'}")
        database.upgrade()
        members = (Member(SITE, network, subnet, project, tags=False), far_site(world))
        StretchedRepository(database).add(
            StretchedNetwork(NETWORK, "bench", "p", StretchKind.VXLAN, StretchState.ACTIVE, CIDR, members, VNI, 1450,
                             dhcp="none")
        )  # fmt: skip
        reconciler = Reconciler(database, Sites(config_file=file), parallel=8, patience=60)
        for what in ("from empty", "no change", "no change"):
            counting.take()
            begun = time.monotonic()
            drift = reconciler.run()[NETWORK]
            took = time.monotonic() - begun
            print(
                f"reconcile {PORTS} ports, {VTEPS} endpoints, {what}: {took:.2f} s; {dict(drift.counts)}; "
                f"{counting.take()}"
            )
            failed = [change for change in drift.changes if "FAILED" in change]
            if failed or drift.counts != {"in-sync": PORTS}:
                raise RuntimeError(f"not in step: {dict(drift.counts)}; {failed[:3]}")
        database.close()


def main() -> int:
    site = Sites(config_file=sites.clouds_yaml()).open_for_service(SITE)
    with tempfile.TemporaryDirectory() as folder, network_at(site) as (network, subnet):
        post = against_ordinary(site, network, subnet)
        print(
            f"one POST, median of {PAIRS}: remote port {post['remote']:.3f} s, ordinary port bound to a host "
            f"{post['ordinary']:.3f} s, bound to none {post['unbound']:.3f} s; first remote port of an endpoint "
            f"{post['first']:.3f} s"
        )
        known = until_agents_know(site, network, subnet)
        print(
            f"flow at the agent after the answer: {', '.join(f'{s:.2f}' for s in known)} s (goal <= {FDB_GOAL} s)"
        )
        for port in site.network.get(f"/ports?network_id={network}").json()["ports"]:
            site.network.delete(f"/ports/{port['id']}")
        reconciled(Path(folder), network, subnet, site.project_id)
    status = ratio("remote_ports", post["remote"] / post["ordinary"], "<=", GOAL)
    return status or int(max(known) > FDB_GOAL)


if __name__ == "__main__":
    sys.exit(main())
