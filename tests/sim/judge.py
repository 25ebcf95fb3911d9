"""What must not be once everything is at rest, asked after every flow, death and fault over simulated sites."""

from __future__ import annotations

from collections.abc import Sequence

from multisite_lab.sim.world import World
from tests.sim.fields import differences
from tests.sim.freezes import boot_problems, order_problems
from tests.sim.service import Service


def wrong(world: World, service: Service | None = None, jobs: Sequence[str] = ()) -> list[str]:
    """``World.problems``, no snapshot may be left; and of a service's applications ``application_problems``."""
    if service is None:
        return world.problems(jobs)
    return [*world.problems(service.owners()), *application_problems(world, service)]


def application_problems(world: World, service: Service, *, ordered: bool = True) -> list[str]:
    """Fields that restore points lack or recovered applications lost, and a wrong order of freezing or booting.

    ``ordered`` False: a site was cut off, so its log does not show all that it was asked.
    """
    manifests = {m.id: m for m in service.manifests.list().manifests}
    found: list[str] = []
    for manifest in manifests.values():
        if manifest.source.name not in world.lost:
            found += differences(service.cloud(manifest.source.name), manifest)
    for recovery in service.recoveries.list(service.caller):
        if recovery.state == "done" and recovery.target_site not in world.lost:
            manifest = manifests[recovery.restore_point_id]
            found += differences(service.cloud(recovery.target_site), manifest)
            found += boot_problems(world.sites[recovery.target_site].settle(), manifest)
    for application in service.applications.list(service.caller) if ordered else ():
        members = sorted(application.members, key=lambda m: m.order)
        log = world.sites[application.site].script.log
        found += order_problems(log, [m.server_id for m in members if m.quiesce])
    return found
