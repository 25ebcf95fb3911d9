"""What Multisite relies on in Cinder's backups: chains, records, restoring at the other site."""

from __future__ import annotations

import pytest

from multisite.clouds import build, flavors, quiesce, resources, restore, volumes
from multisite.clouds.errors import Failed, NotFoundInSite
from multisite.clouds.resources import tokens
from multisite.domain.manifest import FlavorRecord
from multisite_lab.guest import console
from tests.contract.sites.pair import Check, Pair, refused, send
from tests.sim import deploy
from tests.sim.deploy import CINDER, ask, until


def an_incremental_needs_a_backup_before(pair: Pair) -> None:
    snapshot = pair.snapshot(pair.volume())
    body = {"backup": {"volume_id": snapshot.volume_id, "snapshot_id": snapshot.id, "incremental": True}}
    answer = send(pair.one.volume, "POST", "/backups", body, CINDER)
    refused(answer, 400, "Invalid backup", "No backups available to do an incremental backup")


def the_parent_is_the_newest_data_before_the_snapshot(pair: Pair) -> None:
    """Of any snapshot of the volume; not the newest backup."""
    volume_id = pair.volume()
    snapshots = []
    for _ in range(3):
        snapshots.append(pair.snapshot(volume_id))
        pair.pause()
    first = pair.backup(snapshots[0], incremental=False)
    third = pair.backup(snapshots[2], incremental=False)
    second = pair.backup(snapshots[1], incremental=True)
    assert volumes.parent_in(volumes.export_record(pair.one, first.id)) is None
    parent = volumes.parent_in(volumes.export_record(pair.one, second.id))
    assert parent == first.id, f"the parent is {parent}, not {first.id}"
    assert (first.incremental, second.incremental, third.incremental) == (False, True, False)
    assert first.data_at < second.data_at < third.data_at
    assert volumes.get_backup(pair.one, first.id).has_dependants


def a_parent_is_not_deleted_before_its_child(pair: Pair) -> None:
    volume_id = pair.volume()
    parent = pair.backup(pair.snapshot(volume_id), incremental=False)
    pair.pause()
    child = pair.backup(pair.snapshot(volume_id), incremental=True)
    answer = send(pair.one.volume, "DELETE", f"/backups/{parent.id}", None, CINDER)
    refused(answer, 400, "Incremental backups exist")
    volumes.delete_backup(pair.one, child.id, 120)
    volumes.delete_backup(pair.one, parent.id, 120)
    refused(send(pair.one.volume, "GET", f"/backups/{parent.id}", None, CINDER), 404, "could not be found")


def a_backup_is_of_a_snapshot_of_its_volume(pair: Pair) -> None:
    snapshot, other = pair.snapshot(pair.volume()), pair.volume()
    body = {"backup": {"volume_id": other, "snapshot_id": snapshot.id}}
    refused(send(pair.one.volume, "POST", "/backups", body, CINDER), 400, "does not match")


def a_backup_is_found_by_its_token(pair: Pair) -> None:
    backup = pair.backup(pair.snapshot(pair.volume()), incremental=False)
    (found,) = [f for f in resources.find_of_job(pair.one, pair.stem, ("backup",)) if f.id == backup.id]
    listed = volumes.backups_by_token(pair.one, str(found.token), backup.volume_id)
    assert [b.id for b in listed] == [backup.id]
    assert volumes.backups_by_token(pair.one, str(found.token), pair.volume()) == [], "Cinder lists by volume"


def a_member_may_not_carry_records(pair: Pair) -> None:
    backup = pair.backup(pair.snapshot(pair.volume()), incremental=False)
    answer = send(pair.member.volume, "GET", f"/backups/{backup.id}/export_record", None, CINDER)
    refused(answer, 403, "backup:export-import")
    project = "os-backup-project-attr:project_id"
    assert resources.read(pair.one, "backup", backup.id)[project] == pair.one.project_id
    assert project not in resources.read(pair.member, "backup", backup.id), "for administrators alone"


def a_record_is_imported_once_and_keeps_its_id(pair: Pair) -> None:
    backup = pair.backup(pair.snapshot(pair.volume()), incremental=False)
    record = volumes.export_record(pair.one, backup.id)
    with pytest.raises(NotFoundInSite):
        volumes.get_backup(pair.two, backup.id)
    assert restore.import_record(pair.two, backup.id, record, 60) is True
    pair.later(volumes.delete_backup, pair.two, backup.id, 120)
    assert restore.import_record(pair.two, backup.id, record, 60) is False
    body = {"backup-record": record}
    answer = send(pair.two.volume, "POST", "/backups/import_record", body, CINDER)
    refused(answer, 400, "already exists")
    known = volumes.get_backup(pair.two, backup.id)
    assert (known.volume_id, known.size_gib, known.incremental) == (backup.volume_id, backup.size_gib, False)
    spoilt = {"backup-record": {**record, "backup_url": "bm9uc2Vuc2U="}}
    refused(send(pair.two.volume, "POST", "/backups/import_record", spoilt, CINDER), 400)


def a_restore_makes_a_volume_that_says_where_it_is_from(pair: Pair) -> None:
    backup = pair.backup(pair.snapshot(pair.volume()), incremental=False)
    pair.carried(backup)
    token, name = pair.token("restore"), pair.name("restored")
    wanted = restore.WantedVolume(name, 1, backup.id, bootable=True, metadata={"kept": "yes"})
    made = restore.restore_volume(pair.two, token, wanted, timeout=120)
    pair.later(restore.remove_volume, pair.two, made, 120)
    assert restore.restore_volume(pair.two, token, wanted, timeout=120) == made
    row = resources.read(pair.two, "volume", made)
    assert (row["name"], row["status"], row["bootable"]) == (name, "available", "true")
    expected = {"kept": "yes", tokens.KEY: token, restore.SOURCE_BACKUP: backup.id}
    assert row["metadata"].items() >= expected.items()


def a_backup_is_restored_into_a_volume_that_is_there(pair: Pair) -> None:
    backup = pair.backup(pair.snapshot(pair.volume(size=2)), incremental=False)
    pair.carried(backup)
    small = pair.volume(size=1, site=pair.two)
    path = f"/backups/{backup.id}/restore"
    answer = send(pair.two.volume, "POST", path, {"restore": {"volume_id": small}}, CINDER)
    refused(answer, 400, "too small")
    wanted = restore.WantedVolume(pair.name("blank"), 2, backup.id, blank_first=True)
    made = restore.restore_volume(pair.two, pair.token("blank"), wanted, timeout=120)
    pair.later(restore.remove_volume, pair.two, made, 120)
    assert resources.read(pair.two, "volume", made)["metadata"][restore.SOURCE_BACKUP] == backup.id


def an_incremental_without_its_parent_is_not_restored(pair: Pair) -> None:
    volume_id = pair.volume()
    pair.backup(pair.snapshot(volume_id), incremental=False)
    pair.pause()
    child = pair.backup(pair.snapshot(volume_id), incremental=True)
    pair.carried(child)
    token = pair.token("orphan")
    pair.later(restore.remove_by_token, pair.two, token, 120)
    wanted = restore.WantedVolume(pair.name("orphan"), 1, child.id)
    with pytest.raises(Failed) as failure:
        restore.restore_volume(pair.two, token, wanted, timeout=120)
    assert failure.value.state == "error_restoring"
    assert volumes.wait_backup(pair.two, child.id, 60).status == "available", "it can be tried again"


def a_chain_brings_the_data_of_its_last_moment(pair: Pair) -> None:
    """A server frozen twice: full and incremental of both volumes, booted at the other site."""
    machine = pair.machine()
    chains: dict[str, list[volumes.Backup]] = {v: [] for v in machine.made.volumes}
    for incremental in (False, True):
        quiesce.freeze(pair.one, machine.id, 60)
        try:
            shots = [pair.snapshot(v) for v in machine.made.volumes]
        finally:
            assert quiesce.thaw(pair.one, machine.id).done
        for shot in shots:
            chains[shot.volume_id].append(pair.backup(shot, incremental=incremental))
        pair.pause()
    record = console.parse(build.console(pair.one, machine.id)).freezes[-1]
    disks = []
    for volume_id in machine.made.volumes:
        for backup in chains[volume_id]:
            pair.carried(backup)
        bootable = volume_id == machine.made.volumes[0]
        newest = chains[volume_id][-1]
        assert newest.incremental
        wanted = restore.WantedVolume(pair.name("disk"), 1, newest.id, bootable=bootable)
        disks.append(restore.restore_volume(pair.two, pair.token("disk"), wanted, timeout=300))
        pair.later(restore.remove_volume, pair.two, disks[-1], 120)
    size = FlavorRecord("", pair.name("flavor"), 1, 128, 1, 0, 0, {})
    flavor = flavors.ensure_flavor(pair.two, pair.token("flavor"), size, size.name)
    pair.later(send, pair.two.compute, "DELETE", f"/flavors/{flavor}")
    booted = deploy.server(pair.two, pair.name("copy"), flavor, disks, [])
    pair.later(build.remove_server, pair.two, booted, 120)
    deploy.until(lambda: build.read_server(pair.two, booted)["status"] == "ACTIVE" or None, "active", 120)
    seen = lambda: console.parse(build.console(pair.two, booted)).verdict  # noqa: E731
    verdict = until(seen, "the guest's verdict", 180)
    assert verdict.consistent, f"{verdict} is not of one moment"
    assert verdict.record == record, f"{verdict.record} is not {record}"


def a_backup_being_made_can_be_stopped(pair: Pair) -> None:
    """os-force_delete, or waiting: in the end it is gone."""
    snapshot = pair.snapshot(pair.volume())
    body = {"backup": {"volume_id": snapshot.volume_id, "snapshot_id": snapshot.id, "force": True}}
    made = ask(pair.one.volume, "POST", "/backups", body, CINDER)["backup"]["id"]
    volumes.delete_backup(pair.one, made, 120)
    refused(send(pair.one.volume, "GET", f"/backups/{made}", None, CINDER), 404)


CHECKS: tuple[Check, ...] = (
    an_incremental_needs_a_backup_before,
    the_parent_is_the_newest_data_before_the_snapshot,
    a_parent_is_not_deleted_before_its_child,
    a_backup_is_of_a_snapshot_of_its_volume,
    a_backup_is_found_by_its_token,
    a_member_may_not_carry_records,
    a_record_is_imported_once_and_keeps_its_id,
    a_restore_makes_a_volume_that_says_where_it_is_from,
    a_backup_is_restored_into_a_volume_that_is_there,
    an_incremental_without_its_parent_is_not_restored,
    a_chain_brings_the_data_of_its_last_moment,
    a_backup_being_made_can_be_stopped,
)
