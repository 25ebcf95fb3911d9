"""Active and standby by keepalived (VRRP) over a stretched network: one master, and the other one when a site is lost.

The two members and who asks them are namespaces behind bound ports; keepalived is Debian's, installed with the lab.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lab_networks import LabNetworks, lab_networks, until

from multisite_lab import sites
from multisite_lab.sites import site_prefix
from multisite_lab.taps import Tap

pytestmark = pytest.mark.lab

CIDR, VIP = "10.99.0.0/24", "10.99.0.250"
MEMBERS, ASKER = ("site1", "site2"), "site3"
ADVERTISEMENT = 1.0
"""Seconds between two advertisements."""
SLOWEST = 3 * ADVERTISEMENT + 1.0 + ADVERTISEMENT
"""RFC 5798, 6.1: three intervals and a skew of less than one are the master's silence; one more to take over."""
ROUTER = """
global_defs {{
    router_id {name}
}}
vrrp_instance gw {{
    state BACKUP
    nopreempt
    interface {device}
    virtual_router_id 51
    priority {priority}
    advert_int {interval:.0f}
    garp_master_delay 0
    virtual_ipaddress {{
        {vip}/24
    }}
}}
"""


class Router:
    """keepalived of one member."""

    def __init__(self, tap: Tap, folder: Path, priority: int) -> None:
        self.tap = tap
        self._folder = folder / tap.site
        self._folder.mkdir()
        fields = {"name": tap.site, "device": tap.device, "priority": priority, "vip": VIP}
        self.file = self._folder / "keepalived.conf"
        self.file.write_text(ROUTER.format(interval=ADVERTISEMENT, **fields))

    def start(self) -> None:
        files = [word for name in "prc" for word in (f"-{name}", str(self._folder / f"{name}.pid"))]
        command = ["keepalived", "-f", str(self.file), "--no-syslog", *files]
        done = self.tap.run(command)
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self) -> None:
        """It goes by itself when its site is lost."""
        pid = self._folder / "p.pid"
        if sites.is_alive(self.tap.site) and pid.exists():
            sites.exec_in(self.tap.site, ["kill", pid.read_text().strip()], host=self.tap.host)

    def master(self) -> bool:
        shown = self.tap.run(["ip", "-4", "addr", "show", "dev", self.tap.device])
        return f"{VIP}/" in shown.stdout


@dataclass(frozen=True)
class Pair:
    """The routers by their site, and who asks for their address."""

    routers: dict[str, Router]
    asker: Tap

    def masters(self) -> list[str]:
        return [site for site, router in self.routers.items() if router.master()]


@contextmanager
def asked(tap: Tap, address: str) -> Iterator[list[float]]:
    """Ten echo requests a second; afterwards the seconds between any two answers."""
    command = ["ip", "netns", "exec", tap.namespace, "ping", "-n", "-D", "-i", "0.1", "-W", "1", address]
    process = subprocess.Popen(
        [*site_prefix(tap.site, tap.host), *command], stdout=subprocess.PIPE, text=True
    )
    gaps: list[float] = []
    try:
        yield gaps
    finally:
        inside = ["pgrep", "-f", f"ping -n -D -i 0.1 -W 1 {address}"]
        for pid in sites.exec_in(tap.site, inside, host=tap.host).stdout.split():
            sites.exec_in(tap.site, ["kill", "-INT", pid], host=tap.host)
        at = [
            float(found)
            for found in re.findall(r"\[([0-9.]+)\] \d+ bytes", process.communicate(timeout=20)[0])
        ]
        gaps += [later - earlier for earlier, later in pairwise(at)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Any]) -> Iterator[LabNetworks]:
    with lab_networks(tmp_path_factory.mktemp("vrrp"), clouds) as found:
        yield found


@pytest.fixture
def pair(made: LabNetworks, tmp_path: Path) -> Iterator[Pair]:
    """Both run, and site 1 has the address."""
    network = made.stretch("vrrp", "--cidr", CIDR, names=(*MEMBERS, ASKER))
    for site in (*MEMBERS, ASKER):
        rules = made.clouds[site].network
        group = made.group(site)
        if not list(rules.security_group_rules(security_group_id=group, protocol="vrrp")):
            rules.create_security_group_rule(
                security_group_id=group, direction="ingress", ether_type="IPv4", protocol="vrrp",
                remote_group_id=group,
            )  # fmt: skip
    taps = {site: made.plug(network, site) for site in (*MEMBERS, ASKER)}
    found = {}
    for site, priority in zip(MEMBERS, (150, 100), strict=True):
        made.clouds[site].network.update_port(taps[site].port, allowed_address_pairs=[{"ip_address": VIP}])
        found[site] = Router(taps[site], tmp_path, priority)
    made.meets(taps["site1"], taps["site2"])
    until("the pairs are at the other site", lambda: _pairs(made, network), 30)
    try:
        found["site1"].start()
        until("site 1 is the master", found["site1"].master, 30)
        found["site2"].start()
        assert taps[ASKER].reaches(VIP, 30) is not None
        yield Pair(found, taps[ASKER])
    finally:
        for site in MEMBERS:
            if not sites.is_alive(site):
                sites.start(site)
        for router in found.values():
            router.stop()
        made.clear()


def _pairs(made: LabNetworks, network: dict[str, Any]) -> bool:
    """Whether each site's remote ports of the members carry the virtual address: security groups let it in by that."""
    rows = [row for site in MEMBERS for row in made.remote(site, network).values()]
    return [bool(row["allowed_address_pairs"]) for row in rows].count(True) == len(MEMBERS)


def test_one_master_while_both_sites_are_there(pair: Pair) -> None:
    with asked(pair.asker, VIP) as gaps:
        end = time.monotonic() + 5 * SLOWEST
        while time.monotonic() < end:
            assert pair.masters() == ["site1"]
            time.sleep(0.5)
    print(f"\none master for {5 * SLOWEST:.0f} s; longest time without an answer {max(gaps):.1f} s")
    assert max(gaps) < ADVERTISEMENT


def test_the_masters_site_is_lost(pair: Pair) -> None:
    with asked(pair.asker, VIP) as gaps:
        time.sleep(2)
        sites.kill("site1")
        until("site 2 is the master", pair.routers["site2"].master, 30)
        time.sleep(3)
    print(f"\nsite lost: {max(gaps):.1f} s without an answer at site 3 (VRRP allows {SLOWEST:.1f} s)")
    assert max(gaps) <= SLOWEST


def test_a_cut_between_the_sites_makes_two_masters(pair: Pair) -> None:
    """The control, and what the documentation warns of: VRRP does not fence.  One again once reconnected."""
    sites.cut("site1")
    try:
        until("both are masters", lambda: len(pair.masters()) == 2, 30)
    finally:
        sites.reconnect("site1")
    _, took = until("one is", lambda: len(pair.masters()) == 1, 30)
    print(f"\ncut: two masters; reconnected: one again after {took:.1f} s")
