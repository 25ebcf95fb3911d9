"""A manager over the sites' Neutrons, stretched networks made by its commands, and namespaces as guests in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from real_networks import NAME

from multisite_lab import flows, form, sites, taps
from multisite_lab.faults.core import Faults, running
from multisite_lab.manager import Manager

OWNER = "multisite:remote_port"
PORT = 8797
SETTLED = 60.0


def until(
    what: str, condition: Callable[[], Any], limit: float = SETTLED, pause: float = 0.1
) -> tuple[Any, float]:
    """Wait until something is so: what it gave, and the seconds that took."""
    begun = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - begun < limit, f"not within {limit:.0f} s: {what}"
        time.sleep(pause)
    return found, time.monotonic() - begun


@dataclass
class LabNetworks:
    """``clouds``: site -> its operator's connection."""

    manager: Manager
    clouds: dict[str, Any]
    taps: list[taps.Tap] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

    def stretch(
        self, word: str, *options: str, names: tuple[str, ...] = ("site1", "site2")
    ) -> dict[str, Any]:
        """A new stretched network; what ``network stretch`` shows."""
        name = f"{NAME}-{word}"
        words = [option for site in names for option in ("--site", site)]
        made: dict[str, Any] = self.manager.cli("network", "stretch", name, *words, *options)
        self.networks.append(name)
        return made

    def unstretch(self, network: dict[str, Any]) -> None:
        self.manager.cli("network", "unstretch", network["name"])
        self.networks.remove(network["name"])

    def group(self, site: str) -> str:
        """Of one name in every site: lets in what comes from the same group, and nothing else."""
        network = self.clouds[site].network
        found = network.find_security_group(NAME)
        if found is None:
            found = network.create_security_group(name=NAME)
            network.create_security_group_rule(
                security_group_id=found.id, direction="ingress", ether_type="IPv4", protocol="icmp",
                remote_group_id=found.id,
            )  # fmt: skip
        return str(found.id)

    def plug(self, network: dict[str, Any], site: str, host: str = "", address: str = "") -> taps.Tap:
        """A guest (a namespace behind a bound port) at a site."""
        member = next(m for m in network["members"] if m["site"] == site)
        fixed = {"fixed_ips": [{"ip_address": address}]} if address else {}
        port = self.clouds[site].network.create_port(
            name=network["name"], network_id=member["network_id"], security_groups=[self.group(site)], **fixed
        )
        tap = taps.plug(site, port.id, host)
        self.taps.append(tap)
        return tap

    def unplug(self, tap: taps.Tap) -> None:
        taps.unplug(tap)
        answer = self.clouds[tap.site].network.delete(f"/ports/{tap.port}")
        assert answer.status_code in (204, 404), f"{tap.site}: {answer.status_code} {answer.text[:300]}"
        self.taps.remove(tap)

    def remote(self, site: str, network: dict[str, Any]) -> dict[str, Any]:
        """The remote ports of a network at a site, by the id of the port they stand for."""
        member = next(m for m in network["members"] if m["site"] == site)
        rows = (
            self.clouds[site]
            .network.get(f"/ports?network_id={member['network_id']}&device_owner={OWNER}")
            .json()
        )
        return {row["device_id"]: row for row in rows["ports"]}

    def show(self, network: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.manager.cli("network", "show", network["name"])
        return found

    def meets(self, one: taps.Tap, other: taps.Tap, limit: float = 30.0) -> float:
        """Seconds until each reaches the other."""
        begun = time.monotonic()
        for here, there in ((one, other), (other, one)):
            address = there.addresses[0].split("/")[0]
            assert here.reaches(address, limit) is not None, (
                f"{here.host} does not reach {address} in {limit:.0f} s"
            )
        return time.monotonic() - begun

    def flows_for(self, mac: str, site: str, host: str) -> list[str]:
        """What a host's switch was told of a MAC address that is elsewhere."""
        return [flow for flow in flows.of(site, host) if "table=20" in flow and mac in flow]

    def traces(self, network: dict[str, Any]) -> list[str]:
        """What is left of a network anywhere: ports, networks, flows of its VNI."""
        vni = f"0x{int(network['segmentation_id']):x}"
        found = []
        for site, cloud in self.clouds.items():
            found += [f"{site}: network {n.id}" for n in cloud.network.networks(name=network["name"])]
            found += [
                f"{site}: port {p.id}" for p in cloud.network.ports(device_owner=OWNER) if not self.networks
            ]
            for host in sites.hosts(site):
                found += [
                    f"{host}: {flow}"
                    for flow in flows.of(site, host)
                    if f"tun_id={vni}" in flow or f"{vni}->" in flow
                ]
        return found

    def clear(self) -> None:
        for tap in list(self.taps):
            self.unplug(tap)
        for name in list(self.networks):
            self.manager.cli("network", "unstretch", name)
            self.networks.remove(name)


@contextmanager
def lab_networks(folder: Path, clouds: dict[str, Any], through: Path | None = None) -> Iterator[LabNetworks]:
    """``through``: a clouds.yaml that leads through fault proxies."""
    manager = Manager(folder, port=PORT, clouds=through)
    manager.prepare()
    manager.start()
    try:
        for site in form.sites():
            manager.register(site, cloud=site)  # who chooses addresses is an administrator
        made = LabNetworks(manager, clouds)
        try:
            yield made
        finally:
            made.clear()
    finally:
        manager.stop()


@contextmanager
def behind_faults(made: LabNetworks, folder: Path) -> Iterator[tuple[LabNetworks, Faults]]:
    """A second one whose calls to both sites go through fault proxies; the first one's manager rests meanwhile."""
    with running(["site1", "site2"], folder / "faults") as faults:
        made.manager.stop()
        try:
            with lab_networks(folder / "through", made.clouds, faults.folder.clouds) as behind:
                yield behind, faults
        finally:
            made.manager.start()
