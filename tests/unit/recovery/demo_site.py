"""The application "demo" in a simulated site, with trouble on the way to it.

Servers are ``id1`` ("web1"), ``id2`` ...; each has the volumes ``v1a`` (1 GiB, root) and ``v1b`` (2 GiB).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from multisite.clouds import build, quiesce, volumes
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import Unreachable
from multisite.domain.model import Application, Member
from multisite.recovery.methods.consistent_backup import backup, capture, method
from multisite_lab.sim import guest, model
from multisite_lab.sim.nova import quiesce as nova_quiesce
from multisite_lab.sim.world import World, make_world

USER_DATA = "c2VjcmV0"
_VERBS: dict[str, tuple[tuple[Any, ...], str, int | str | None]] = {
    "freeze": ((quiesce,), "freeze", 1),
    "thaw": ((quiesce,), "thaw", 1),
    "console": ((build,), "console", 1),
    "snapshot": ((volumes,), "create_snapshot", 2),
    "snapshot_group": ((volumes,), "create_group_snapshot", 2),
    "snapshots_named": ((volumes,), "snapshots_named", None),
    "snapshots_by_token": ((volumes,), "snapshots_by_token", None),
    "delete_snapshot": ((volumes,), "delete_snapshot", 1),
    "delete_group_snapshot": ((volumes,), "delete_group_snapshot", 1),
    "backups": ((volumes,), "backups", None),
    "backups_by_token": ((volumes,), "backups_by_token", 1),
    "backups_of_jobs": ((volumes,), "backups_of_jobs", None),
    "create_backup": ((volumes,), "create_backup", "volume_id"),
    "wait_backup": ((volumes,), "wait_backup", 1),
    "export_record": ((volumes,), "export_record", 1),
    "delete_backup": ((volumes,), "delete_backup", 1),
    "warm": ((capture,), "warm", None),
    "look": ((backup, method), "read_state", None),
}
"""What is asked of the site: the modules that call it, its name there, and which argument it is about."""


def nothing(verb: str, thing: str) -> None:
    """No trouble."""


def unreachable(*_: str) -> None:
    raise Unreachable("s1", "call", "no answer in time")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class SnapshotSeen:
    """A snapshot in the site; ``frozen``: the servers that stood still when it was first seen complete."""

    row: model.Snapshot
    token: str
    frozen: frozenset[str] | None

    @property
    def volume_id(self) -> str:
        return self.row.volume_id


class DemoSite:
    """``trouble(verb, thing)`` may raise before a verb takes effect, ``late`` after it did."""

    name = "s1"

    def __init__(self, world: World, clouds: Sites, servers: int) -> None:
        self.world, self.clouds, self.sim = world, clouds, world.sites[self.name].sim
        self.trouble: Callable[[str, str], None] = nothing
        self.late: Callable[[str, str], None] = nothing
        self.log: list[tuple[str, str]] = []
        self.unfrozen: set[str] = set()
        self._standing: dict[str, frozenset[str]] = {}
        self._lock = threading.RLock()
        for number in range(1, servers + 1):
            self._add_server(number)

    def _add_server(self, number: int) -> None:
        sim, account = self.sim, self.sim.accounts[0]
        server_id, disks = f"id{number}", []
        for letter, size in (("a", 1), ("b", 2)):
            disk = model.Disk(f"v{number}{letter}", f"/dev/vd{letter}", False, model.new_id())
            sim.state.volumes[disk.volume_id] = model.Volume(
                disk.volume_id, disk.volume_id, None, size, account.project_id, account.user_id, "rbd",
                sim.now, "in-use", bootable=letter == "a", server_id=server_id, device=disk.device,
                attachment_id=disk.attachment_id,
            )  # fmt: skip
            disks.append(disk)
        flavor = dict(next(iter(sim.state.flavors.values())))
        server = model.Server(
            server_id, f"web{number}", account.project_id, account.user_id, sim.now, flavor, {}, [], None,
            f"web{number}", None, USER_DATA, "nova", False, disks, [], None, "ACTIVE", None,
        )  # fmt: skip
        sim.state.servers[server_id] = server
        guest.boot(sim, server)

    @property
    def site(self) -> CloudSite:
        return self.clouds.open_for_service(self.name)

    @property
    def state(self) -> model.State:
        """As it is now: what was due has happened."""
        return self.world.sites[self.name].settle().state

    @property
    def application(self) -> Application:
        members = tuple(
            Member(s.id, s.name, order, s.id not in self.unfrozen)
            for order, s in enumerate(self.state.servers.values(), start=1)
        )
        return Application("app-1", "demo", "p1", self.name, members)

    def server(self, id: str) -> model.Server:
        return self.state.servers[id]

    @property
    def frozen(self) -> set[str]:
        return {s.id for s in self.state.servers.values() if s.freeze.state in ("freezing", "frozen")}

    def expire(self, id: str) -> None:
        """nova-api's limit for the freeze is over."""
        nova_quiesce._limit(self.sim, id, self.server(id).freeze.number)

    def thaw_by_others(self, id: str) -> None:
        nova_quiesce._thawed(self.sim, self.server(id))

    @property
    def snapshots(self) -> dict[str, SnapshotSeen]:
        rows = self.state.snapshots
        return {
            k: SnapshotSeen(s, s.metadata.get("multisite_token", ""), self._standing.get(k))
            for k, s in rows.items()
        }

    @property
    def saved(self) -> dict[str, model.Backup]:
        return self.state.backups

    @property
    def groups(self) -> dict[str, Any]:
        return self.state.group_snapshots

    def make_group(self) -> str:
        """All volumes become members of a group whose type takes consistent snapshots."""
        kind = next(iter(self.state.group_types))
        row = {"id": "g1", "name": "demo", "group_type": kind, "status": "available", "volume_types": []}
        self.state.groups["g1"] = row | {"project_id": self.sim.accounts[0].project_id}
        for volume in self.state.volumes.values():
            volume.group_id = "g1"
        return "g1"

    def back_up(self, token: str, volume_id: str) -> model.Backup:
        """A backup somebody made, with this token."""
        kept, self.trouble = self.trouble, nothing
        made = volumes.create_snapshot(self.site, "multisite:another-job:snapshot", volume_id, "x", 5)
        snapshot = self.state.snapshots[made.id]
        while snapshot.status != "available":
            snapshot = self.state.snapshots[made.id]
        done = volumes.create_backup(
            self.site, token, volume_id=volume_id, snapshot_id=made.id, name="x", incremental=False
        )
        volumes.wait_backup(self.site, done.id, 5)
        del self.state.snapshots[snapshot.id]
        self.trouble = kept
        return self.state.backups[done.id]

    def verbs(self, *wanted: str) -> list[tuple[str, str]]:
        return [(verb, thing) for verb, thing in self.log if verb in wanted]

    @contextmanager
    def watched(self) -> Iterator[DemoSite]:
        """While the block runs, everything that is asked of the site is logged and may meet trouble."""
        with ExitStack() as patches:
            for verb, (modules, name, about) in _VERBS.items():
                for module in modules:
                    wrapped = self._wrapped(verb, getattr(module, name), about)
                    patches.enter_context(patch.object(module, name, wrapped))
            yield self

    def _wrapped(self, verb: str, act: Callable[..., Any], about: int | str | None) -> Callable[..., Any]:
        def asked(*args: Any, **kwargs: Any) -> Any:
            thing = ""
            if about is not None:
                thing = str(kwargs[about] if isinstance(about, str) else args[about])
            with self._lock:
                self.log.append((verb, thing))
            self.trouble(verb, thing)
            found = act(*args, **kwargs)
            if verb == "snapshots_named":
                standing = frozenset(self.frozen)
                for snapshot in found:
                    if snapshot.status == "available":
                        self._standing.setdefault(snapshot.id, standing)
            self.late(verb, thing)
            return found

        return asked


class DemoSites:
    """Two simulated sites, "s1" and "s2", that begin anew as often as you like."""

    def __init__(self, folder: Path) -> None:
        self.world = make_world(("s1", "s2")).__enter__()
        for site in self.world.sites.values():
            site.sim.settings.backup = site.sim.settings.snapshot = site.sim.settings.freeze = 0.0
            site.sim.settings.delete_backup = site.sim.settings.delete_snapshot = 0.0
        self.clouds = Sites(lambda name: name, config_file=self.world.write_clouds(folder / "clouds.yaml"))
        for name in self.world.sites:
            self.clouds.open_for_service(name).login()
        self._empty = self.world.save()

    def fresh(self, servers: int) -> DemoSite:
        self.world.go_back(self._empty)
        for site in self.world.sites.values():
            site.sim.settings.snapshot = 0.0
        return DemoSite(self.world, self.clouds, servers)

    def close(self) -> None:
        self.world.__exit__(None, None, None)
