"""Where members are reached: an external network with floating IPs at each site, and the ports behind them.

``Outside`` is what stands beyond the sites: it asks their data planes who carries an address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from multisite.clouds.connect import CloudSite
from multisite.networks.addresses.binder import Patience
from multisite.networks.addresses.service import AddressService
from multisite.networks.paths.service import PathService
from multisite.networks.probe.service import ProbeService
from multisite_lab.sim.neutron import floating_ips
from multisite_lab.sim.site import SimSite
from multisite_lab.sim.world import World
from tests.sim import deploy

PATIENCE = Patience(agent=1.0, word=0.1, quiet=1.0, answer=1.0, poll=0.01)
POOLS = {"paris": "203.0.113.51", "lyon": "203.0.113.101"}
"""Where floating IPs begin that nobody chose."""


def furnish(site: SimSite, cloud: CloudSite, ports: dict[str, str]) -> None:
    """An external network, and ports (id -> project) that have no floating IP yet."""
    name, state = site.sim.name, site.sim.state
    fields = {"name": "ext", "router:external": True}
    ext = deploy.ask(cloud.network, "POST", "/networks", {"network": fields})["network"]["id"]
    pool = {"start": POOLS[name], "end": POOLS[name].rpartition(".")[0] + ".199"}
    subnet: dict[str, Any] = {
        "network_id": ext,
        "ip_version": 4,
        "cidr": "203.0.113.0/24",
        "enable_dhcp": False,
    }
    deploy.ask(cloud.network, "POST", "/subnets", {"subnet": subnet | {"allocation_pools": [pool]}})
    inside = deploy.network(cloud, "inside", "10.9.0.0/24")
    for id, project in ports.items():
        row = state.ports.pop(deploy.port(cloud, id, inside))
        state.ports[id] = row | {"id": id, "project_id": project}


class Outside:
    """``loses``: numbers of the questions that get no answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.loses: set[int] = set()

    def carried(self, address: str, _how: object = None) -> bool:
        """Whether a site answers for the address; one that is cut off or lost does not."""
        there = [site for name, site in self.world.sites.items() if name not in self.world.lost]
        return any(floating_ips.carried(site.settle(), address) for site in there)

    def opens(self, address: str, _how: object) -> Asker:
        return Asker(lambda number: number not in self.loses and self.carried(address))


class Asker:
    def __init__(self, answered: Callable[[int], bool]) -> None:
        self._answered = answered
        self._heard: list[tuple[int, float]] = []

    def ask(self, number: int) -> None:
        if self._answered(number):
            self._heard.append((number, time.monotonic()))

    def answers(self, wait: float) -> Iterator[tuple[int, float]]:
        heard, self._heard = self._heard, []
        if not heard:
            time.sleep(min(wait, 0.01))
        return iter(heard)

    def close(self) -> None: ...


@contextmanager
def outside(world: World) -> Iterator[Outside]:
    """Services made here listen there: from where tests run nobody is reached."""
    found = Outside(world)
    with ExitStack() as stack:
        for kind, values in (
            (AddressService, {"listener": found.carried, "patience": PATIENCE}),
            (PathService, {"listener": found.carried}),
        ):
            stack.enter_context(patch.dict(kind.__init__.__kwdefaults__, values))  # type: ignore[misc]
        stack.enter_context(patch.object(ProbeService.__init__, "__defaults__", (found.opens,)))
        yield found
