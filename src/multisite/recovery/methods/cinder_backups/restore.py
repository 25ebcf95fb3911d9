"""Restoring volumes from their chains of Cinder backups, at a target whose cinder-backup has the same store.

Step names (``import-<n>``, ``volume-<n>``) and results are kept in databases: jobs of earlier releases have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from multisite.clouds import resources, restore
from multisite.clouds.administrator import IMPORT_RECORD, SERVICES, administrator, kept_out, may_administer
from multisite.clouds.call import read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.volumes import named_in
from multisite.jobs.model import Made, Step, StepContext
from multisite.recovery.methods.base import IMPORTS, RESTORES, RestoreTarget, VolumeToRestore, fresh
from multisite.recovery.methods.cinder_backups.payload import BackupRecord, chain_of
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume

IMPORT_SECONDS = 300.0
RESTORE_SECONDS, RESTORE_SECONDS_PER_GIB = 1800.0, 600.0
"""How long restoring one volume may take: so many seconds, and so many more for each GiB."""
UNDO_SECONDS = 1800.0
_PROJECT = "os-backup-project-attr:project_id"
"""Shown to administrators, from microversion 3.18 on (``cinder/api/v3/backups.py``)."""


def target_parts(site: CloudSite) -> dict[str, Callable[[], object]]:
    """``backups``: id -> status and volume; ``backups_elsewhere``: id -> project; ``backup_services``: host -> "up",
    "down" or "disabled"; ``importer``: the account that clouds.yaml names to import records, if it is not let in.
    """
    return {
        "importer": lambda: kept_out(site, IMPORT_RECORD),
        "backups": lambda: _backups(site),
        "backups_elsewhere": lambda: _elsewhere(site),
        "backup_services": lambda: _backup_services(site),
    }


def _backups(site: CloudSite) -> dict[str, tuple[str, str]]:
    # An account that is an administrator in the project may use those of every other one, too.
    rows = resources.list_all(site, "backup", all_tenants="1")
    return {row["id"]: (row["status"], row["volume_id"]) for row in rows}


def _elsewhere(site: CloudSite) -> dict[str, str]:
    """Those that a member cannot see: Cinder refuses to import an id that any project has (``_get_import_backup``)."""
    if "admin" in site.roles or not may_administer(site, IMPORT_RECORD):
        return {}
    admin = administrator(site, IMPORT_RECORD)
    rows = resources.list_all(admin, "backup", all_tenants="1")
    owners = {row["id"]: str(row.get(_PROJECT) or "") for row in rows}
    return {id: project for id, project in owners.items() if project not in ("", site.project_id)}


def _backup_services(site: CloudSite) -> dict[str, str]:
    what = "ask whether cinder-backup is up"
    admin = administrator(site, SERVICES)
    rows = read_all(admin, what, lambda: admin.volume, "/os-services", "services", binary="cinder-backup")
    rows = [row for row in rows if row["binary"] == "cinder-backup"]
    return {row["host"]: row["state"] if row["status"] == "enabled" else "disabled" for row in rows}


def plan_restore(draft: Draft, volumes: Sequence[VolumeToRestore]) -> list[PlannedVolume]:
    """See ``base.ProtectionMethod``.

    A volume is restored from the newest backup of its chain; all records of the chain are imported before.
    """
    _check_backup_service(draft)
    known = draft.needs("backups", "backups") and draft.needs(
        "backups_elsewhere", "backups of other projects"
    )
    return [_planned(draft, volume) for volume in volumes] if known else []


def _check_backup_service(draft: Draft) -> None:
    project, importer = draft.facts.project_id, draft.facts.method_parts.get("importer", "")
    if importer:
        draft.problem(
            f"project {project}",
            f"account {importer}, which imports backup records (multisite_administrator), has no role in it",
            f"at {draft.facts.site}: openstack role add --project {project} --user {importer} admin",
        )
    elif not draft.facts.may_import:
        draft.note(
            f"site {draft.facts.site}",
            "no account of ours has the role admin in the project, which importing backup records needs by default",
            "name an account that has it: multisite_administrator in clouds.yaml (docs/projects.md)",
        )
    if not draft.needs("backup_services", "cinder-backup"):
        return
    states: Mapping[str, str] = draft.facts.method_parts["backup_services"]
    site = draft.facts.site
    if not states:
        draft.problem(
            "cinder-backup",
            f"{site} has no backup service: backups cannot be restored there",
            "install cinder-backup with the backup store of this restore point",
        )
    elif "up" not in states.values():
        listed = ", ".join(f"{host} {state}" for host, state in sorted(states.items()))
        draft.problem(
            "cinder-backup",
            f"no backup service of {site} is up: {listed}",
            "start it: nothing can be restored without",
        )


def _planned(draft: Draft, volume: VolumeToRestore) -> PlannedVolume:
    record, chain = volume.record, chain_of(volume.record)
    default = draft.facts.default_volume_type
    shown = volume.volume_type or default or "the target's default"
    if volume.empty:
        draft.create("volume", volume.shown, f"{record.size_gib} GiB, type {shown}, empty")
        return PlannedVolume(
            volume.step, volume.volume_type, record, {"empty": True}, volume.availability_zone
        )
    _plan_imports(draft, volume, chain)
    size = chain[-1].size_gib if chain else 0
    draft.do(
        "volume",
        volume.shown,
        "restore",
        f"{record.size_gib} GiB, type {shown}, from {len(chain)} backups",
    )
    # Cinder skips zeros only when it makes the volume itself; then it has the default type and zone, and the
    # backup's size.  Otherwise an empty volume is made first and restored into.
    chosen = volume.availability_zone is not None or volume.volume_type not in (None, default)
    blank_first = chosen or size != record.size_gib
    details: dict[str, JsonValue] = {"import_step": f"import-{volume.number}", "blank_first": blank_first}
    return PlannedVolume(volume.step, volume.volume_type, record, details, volume.availability_zone)


def _plan_imports(draft: Draft, volume: VolumeToRestore, chain: Sequence[BackupRecord]) -> None:
    subject = f"volume {volume.shown}"
    if not chain:
        draft.problem(subject, "has no backup in this restore point", "recover from another restore point")
    there: Mapping[str, tuple[str, str]] = draft.facts.method_parts["backups"]
    _refuse_elsewhere(draft, subject, chain)
    for backup in chain:
        status, volume_there = there.get(backup.id, (None, None))
        if other := _other(volume.record.id, backup, volume_there if status == "available" else None):
            draft.problem(
                subject,
                f"backup {backup.id} {other}",
                "recover from another restore point, and find out who wrote this one",
            )
        kind = "incremental" if backup.incremental else "full"
        if status is None:
            draft.quota["backups"] += 1
            draft.quota["backup_gigabytes"] += backup.size_gib
            # An undo does not remove it: deleting a record deletes its data in the backup store.
            detail = f"{kind} backup of {volume.shown}; it stays after an undo"
            draft.do("backup record", backup.id, "import", detail)
        else:
            detail = f"{kind} backup of {volume.shown}: imported before ({status})"
            draft.use("backup record", backup.id, backup.id, detail)
        if status not in (None, "available", "restoring"):
            draft.problem(
                subject,
                f"backup {backup.id} is {status} at {draft.facts.site}",
                f"see `openstack volume backup show {backup.id}`; never delete it while it names a "
                "container: that deletes the data",
            )


def _refuse_elsewhere(draft: Draft, subject: str, chain: Sequence[BackupRecord]) -> None:
    elsewhere: Mapping[str, str] = draft.facts.method_parts["backups_elsewhere"]
    projects = {elsewhere[backup.id] for backup in chain if backup.id in elsewhere}
    for project in sorted(projects):
        granted = draft.projects.get(project)
        named = f"{granted} ({project})" if granted else "another project"
        option = draft.option("projects", draft.manifest.project_id, "", project)
        draft.problem(
            subject,
            f"its backup records were imported in {named} of {draft.facts.site} by an earlier recovery and stay there: "
            "Cinder imports a backup once",
            f"recover into that project: {option}"
            if granted
            else "recover in the project of the earlier recovery",
        )


def _other(volume_id: str, backup: BackupRecord, volume_there: str | None) -> str | None:
    """What else than this backup of this volume its record, or what the target has of this id, is."""
    if named_in(backup.record) not in (None, (backup.id, volume_id)):
        return "has the record of another backup or volume"
    if volume_there not in (None, volume_id):
        return f"is one of volume {volume_there} at the target"
    return None


def restore_steps(volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
    """See ``base.ProtectionMethod``."""
    chain, record = chain_of(volume.record), volume.record
    name = record.name or record.id

    def undo(ctx: StepContext, result: Made | None) -> None:
        if result is not None:
            restore.remove_volume(target.open(ctx), result.id, UNDO_SECONDS)
        restore.remove_by_token(target.open(ctx), ctx.token, UNDO_SECONDS, late=result is None)

    if volume.details.get("empty"):
        run = _restore(volume, None, target)
        return [Step(volume.step, f"Create volume {name}", run, undo, (), RESTORES, target.name, result=Made)]
    import_step = str(volume.details["import_step"])
    title = f"Import {len(chain)} backup records of volume {name}"
    imports = Step(import_step, title, _import(chain, target), None, (), IMPORTS, target.name)
    title = f"Restore volume {name} ({record.size_gib} GiB)"
    run = _restore(volume, chain[-1], target)
    return [imports, Step(volume.step, title, run, undo, (import_step,), RESTORES, target.name, result=Made)]


def _import(chain: Sequence[BackupRecord], target: RestoreTarget) -> Callable[[StepContext], object]:
    """All records of the chain, the full backup first.  They stay: deleting one deletes its data."""

    def run(ctx: StepContext) -> object:
        imported = []
        for done, backup in enumerate(chain):
            ctx.progress(done, len(chain), "records")
            if restore.import_record(target.open(ctx), backup.id, backup.record, IMPORT_SECONDS):
                imported.append(backup.id)
        ctx.progress(len(chain), len(chain), "records")
        return {"imported": imported, "reused": len(chain) - len(imported)}

    return run


def _restore(
    volume: PlannedVolume, newest: BackupRecord | None, target: RestoreTarget
) -> Callable[[StepContext], Made]:
    """From the newest backup: Cinder follows its chain by itself.  None: empty."""
    record, wanted = volume.record, wanted_volume(volume, newest, target)

    def run(ctx: StepContext) -> Made:
        volume_id = restore.restore_volume(
            target.open(ctx),
            ctx.token,
            wanted,
            timeout=RESTORE_SECONDS + RESTORE_SECONDS_PER_GIB * record.size_gib,
            # Cinder does not tell how far a restore is.
            on_poll=lambda status: ctx.progress(0, record.size_gib, "GiB", status),
            on_busy=_busy(ctx, wanted),
            cancelled=ctx.cancelled,
            fresh=fresh(ctx),
        )
        ctx.progress(record.size_gib, record.size_gib, "GiB", "restored")
        return Made(volume_id)

    return run


def _busy(ctx: StepContext, wanted: restore.WantedVolume) -> Callable[[], None]:
    """Tells that another job restores the backup: in the step's progress, and once in the journal."""
    told: list[str] = []

    def tell() -> None:
        words = f"waits until another job has restored backup {wanted.backup_id}"
        if not told:
            told.append(words)
            ctx.event(f"volume {wanted.name}: {words}: Cinder restores one into one volume at a time")
        ctx.progress(0, wanted.size_gib, "GiB", words)

    return tell


def wanted_volume(
    volume: PlannedVolume, newest: BackupRecord | None, target: RestoreTarget
) -> restore.WantedVolume:
    """What the volume is at the end."""
    record = volume.record
    return restore.WantedVolume(
        name=record.name,
        size_gib=record.size_gib,
        backup_id=newest.id if newest else None,
        volume_type=volume.volume_type,
        availability_zone=volume.availability_zone,
        blank_first=newest is None or bool(volume.details["blank_first"]),
        bootable=target.bootable,
        metadata=record.metadata,
        image_metadata=record.image_metadata,
        description=record.description,
        read_only=record.read_only,
    )
