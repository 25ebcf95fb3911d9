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
from multisite.clouds.connect import Sites
from multisite.clouds.errors import Unreachable
from multisite.domain.model import Application, Member
from multisite.recovery.methods.consistent_backup import backup, capture, method
from multisite_lab.sim import guest, model
from multisite_lab.sim.nova import quiesce as nova_quiesce
from multisite_lab.sim.world import World, make_world
from tests.unit.simulated import FAST, SimulatedSite

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


class DemoSite(SimulatedSite):
    """``trouble(verb, thing)`` may raise before a verb takes effect, ``late`` after it did."""

    def __init__(self, world: World, clouds: Sites, servers: int) -> None:
        super().__init__(world, clouds, "s1")
        self.trouble: Callable[[str, str], None] = nothing
        self.late: Callable[[str, str], None] = nothing
        self.log: list[tuple[str, str]] = []
        self.unfrozen: set[str] = set()
        self._standing: dict[str, frozenset[str]] = {}
        self._lock = threading.RLock()
        for number in range(1, servers + 1):
            self._add_server(number)

    def _add_server(self, number: int) -> None:
        server = self.add_server(f"id{number}", f"web{number}", user_data=USER_DATA)
        for letter, size in (("a", 1), ("b", 2)):
            volume = f"v{number}{letter}"
            self.add_volume(volume, name=volume, size=size, bootable=letter == "a")
            self.attach(volume, server.id)
        guest.boot(self.sim, server)

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
        self.world = make_world(("s1", "s2"), settings=FAST).__enter__()
        self.clouds = Sites(lambda name: name, config_file=self.world.write_clouds(folder / "clouds.yaml"))
        for name in self.world.sites:
            self.clouds.open_for_service(name).login()
        self._empty = self.world.save()

    def fresh(self, servers: int) -> DemoSite:
        self.world.go_back(self._empty)
        return DemoSite(self.world, self.clouds, servers)

    def close(self) -> None:
        self.world.__exit__(None, None, None)
