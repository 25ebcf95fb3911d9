"""Guests without a hypervisor: a network namespace behind a port, plugged into a host's switch as Nova would.

For the lean third site, which has no Nova, and wherever a whole guest is too much.  The port is bound to the host and
its switch's agent puts up the same flows, security groups among them, as for a server's.  Everything here asks the
site's Neutron, so it must run where that can be reached (``multisite-lab exec -- ...``).
"""

from __future__ import annotations

import ipaddress
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from multisite_lab import form, sites
from multisite_lab.model import LabError, site_named
from multisite_lab.ready import admin_session

OWNER = "compute:lab"
"""Device owner of such ports: those of `compute:` get security groups."""

BOUND = 60.0


@dataclass(frozen=True)
class Tap:
    """A plugged namespace.  ``host``: name of the machine it is at; ``device``: its interface, inside."""

    site: str
    host: str
    port: str
    device: str
    namespace: str
    mac: str
    addresses: tuple[str, ...]

    def run(self, argv: Sequence[str], timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a command where this guest is."""
        command = ["ip", "netns", "exec", self.namespace, *argv]
        return sites.exec_in(self.site, command, host=self.host, timeout=timeout)

    def pings(self, address: str, seconds: float = 1.0) -> bool:
        """Whether an address answers one echo request in time."""
        return self.run(["ping", "-n", "-c", "1", "-W", str(seconds), address]).returncode == 0

    def reaches(self, address: str, limit: float = 30.0, wanted: bool = True) -> float | None:
        """Ask until an address answers (``wanted`` false: does not); seconds that took, None: not in time."""
        begun = time.monotonic()
        while time.monotonic() - begun < limit:
            if self.pings(address) == wanted:
                return time.monotonic() - begun
        return None


def plug(site: str, port: str, host: str = "") -> Tap:
    """Bind a port to a host, plug a namespace in behind it, return when it is ACTIVE.

    The namespace has the port's MAC and addresses and the network's MTU; its default route is the subnet's gateway.
    LabError: the port is not bound, or not ACTIVE within 60 s.
    """
    machine = form.machine(site_named(site), host)
    network = _Neutron(site)
    told = network.put(f"ports/{port}", {"port": {"binding:host_id": machine.name, "device_owner": OWNER}})[
        "port"
    ]
    if told["binding:vif_type"] != "ovs":
        raise LabError(f"{machine.name}: port {port} is not bound: vif_type {told['binding:vif_type']}")
    subnets = [network.get(f"subnets/{row['subnet_id']}")["subnet"] for row in told["fixed_ips"]]
    addresses = tuple(
        f"{row['ip_address']}/{ipaddress.ip_network(subnet['cidr']).prefixlen}"
        for row, subnet in zip(told["fixed_ips"], subnets, strict=True)
    )
    found = Tap(
        site, machine.name, port, f"tap{port[:11]}", f"tap-{port[:11]}", told["mac_address"], addresses
    )
    unplug(found)
    mtu = network.get(f"networks/{told['network_id']}")["network"]["mtu"]
    _wire(found, mtu, [subnet["gateway_ip"] for subnet in subnets if subnet["gateway_ip"]])
    network.wait_active(found)
    return found


def unplug(tap: Tap) -> None:
    """Take it away again; no error when it is not there.  The port stays, and goes DOWN."""
    for command in (
        ["ovs-vsctl", "--timeout=20", "--if-exists", "del-port", "br-int", tap.device],
        ["ip", "netns", "del", tap.namespace],
    ):
        sites.exec_in(tap.site, command, host=tap.host)


def _wire(tap: Tap, mtu: int, gateways: list[str]) -> None:
    ids = {"iface-id": tap.port, "attached-mac": tap.mac, "iface-status": "active"}
    inside = ["ip", "-n", tap.namespace]
    for command in (
        ["ip", "netns", "add", tap.namespace],
        [
            *("ovs-vsctl", "--timeout=20", "add-port", "br-int", tap.device, "--"),
            *("set", "Interface", tap.device, "type=internal", f"mtu_request={mtu}"),
            *(f'external_ids:{key}="{value}"' for key, value in ids.items()),
        ],
        ["ip", "link", "set", tap.device, "netns", tap.namespace],
        [*inside, "link", "set", "lo", "up"],
        [*inside, "link", "set", tap.device, "address", tap.mac, "mtu", str(mtu), "up"],
        *([*inside, "addr", "add", address, "dev", tap.device] for address in tap.addresses),
        *([*inside, "route", "replace", "default", "via", gateway] for gateway in gateways[:1]),
        # The user-space switch passes frames on as they come, with the checksum still to be filled in.
        ["ip", "netns", "exec", tap.namespace, "ethtool", "-K", tap.device, "tx", "off"],
    ):
        done = sites.exec_in(tap.site, command, host=tap.host)
        if done.returncode:
            raise LabError(f"{tap.host}: {' '.join(command)}: {done.stderr.strip()[-300:]}")


class _Neutron:
    """The few calls needed here, as the site's administrator."""

    def __init__(self, site: str) -> None:
        found = site_named(site)
        self._session = admin_session(found)
        self._url = f"{found.url('neutron')}/v2.0"

    def get(self, path: str) -> Any:
        return self._session.get(f"{self._url}/{path}").json()

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._session.put(f"{self._url}/{path}", json=body).json()

    def wait_active(self, tap: Tap) -> None:
        end = time.monotonic() + BOUND
        while (status := self.get(f"ports/{tap.port}")["port"]["status"]) != "ACTIVE":
            if time.monotonic() > end:
                raise LabError(
                    f"{tap.host}: port {tap.port} is {status} {BOUND:.0f} s after it was plugged in"
                )
            time.sleep(0.3)
