"""What must not be once everything is at rest, asked after every flow, death and fault over simulated sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multisite.domain.manifest import Manifest
from multisite.domain.model import Purpose
from multisite.recovery.failback.remove import KIND as REMOVE
from multisite.recovery.failback.stop import KIND as STOP
from multisite_lab.sim.world import World
from tests.sim.fields import differences
from tests.sim.freezes import boot_problems, order_problems
from tests.sim.service import Service


def wrong(world: World, service: Service | None = None, jobs: Sequence[str] = ()) -> list[str]:
    """``World.problems``, no snapshot may be left; and of a service's applications ``application_problems``."""
    if service is None:
        return world.problems(jobs)
    return [*world.problems(service.owners()), *application_problems(world, service)]


def _as_there(world: World, manifest: Manifest, *, moved: bool) -> Manifest:
    """Without the root disks of servers that boot from an image: at the source they are no volumes.

    ``moved``: its servers were stopped for a move or as an old copy, and are to run elsewhere.
    """
    there = world.sites[manifest.source.name].settle().state.servers
    images = {id for id, server in there.items() if server.image}
    servers = [replace(s, volume_ids=s.volume_ids[1:]) if s.id in images else s for s in manifest.servers]
    if moved:
        servers = [replace(s, stopped=s.id in there and there[s.id].status == "SHUTOFF") for s in servers]
    return replace(manifest, servers=tuple(servers))


def _as_recovered(manifest: Manifest) -> Manifest:
    """Copies of a storage stay when a server is deleted: Nova would delete the only one."""
    copied = {v.id for v in manifest.volumes if v.payload and v.payload.method == "volume-replication"}
    volumes = (replace(v, delete_on_termination=False) if v.id in copied else v for v in manifest.volumes)
    return replace(manifest, volumes=tuple(volumes))


def application_problems(world: World, service: Service, *, ordered: bool = True) -> list[str]:
    """Fields that restore points lack or recovered applications lost, and a wrong order of freezing or booting.

    ``ordered`` False: a site was cut off, so its log does not show all that it was asked.
    """
    manifests = {m.id: m for m in service.manifests.list().manifests}
    found: list[str] = []
    recoveries = service.recoveries.list(service.caller)
    moved = {r.application_id for r in recoveries if r.purpose is Purpose.MOVE and r.state != "undone"}
    jobs = [(job.kind, job.subject) for job in service.jobs.list() if job.state == "done"]
    moved |= {r.application_id for r in recoveries if (STOP, r.id) in jobs}
    removed = {r.restore_point_id for r in recoveries if (REMOVE, r.id) in jobs}
    sources = {(m.application_id, m.source.name) for m in manifests.values() if m.id in removed}
    for manifest in manifests.values():
        if (
            manifest.source.name not in world.lost
            and (manifest.application_id, manifest.source.name) not in sources
        ):
            there = _as_there(world, manifest, moved=manifest.application_id in moved)
            found += differences(service.cloud(manifest.source.name), there)
    for recovery in recoveries:
        if recovery.state == "done" and recovery.target_site not in world.lost:
            manifest = manifests[recovery.restore_point_id]
            found += differences(service.cloud(recovery.target_site), _as_recovered(manifest))
            found += boot_problems(world.sites[recovery.target_site].settle(), manifest)
    for application in service.applications.list(service.caller) if ordered else ():
        members = sorted(application.members, key=lambda m: m.order)
        log = world.sites[application.site].script.log
        found += order_problems(log, [m.server_id for m in members if m.quiesce])
    return found
