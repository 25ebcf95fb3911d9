"""What may be removed of the old copy once a recovery is committed, and the job "remove-source" that does it.

Only what the restore point names by id, and what the site says is in that project; all of it is decided, and shown,
before anything is done.  Networks, routers, groups, key pairs and flavors stay: others may use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from multisite.clouds import build, resources, trunks
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.facts.application import list_servers
from multisite.clouds.resources import Kind
from multisite.clouds.waiting import wait_gone
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, Severity, blockers, blocking
from multisite.domain.manifest import Manifest
from multisite.domain.model import PreviewItem
from multisite.domain.old_copy import OFF, OldCopy, OldServer
from multisite.jobs.model import Ended, JobKind, Json, Step, StepContext, StepFailed
from multisite.jobs.values import decode
from multisite.recovery.epochs import EpochStore
from multisite.recovery.failback.stop import read_own, require_current

KIND = "remove-source"
LIMIT, AT_ONCE = "remove-source", 4
GONE_SECONDS = 600.0
_TENANT = "os-vol-tenant-attr:tenant_id"
_REPLICATED = "volume-replication"


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class Thing:
    id: str
    name: str


@dataclass(frozen=True)
class RemoveOrder:
    """Parameters of the job: all that it deletes, in ``site``; ``site_project_id`` "": the project's default there."""

    recovery_id: str
    application_id: str
    application: str
    site: str
    site_project_id: str
    servers: tuple[Thing, ...] = ()
    trunks: tuple[Thing, ...] = ()
    ports: tuple[Thing, ...] = ()
    volumes: tuple[Thing, ...] = ()


@dataclass(frozen=True)
class CommitPreview:
    """What ``--remove-source`` would delete, and keep; ``problems``: what is in its way."""

    recovery_id: str
    application: str
    site: str
    items: tuple[PreviewItem, ...]
    problems: tuple[Finding, ...]

    @property
    def removable(self) -> bool:
        return not blockers(self.problems)


@dataclass(frozen=True)
class SourceFacts:
    """What the site has in the project, by id."""

    project_id: str
    servers: Mapping[str, Mapping[str, Any]]
    volumes: Mapping[str, Mapping[str, Any]]
    ports: Mapping[str, Mapping[str, Any]]
    trunks: Mapping[str, Mapping[str, Any]]
    snapshots: Mapping[str, str]
    """Of volumes: id of one of each, by the volume's."""


def read_source(site: CloudSite, manifest: Manifest) -> SourceFacts:
    """Five lists, and by its id whatever of the restore point is in none of them: a list may lose rows and not say so.

    Raises what ``call`` raises.
    """
    own = {"project_id": site.project_id}

    def listed(kind: Kind, **filters: str) -> dict[str, Mapping[str, Any]]:
        return {str(row["id"]): row for row in resources.list_all(site, kind, None, **filters)}

    def with_missing(
        kind: Kind, rows: Mapping[str, Mapping[str, Any]], wanted: Iterable[_HasId]
    ) -> dict[str, Mapping[str, Any]]:
        found = dict(rows)
        for id in (one.id for one in wanted if one.id not in rows):
            row = resources.read_or_none(site, kind, id)
            if row is not None and row.get("project_id", site.project_id) == site.project_id:
                found[id] = row
        return found

    servers = {str(row["id"]): row for row in list_servers(site, site.project_id)}
    return SourceFacts(
        site.project_id,
        with_missing("server", servers, manifest.servers),
        with_missing("volume", listed("volume"), manifest.volumes),
        with_missing("port", listed("port", **own), manifest.ports),
        with_missing("trunk", listed("trunk", **own), manifest.trunks),
        {str(row["volume_id"]): id for id, row in listed("snapshot").items()},
    )


def decide_removal(
    manifest: Manifest, facts: SourceFacts, copy: OldCopy | None, recovery_id: str
) -> tuple[CommitPreview, RemoveOrder]:
    """Pure.  ``copy``: what is known of the old copy, for what the restore point does not name."""
    things = [*_servers(manifest, facts), *_network(manifest, facts), *_volumes(manifest, facts)]
    kept = [
        PreviewItem("network", one.name, "keep", "others may use it", one.id) for one in manifest.networks
    ]
    items = (*(item for item, _ in things), *kept)
    problems = (*(found for _, found in things if found), *_unnamed(manifest, copy))

    def chosen(kind: str) -> tuple[Thing, ...]:
        return tuple(Thing(str(i.target_id), i.name) for i in items if (i.kind, i.action) == (kind, "delete"))

    order = RemoveOrder(
        recovery_id, manifest.application_id, manifest.application, manifest.source.name, project_of(manifest, copy),
        *(chosen(kind) for kind in ("server", "trunk", "port", "volume")),
    )  # fmt: skip
    return CommitPreview(recovery_id, manifest.application, manifest.source.name, items, problems), order


def project_of(manifest: Manifest, copy: OldCopy | None) -> str:
    """Of the site, where the restore point's servers are; "" the default: not where another earlier copy is."""
    named = {(manifest.source.name, server.id) for server in manifest.servers}
    found = (s.site_project_id for s in copy.servers if (s.site, s.id) in named) if copy else iter(())
    return next(found, "")


Judged = Iterator[tuple[PreviewItem, Finding | None]]


def _servers(manifest: Manifest, facts: SourceFacts) -> Judged:
    site = manifest.source.name
    for record in manifest.servers:
        row, problem = facts.servers.get(record.id), None
        if row is None or row["tenant_id"] != facts.project_id:
            yield (
                PreviewItem("server", record.name, "gone", "the project has none of this id", record.id),
                None,
            )
            continue
        if row["status"] not in OFF:
            what = f"{record.name} ({record.id}) is {row['status']}"
            remedy = "shut it off: openstack multisite recovery stop-source"
            problem = blocking(site, "server", what, remedy)
        yield PreviewItem("server", record.name, "delete", str(row["status"]), record.id), problem


def _network(manifest: Manifest, facts: SourceFacts) -> Judged:
    servers = {server.id for server in manifest.servers}
    for trunk in manifest.trunks:
        action = "delete" if trunk.id in facts.trunks else "gone"
        yield PreviewItem("trunk", trunk.name, action, "", trunk.id), None
    for port in manifest.ports:
        row = facts.ports.get(port.id)
        if row is None:
            yield PreviewItem("port", port.name or port.mac_address, "gone", "", port.id), None
            continue
        used = str(row.get("device_id") or "")
        other = used and used not in servers and not str(row.get("device_owner")).startswith("trunk:")
        action, said = ("keep", f"used by {used}") if other else ("delete", port.mac_address)
        yield PreviewItem("port", port.name or port.mac_address, action, said, port.id), None


def _volumes(manifest: Manifest, facts: SourceFacts) -> Judged:
    servers, site = {server.id for server in manifest.servers}, manifest.source.name
    for record in manifest.volumes:
        row, problem = facts.volumes.get(record.id), None
        name = record.name or record.id
        if row is None or row.get(_TENANT, facts.project_id) != facts.project_id:
            yield PreviewItem("volume", name, "gone", "the project has none of this id", record.id), None
            continue
        if record.payload is not None and record.payload.method == _REPLICATED:
            said = "its image is replicated, and may be what the recovery uses: cinder unmanage"
            yield PreviewItem("volume", name, "keep", said, record.id), None
            continue
        others = [a["server_id"] for a in row.get("attachments", ()) if a["server_id"] not in servers]
        if others:
            what = f"{name} ({record.id}) is attached to {', '.join(others)}, which the restore point does not name"
            problem = blocking(
                site, "volume", what, f"openstack server remove volume {others[0]} {record.id}"
            )
        elif snapshot := facts.snapshots.get(record.id):
            what = f"{name} ({record.id}) has snapshots, {snapshot} for one, and Cinder keeps such a volume"
            problem = blocking(site, "volume", what, f"openstack volume snapshot delete {snapshot}")
        yield PreviewItem("volume", name, "delete", f"{record.size_gib} GiB", record.id), problem


def _unnamed(manifest: Manifest, copy: OldCopy | None) -> Iterator[Finding]:
    named = {server.id for server in manifest.servers}
    for server in copy.servers if copy else ():
        if server.id not in named and server.status != "gone":
            what = f"{server.name} ({server.id}) is of an old copy, and the restore point does not name it"
            remedy = f"remove it there: openstack server delete {server.id}"
            yield Finding(server.site, "server", what, "it stays", remedy, Severity.NOTE)


def remove_kind(sites: Sites, epochs: EpochStore, look: Callable[[str], object]) -> JobKind:
    """The kind to register.  Nothing of it is undone; it pauses on failure, and goes on with what is left."""

    def build_steps(params: Mapping[str, Json]) -> list[Step]:
        return remove_steps(decode(params, RemoveOrder, KIND), sites, epochs)

    def refuse(job_id: str) -> None:
        raise Conflict(
            f"job: {job_id} has deleted what it names, which does not come back: resume it, or recover the application "
            "from a restore point"
        )

    def finished(job: Ended) -> None:
        look(decode(job.params, RemoveOrder, KIND).application_id)

    return JobKind(
        KIND, build_steps, on_failure="pause", limits={LIMIT: AT_ONCE}, finished=finished, before_undo=refuse,
        rule="recovery:commit", uses_store=True,
    )  # fmt: skip


def remove_steps(order: RemoveOrder, sites: Sites, epochs: EpochStore) -> list[Step]:
    """Servers, then trunks, then ports and volumes; each looks again at what it is about to delete."""

    def step(
        kind: Kind, number: int, thing: Thing, act: Callable[[CloudSite, Thing], None], needs: list[Step]
    ) -> Step:
        def run(ctx: StepContext) -> None:
            require_current(epochs, order.application_id, order.recovery_id)
            act(
                sites.open(order.site, for_project=ctx.project_id, project=order.site_project_id or None),
                thing,
            )

        needed = tuple(one.name for one in needs)
        title = f"Delete {kind} {thing.name or thing.id} of the old copy"
        return Step(f"{kind}-{number}", title, run, needs=needed, limit=LIMIT, site=order.site)

    servers = [step("server", n, one, _remove_server, []) for n, one in enumerate(order.servers, start=1)]
    of_trunks = [step("trunk", n, one, _remove_trunk, servers) for n, one in enumerate(order.trunks, start=1)]
    before = [*servers, *of_trunks]
    ports = [step("port", n, one, _remove_port, before) for n, one in enumerate(order.ports, start=1)]
    volumes = [
        step("volume", n, one, _remove_volume, servers) for n, one in enumerate(order.volumes, start=1)
    ]
    return [*servers, *of_trunks, *ports, *volumes]


def _remove_server(site: CloudSite, thing: Thing) -> None:
    row = read_own(site, OldServer(thing.id, thing.name, 0, site.name, 0))
    if row is None:
        return
    if row["status"] not in OFF:
        raise StepFailed(
            f"server {thing.name} ({thing.id}) in site {site.name} is {row['status']}: somebody has started it since; "
            "shut it off if it is to go, and resume"
        )
    build.remove_server(site, thing.id, GONE_SECONDS, locked=bool(row.get("locked")))


def _remove_trunk(site: CloudSite, thing: Thing) -> None:
    if _own(site, "trunk", thing, "project_id") is not None:
        trunks.delete_trunk(site, thing.id)


def _remove_port(site: CloudSite, thing: Thing) -> None:
    row = _own(site, "port", thing, "project_id")
    if row is None:
        return
    if used := row.get("device_id"):
        raise StepFailed(f"port {thing.id} in site {site.name} is used by {used}: it is left alone")
    resources.delete_one(site, "port", thing.id)


def _remove_volume(site: CloudSite, thing: Thing) -> None:
    row = _own(site, "volume", thing, _TENANT)
    if row is None:
        return
    if row.get("attachments"):
        raise StepFailed(f"volume {thing.id} in site {site.name} is attached again: it is left alone")
    resources.delete_one(site, "volume", thing.id)
    what = f"delete volume {thing.id}"
    wait_gone(
        lambda: resources.read(site, "volume", thing.id), timeout=GONE_SECONDS, what=what, site=site.name
    )


def _own(site: CloudSite, kind: Kind, thing: Thing, owner: str) -> Mapping[str, Any] | None:
    """As its service shows it; None: it is gone.  StepFailed for one of another project."""
    row = resources.read_or_none(site, kind, thing.id)
    if row is not None and row.get(owner, site.project_id) != site.project_id:
        raise StepFailed(
            f"{kind} {thing.id} in site {site.name} is of project {row.get(owner)}, not {site.project_id}: it is left "
            "alone"
        )
    return row
