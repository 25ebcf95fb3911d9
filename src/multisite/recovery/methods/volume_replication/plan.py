"""What one run will do, decided before it begins: who is frozen, which images are mirrored, what forbids the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter

from multisite.clouds.connect import CloudSite
from multisite.clouds.managed import image_name
from multisite.clouds.mirror.backend import MirrorMode
from multisite.clouds.mirror.settings import OPTION
from multisite.domain.findings import Finding, blocking
from multisite.recovery.methods.base import RunRequest
from multisite.recovery.methods.cinder_backups.state import ApplicationState
from multisite.recovery.methods.consistent_backup.options import BackupOptions
from multisite.recovery.methods.consistent_backup.plan import ProtectPlan, make_plan
from multisite.recovery.methods.storages import StorageSeen, read_storage
from multisite.recovery.methods.volume_replication.options import ReplicationOptions, options_of


@dataclass(frozen=True)
class ReplicationPlan:
    """``capture``: who is frozen and what is snapshotted; ``target``: the site that the storage copies to."""

    capture: ProtectPlan
    target: str
    options: ReplicationOptions

    def to_json(self) -> dict[str, JsonValue]:
        data: dict[str, JsonValue] = _PLAN.dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReplicationPlan:
        """Raises pydantic's ValidationError for anything ``to_json`` did not write."""
        return _PLAN.validate_python(data)


_PLAN: TypeAdapter[ReplicationPlan] = TypeAdapter(ReplicationPlan)


def plan_run(
    site: CloudSite, request: RunRequest, state: ApplicationState
) -> tuple[ReplicationPlan, list[Finding]]:
    """The plan, and everything that forbids it.  Raises SiteError when a storage does not answer."""
    options, target = options_of(request.protection.options), request.protection.target_site or ""
    wanted = BackupOptions(freeze_timeout=options.freeze_timeout, quiesce=options.quiesce)
    capture = make_plan(state.servers, state.volumes, (), None, wanted, incremental=False)
    problems = [*capture.problems, *encrypted(state)]
    missing = [name for name in (site.name, target) if name not in site.mirrors]
    if missing:
        problems += [no_backend(name) for name in missing]
    else:
        seen = read_storage(site.mirrors[site.name], (volume.id for volume in capture.volumes))
        problems += storage_problems(seen, capture, options.mirror_mode)
        read_storage(site.mirrors[target])  # a storage that does not answer now gets no copy either
    return ReplicationPlan(capture, target, options), problems


def no_backend(name: str) -> Finding:
    """Of a site without a storage that replicates."""
    return blocking(
        name or "",
        "replication",
        "the storage of this site is not known to Multisite" if name else "the protection has no target site",
        f"name it in multisite.conf, {OPTION}" if name else "create the protection with --target-site",
    )


def encrypted(state: ApplicationState) -> Iterable[Finding]:
    """Volumes whose copies no Cinder can manage."""
    for volume in state.facts.volumes:
        if volume.encrypted_type_id is not None:
            yield blocking(
                "",
                f"volume {volume.name or volume.id}",
                "it is encrypted: no Cinder manages the copy of an encrypted volume",
                "protect the application by consistent-backup",
            )


def storage_problems(seen: StorageSeen, capture: ProtectPlan, mode: MirrorMode) -> Iterable[Finding]:
    """Why the application's storage cannot copy the volumes."""
    info = seen.info
    if not info.peers:
        yield blocking(
            seen.site,
            f"pool {info.pool}",
            "it is mirrored with no other storage",
            "bootstrap a peer: `rbd mirror pool peer bootstrap`, and run rbd-mirror at both sites",
        )
    for volume in capture.volumes:
        subject, image = f"volume {volume.name or volume.id}", seen.images.get(volume.id)
        if image is None:
            said = f"its image {image_name(volume.id)} is not in pool {info.pool} of {seen.site}"
            remedy = "retype it to a type on that pool, or protect the application by another method"
            yield blocking("", subject, said, remedy)
        elif image.mode is not None and not image.primary:
            said = "its image is a copy of another site's: nothing can be protected here"
            yield blocking("", subject, said, "promote it, or protect the application where it runs")
        elif image.mode not in (None, mode):
            said = f"it is mirrored in mode {image.mode}, the protection says {mode}"
            yield blocking("", subject, said, f"choose mirror_mode {image.mode}, or stop its mirroring first")
