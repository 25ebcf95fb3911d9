"""What protecting an application asks of its site: one interface, carried out by ``multisite.clouds``.

The jobs and the planner know only ``ProtectCloud``, so that tests can stand in for a site.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from keystoneauth1.identity.base import BaseIdentityPlugin

from multisite.clouds import build, quiesce, volumes
from multisite.clouds.call import call, read_all
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import Unsupported
from multisite.clouds.facts import ApplicationFacts, read_application, read_servers
from multisite.clouds.quiesce import Frozen, QuiesceRecord, Thawed
from multisite.clouds.volumes import Backup, GroupSnapshot, Snapshot
from multisite.domain.manifest import SourceSite
from multisite.domain.model import Application, Member
from multisite.recovery.protect.plan import ServerSeen, VolumeSeen

CONSOLE_LINES = 500


@dataclass(frozen=True)
class Sight:
    """An application as its site shows it now: the records for the manifest, and the present states."""

    facts: ApplicationFacts
    servers: tuple[ServerSeen, ...]
    volumes: Mapping[str, VolumeSeen]


class ProtectCloud(Protocol):
    """A site, for protecting.  Every verb raises ``clouds.errors.SiteError``; see ``clouds.volumes``."""

    name: str

    def source(self) -> SourceSite: ...
    def look(self, application: Application, *, quiesce: bool) -> Sight: ...
    def warm(self, pool: ThreadPoolExecutor, threads: int, seconds: float) -> None: ...

    def freeze(self, server_id: str, timeout: int, within: float) -> Frozen: ...
    def thaw(self, server_id: str) -> Thawed: ...
    def freeze_record(self, server_id: str) -> QuiesceRecord: ...
    def console(self, server_id: str) -> str: ...

    def consistent_group(self, volume_ids: Collection[str]) -> str | None: ...
    def snapshot(self, token: str, volume_id: str, name: str, within: float) -> Snapshot: ...
    def snapshot_group(self, token: str, group_id: str, name: str, within: float) -> GroupSnapshot: ...
    def snapshots_named(self, name: str, within: float) -> list[Snapshot]: ...
    def snapshots_by_token(self, tokens: Collection[str]) -> list[Snapshot]: ...
    def group_snapshots_by_token(self, tokens: Collection[str]) -> list[GroupSnapshot]: ...
    def delete_snapshot(self, snapshot_id: str) -> None: ...
    def delete_group_snapshot(self, group_snapshot_id: str) -> None: ...

    def backups(self) -> list[Backup]: ...
    def backups_by_token(self, token: str) -> list[Backup]: ...
    def backups_of_jobs(self, jobs: Collection[str]) -> list[Backup]: ...
    def create_backup(
        self, token: str, *, volume_id: str, snapshot_id: str, name: str, incremental: bool
    ) -> Backup: ...
    def wait_backup(
        self,
        backup_id: str,
        timeout: float,
        on_poll: Callable[[Backup], object] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Backup: ...
    def export_record(self, backup_id: str) -> dict[str, str]: ...
    def delete_backup(self, backup_id: str, timeout: float) -> None: ...


class SiteCloud:
    """``ProtectCloud`` on a real site."""

    def __init__(self, site: CloudSite) -> None:
        self.name = site.name
        self._site = site
        self.freeze = partial(quiesce.freeze, site)
        self.thaw = partial(quiesce.thaw, site)
        self.freeze_record = partial(quiesce.state, site)
        self.console = partial(build.console, site, lines=CONSOLE_LINES)
        self.consistent_group = partial(volumes.consistent_group, site)
        self.snapshot = partial(volumes.create_snapshot, site)
        self.snapshot_group = partial(volumes.create_group_snapshot, site)
        self.snapshots_named = partial(volumes.snapshots_named, site)
        self.snapshots_by_token = partial(volumes.snapshots_by_token, site)
        self.group_snapshots_by_token = partial(volumes.group_snapshots_by_token, site)
        self.delete_snapshot = partial(volumes.delete_snapshot, site)
        self.delete_group_snapshot = partial(volumes.delete_group_snapshot, site)
        self.backups = partial(volumes.backups, site)
        self.backups_by_token = partial(volumes.backups_by_token, site)
        self.backups_of_jobs = partial(volumes.backups_of_jobs, site)
        self.create_backup = partial(volumes.create_backup, site)
        self.wait_backup = partial(volumes.wait_backup, site)
        self.export_record = partial(volumes.export_record, site)
        self.delete_backup = partial(volumes.delete_backup, site)

    def source(self) -> SourceSite:
        """The site as a manifest names it."""
        auth_url = str(self._site.conn.config.get_auth_args().get("auth_url") or "")
        return SourceSite(self.name, self._site.region, auth_url)

    def look(self, application: Application, *, quiesce: bool) -> Sight:
        """Read the application and the states that decide whether and how it can be protected.

        ``quiesce``: also ask nova-api whether the members to be frozen can be.  Raises NotFoundInSite
        naming a missing server or volume, Unsupported for one that cannot be protected this way.
        """
        members = sorted(application.members, key=lambda m: m.order)
        ids = [m.server_id for m in members]
        facts = read_application(self._site, ids, {m.server_id: m.quiesce for m in members})
        rows = read_servers(self._site, ids)
        records = {record.id: record for record in facts.servers}
        servers = tuple(
            ServerSeen(
                id=row["id"],
                name=row["name"],
                order=member.order,
                quiesce=member.quiesce,
                status=row["status"],
                task_state=row.get("OS-EXT-STS:task_state"),
                volume_ids=records[row["id"]].volume_ids,
                quiesce_problem=self._quiesce_problem(member, row["status"]) if quiesce else None,
            )
            for member, row in zip(members, rows, strict=True)
        )
        states = self._volume_states(facts)
        seen = {
            v.id: VolumeSeen(v.id, v.name, v.size_gib, states.get(v.id, "unknown"), v.device)
            for v in facts.volumes
        }
        return Sight(facts, servers, seen)

    def warm(self, pool: ThreadPoolExecutor, threads: int, seconds: float) -> None:
        """Make sure that nothing is connected or logged in anew within the next ``seconds``.

        One connection per thread of ``pool`` to Cinder, one to Nova, and a token that lasts.
        """
        session = self._site.conn.session
        auth = session.auth
        if isinstance(auth, BaseIdentityPlugin) and auth.get_access(session).will_expire_soon(int(seconds)):
            auth.invalidate()  # whoever asks next logs in, whichever token this thread was handed
        query = {"limit": "1"}

        def touch(_: int) -> None:
            call(self._site, "connect to Cinder", lambda: self._site.volume.get("/snapshots", params=query))

        list(pool.map(touch, range(threads)))
        call(self._site, "connect to Nova", lambda: self._site.compute.get("/servers", params=query))

    def _quiesce_problem(self, member: Member, status: str) -> str | None:
        if not member.quiesce or status != "ACTIVE":
            return None
        try:
            record = self.freeze_record(member.server_id)
        except Unsupported as error:
            return error.message
        if record.state in ("freezing", "frozen"):
            return f"it is {record.state} by somebody else, until {record.thaw_at} at the latest"
        return None

    def _volume_states(self, facts: ApplicationFacts) -> dict[str, str]:
        ours = facts.project_id == self._site.project_id
        scope = {} if ours else {"all_tenants": "1", "project_id": facts.project_id}
        rows = read_all(
            self._site, "list volumes", lambda: self._site.volume, "/volumes/detail", "volumes", **scope
        )
        return {row["id"]: row["status"] for row in rows}


def opener(sites: Sites) -> Callable[[str], ProtectCloud]:
    """Sites for protecting, by the names they are registered with."""

    def open_cloud(name: str) -> ProtectCloud:
        return SiteCloud(sites.open(name))

    return open_cloud
