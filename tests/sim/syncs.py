"""A sync over three simulated sites: what a test wants of it, and what it left in the sites."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.resource_sync import Act, ResourceSync
from multisite.jobs.model import JobState
from multisite.resources.sync.service import ResourceSyncService
from multisite_lab.sim.world import World
from tests.sim.deploy import ask
from tests.sim.service import Service

ADMIN = Caller("u-1", "olga", "p1", "vnf", frozenset({"admin"}), "req-1")
MEMBER = Caller("u-2", "mia", "p1", "vnf", frozenset({"member"}), "req-2")
TARGETS = ("site2", "site3")


class Syncs:
    def __init__(self, service: Service, world: World) -> None:
        self.here, self.world = service, world
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.syncs = ResourceSyncService(service.database, service.jobs, service.clouds, lambda: self.now)
        self.sync_id = ""

    def want(self, *kinds: str, **more: Any) -> None:
        wanted = {"source_site": "site1", "target_sites": TARGETS, "kinds": kinds} | more
        self.sync_id = self.syncs.create(ADMIN, f"sync-{len(self.syncs.list(ADMIN))}", **wanted).id

    def exported(self, *kinds: str, site: str = "site1", **more: Any) -> str:
        """The document of what a site has."""
        return self.syncs.export(ADMIN, site, kinds, **more)[0]

    def want_file(self, document: str, **more: Any) -> None:
        wanted = {"document": document, "target_sites": TARGETS} | more
        self.sync_id = self.syncs.create(ADMIN, f"sync-{len(self.syncs.list(ADMIN))}", **wanted).id

    def apply(self, **more: bool) -> ResourceSync:
        job = self.here.rest(self.syncs.apply(ADMIN, self.sync_id, **more))
        assert job.state is JobState.DONE, job.error
        return self.syncs.get(ADMIN, self.sync_id)

    def in_sync(self) -> None:
        """By what the sites have, and by the word of a plan and another pass."""
        assert self.apply().result.in_sync is True, self.syncs.get(ADMIN, self.sync_id).result.told
        assert [c for c in self.syncs.plan(ADMIN, self.sync_id) if c.act is not Act.ACCEPT] == []

    def plan(self) -> list[tuple[str, str, str]]:
        return [(str(c.act), c.target_site, c.name) for c in self.syncs.plan(ADMIN, self.sync_id)]

    def group(self, site: str, name: str, *rules: dict[str, Any]) -> str:
        network = self.here.cloud(site).network
        body = {"security_group": {"name": name, "description": f"of {name}"}}
        made = str(ask(network, "POST", "/security-groups", body)["security_group"]["id"])
        for rule in rules:
            self.rule(site, made, **rule)
        return made

    def rule(self, site: str, group: str, **fields: Any) -> None:
        body = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", **fields}
        ask(self.here.cloud(site).network, "POST", "/security-group-rules", {"security_group_rule": body})

    def groups(self, site: str) -> dict[str, list[tuple[Any, ...]]]:
        """By name the rules, groups in them by name."""
        rows = self.world.sites[site].settle().state.security_groups
        return {
            row["name"]: sorted(
                (r["direction"], r["ethertype"], str(r["protocol"]), str(r["port_range_min"]),
                 rows[r["remote_group_id"]]["name"] if r["remote_group_id"] else "")
                for r in row["security_group_rules"]
            )
            for row in rows.values()
        }  # fmt: skip

    def asked(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for site in self.world.sites.values():
            for seen in site.script.log:
                if seen.service not in ("identity", ""):
                    key = (seen.method, seen.path)
                    found[key] = found.get(key, 0) + 1
        return found
