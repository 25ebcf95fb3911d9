"""How many requests a pass without a change takes: 1,000 security groups in two simulated sites, against reading each.

A tool that asks for each resource by its id takes one request per resource and site.  Also told: seconds of a pass, and
that twice as many resources take no more than twice the time.  Needs no lab.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import ratio
from multisite.domain.caller import Caller
from multisite.resources.sync.service import ResourceSyncService
from multisite_lab.sim.world import World, make_world
from tests.sim.service import Service, running_service

RESOURCES = 1000
GOAL = 10.0
ADMIN = Caller("bench", "bench", "p1", "vnf", frozenset({"admin"}), "req-bench")


def furnish(world: World, service: Service, count: int) -> None:
    """Groups at both sites alike, straight into their state: making them is not what is measured."""
    for name, site in world.sites.items():
        project = service.cloud(name).project_id
        for number in range(count):
            id = f"{name}-{number:08}-0000-0000-000000000000"
            rule: dict[str, Any] = {
                "id": f"r-{id}", "security_group_id": id, "project_id": project, "direction": "ingress",
                "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 1, "port_range_max": number % 60000 + 1,
                "remote_ip_prefix": None, "remote_group_id": None, "remote_address_group_id": None, "description": "",
            }  # fmt: skip
            site.sim.state.security_groups[id] = {
                "id": id, "name": f"g{number}", "description": "", "project_id": project, "tenant_id": project,
                "tags": [], "stateful": True, "shared": False, "revision_number": 1, "security_group_rules": [rule],
            }  # fmt: skip


def requests(world: World) -> int:
    return sum(
        seen.service == "network" and seen.path != "/"
        for site in world.sites.values()
        for seen in site.script.log
    )


def measured(count: int) -> tuple[int, float]:
    """Requests and seconds of a pass without a change."""
    with (
        tempfile.TemporaryDirectory() as folder,
        make_world(("site1", "site2")) as world,
        running_service(Path(folder), world) as service,
    ):
        syncs = ResourceSyncService(service.database, service.jobs, service.clouds)
        wanted = {"source_site": "site1", "target_sites": ["site2"], "kinds": ["security-group"]}
        sync = syncs.create(ADMIN, "bench", **wanted)
        furnish(world, service, count)
        service.rest(syncs.apply(ADMIN, sync.id))
        before, begun = requests(world), time.monotonic()
        service.rest(syncs.apply(ADMIN, sync.id))
        seconds = time.monotonic() - begun
        result = syncs.get(ADMIN, sync.id).result
        assert result.in_sync is True, result.told
        assert result.counts == {}
        return requests(world) - before, seconds


def main() -> int:
    half = measured(RESOURCES // 2)
    asked, seconds = measured(RESOURCES)
    print(f"{RESOURCES // 2} resources: {half[0]} requests, {half[1]:.1f} s")
    print(
        f"{RESOURCES} resources: {asked} requests, {seconds:.1f} s; each by its id: {2 * RESOURCES} requests"
    )
    return ratio("reconcile", 2 * RESOURCES / asked, ">=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
