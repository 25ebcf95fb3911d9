"""The two steps every protection method needs: looking at the application, and writing the manifest.

Their names (``check``, ``manifest``) and results are kept in databases: jobs of earlier releases have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from multisite.clouds.connect import CloudSite
from multisite.clouds.facts.application import ApplicationFacts
from multisite.clouds.facts.network import unordered
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.manifest import FORMAT, Manifest, ServerRecord, SourceSite
from multisite.domain.model import RestorePoint
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.rows import as_restore_point
from multisite.store.recoveries import RecoveryRepository


@dataclass(frozen=True)
class Checked:
    """The application as it is now.  ``notes``: what an operator should know of the result."""

    facts: ApplicationFacts
    quiesced: bool
    notes: tuple[str, ...] = ()


def check_step(
    order: ProtectOrder, dependencies: ProtectDependencies, check: Callable[[CloudSite], Checked]
) -> Step:
    """Look at the application again and keep what is seen as a draft of the manifest.

    ``check`` raises StepFailed when the application has changed since the run was planned.
    """
    manifests, site_name = dependencies.manifests, order.application.site

    def run(ctx: StepContext) -> object:
        site = dependencies.sites.open(site_name, for_project=ctx.project_id)
        manifests.check()
        checked = check(site)
        draft = _draft(order, site, checked)
        manifests.save_draft(draft)
        for note in draft.notes:
            ctx.event(note)
        return {"servers": len(draft.servers), "volumes": len(draft.volumes)}

    def undo(_ctx: StepContext, _result: object) -> None:
        manifests.delete(order.restore_point_id)

    return Step("check", f"Check application {order.application.name}", run, undo, site=site_name)


def manifest_step(
    order: ProtectOrder,
    dependencies: ProtectDependencies,
    complete: Callable[[Manifest, StepContext], Manifest],
    needs: tuple[str, ...],
) -> Step:
    """Put everything together and make the restore point available.

    ``complete`` adds to the draft the consistency point and each volume's payload, from the results of ``needs``.
    """
    manifests, points = dependencies.manifests, dependencies.restore_points

    def run(ctx: StepContext) -> object:
        try:
            draft = manifests.draft(order.restore_point_id)
        except NotFound:  # this step wrote the manifest already, and its end was not noted
            manifest = manifests.read(order.restore_point_id)
        else:
            manifest = complete(replace(draft, format=FORMAT), ctx)
        digest = manifests.write(manifest)
        known = points.get(order.restore_point_id)
        kept = as_restore_point(manifest, protection_id=known.protection_id, job_id=ctx.job_id)
        points.save(kept)
        return {"digest": digest, "incremental": manifest.incremental, "size_gib": kept.size_gib}

    def undo(ctx: StepContext, _result: object) -> None:
        children = [m.id for m in manifests.list().manifests if m.parent_id == order.restore_point_id]
        if children:
            raise StepFailed(f"restore points {', '.join(children)} build on it: delete those first")
        # Whoever starts a recovery after this look sees in its own claim that this job is being undone.
        with dependencies.recoveries.claim(order.application.id):
            known = points.list(application_id=order.application.id)
            refuse_in_use(dependencies.recoveries, order.restore_point_id, known, besides=ctx.job_id)
        manifests.delete(order.restore_point_id)

    return Step("manifest", "Write the manifest to the backup store", run, undo, needs)


def refuse_in_use(
    recoveries: RecoveryRepository, id: str, known: Iterable[RestorePoint], besides: str = ""
) -> None:
    """Conflict naming the recovery that needs the restore point, or one that builds on it; that of a job aside."""
    for recovery in recoveries.users_of(id, {point.id: point.parent_id for point in known}):
        if recovery.job_id == besides:
            continue
        raise Conflict(
            f"restore point: {id} is needed by recovery {recovery.id} of {recovery.application} in "
            f"{recovery.target_site}, which is {recovery.state}: wait for it, or resume or undo it"
        )


def _as_it_ran(order: ProtectOrder, server: ServerRecord) -> ServerRecord:
    """A server that was stopped for the run comes back running, its ports in the order that was seen while it ran."""
    ports = (order.stopped or {}).get(server.id)
    if ports is None:
        return server
    kept = ports if set(ports) == set(server.port_ids) else server.port_ids
    return replace(server, stopped=False, port_ids=kept)


def _draft(order: ProtectOrder, site: CloudSite, checked: Checked) -> Manifest:
    application, facts = order.application, checked.facts
    servers = tuple(_as_it_ran(order, server) for server in facts.servers)
    known = {unordered(s.name, len(s.port_ids)) for s in servers if s.id in (order.stopped or {})}
    auth_url = str(site.conn.config.get_auth_args().get("auth_url") or "")
    return Manifest(
        id=order.restore_point_id,
        application_id=application.id,
        application=application.name,
        project_id=application.project_id,
        source=SourceSite(site.name, site.region, auth_url),
        method=order.method,
        created_at=order.created_at,
        consistent_at=order.created_at,
        servers=servers,
        volumes=facts.volumes,
        ports=facts.ports,
        networks=facts.networks,
        subnets=facts.subnets,
        security_groups=facts.security_groups,
        keypairs=facts.keypairs,
        qos_policies=facts.qos_policies,
        routers=facts.routers,
        floating_ips=facts.floating_ips,
        trunks=facts.trunks,
        server_groups=facts.server_groups,
        quiesced=checked.quiesced,
        notes=(*order.notes, *checked.notes, *(note for note in facts.notes if note not in known)),
        epoch=application.epoch,
    )
