"""What releases with one protection method left behind: their manifests are read, their jobs go on and are undone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from multisite.clouds import restore
from multisite.clouds.connect import CloudSite, Sites
from multisite.domain.manifest import FORMAT, FORMAT_1, ManifestError, check_digest, digest_of, dump, load
from multisite.jobs.model import Step
from multisite.jobs.values import decode, plain
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.recovery.methods.consistent_backup.options import BackupOptions
from multisite.recovery.methods.consistent_backup.plan import ProtectPlan
from multisite.recovery.methods.table import METHODS
from multisite.recovery.protect.forget import forget_kind, forget_params
from multisite.recovery.protect.job import protect_kind
from multisite.recovery.recover.job import recover_steps
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.steps import Steps
from multisite.recovery.rows import as_restore_point
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository
from tests.manifest_store import store_in
from tests.unit.recovery.carry_out import Context

RECORDED = Path(__file__).parent / "recorded"
MANIFEST = (RECORDED / "manifest-1.json").read_bytes()
DIGEST = (RECORDED / "manifest-1.json.sha256").read_text()


def recorded(kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and steps of a job as an earlier release kept them."""
    found = json.loads((RECORDED / f"{kind}-1.json").read_text())
    return found["params"], found["steps"]


def no_site(name: str) -> str:
    raise AssertionError(f"site {name} is opened")


def dependencies(path: Path) -> ProtectDependencies:
    database = Database(f"sqlite:///{path}/multisite.db")
    points, protections = RestorePointRepository(database), ProtectionRepository(database)
    recoveries = RecoveryRepository(database)
    return ProtectDependencies(Sites(no_site), store_in(path), points, protections, recoveries, 2)


class TestManifest:
    def test_is_read_with_a_payload_in_each_volume(self) -> None:
        check_digest(MANIFEST, DIGEST)
        manifest = load(MANIFEST)
        assert manifest.format == FORMAT_1
        old = json.loads(MANIFEST)["volumes"]
        assert [[b.id for b in chain_of(v)] for v in manifest.volumes] == [
            [b["id"] for b in v["backups"]] for v in old
        ]
        assert {len(chain_of(v)) for v in manifest.volumes} == {2}
        assert {v.payload.method for v in manifest.volumes if v.payload} == {"consistent-backup"}

    def test_keeps_its_bytes_and_so_its_digest(self, tmp_path: Path) -> None:
        check_digest(MANIFEST, DIGEST)
        manifest = load(MANIFEST)
        assert dump(manifest) == MANIFEST
        assert as_restore_point(manifest).digest == DIGEST.strip()
        store = store_in(tmp_path)
        assert store.write(manifest) == DIGEST.strip()
        assert store.read(manifest.id) == manifest

    def test_is_refused_when_changed(self) -> None:
        with pytest.raises(ManifestError, match="digest"):
            check_digest(MANIFEST.replace(b'"size_gib":1', b'"size_gib":9', 1), DIGEST)

    def test_is_not_the_format_of_today(self) -> None:
        manifest = replace(load(MANIFEST), format=FORMAT)
        assert dump(manifest) != MANIFEST
        check_digest(dump(manifest), digest_of(dump(manifest)))
        assert load(dump(manifest)) == manifest

    def test_a_payload_that_cannot_be_read_names_the_field(self) -> None:
        manifest = load(MANIFEST.replace(b'"incremental":false,"record"', b'"incremental":"x","record"', 1))
        with pytest.raises(ManifestError, match=r"payload\.data\.backups\.0\.incremental"):
            [chain_of(v) for v in manifest.volumes]


def same(steps: list[Step], kept: dict[str, Any]) -> None:
    assert {s.name: (s.title, list(s.needs), s.limit, s.site) for s in steps} == {
        name: (step["title"], step["needs"], step["limit"], step["site"]) for name, step in kept.items()
    }


class TestJobs:
    def test_a_protection_has_the_steps_it_had(self, tmp_path: Path) -> None:
        params, kept = recorded("protect")
        assert "freeze_timeout" in params, "its options are beside its plan"
        same(protect_kind(dependencies(tmp_path), METHODS).build(params), kept)

    def test_the_options_of_a_plan_are_found_where_releases_have_put_them(self) -> None:
        params, _ = recorded("protect")
        beside = ProtectPlan.from_json(ProtectOrder.from_params(params).plan)
        assert (beside.options.freeze_timeout, beside.options.quiesce) == (params["freeze_timeout"], True)
        within = {
            **params["plan"],
            "freeze_timeout": 9,
            "quiesce": False,
            "snapshot_gap": 0.5,
            "console_mark": "A",
        }
        wanted = BackupOptions(9, False, console_mark="A", snapshot_gap_seconds=0.5)
        assert ProtectPlan.from_json(within).options == wanted
        assert ProtectPlan.from_json(beside.to_json()) == beside

    def test_a_deletion_has_the_steps_it_had(self, tmp_path: Path) -> None:
        manifest = load(MANIFEST)
        new = plain(forget_params(manifest, METHODS), "params")
        old = {"restore_point": manifest.id, "site": "site1", "backups": new["data"]["backups"]}
        kind = forget_kind(dependencies(tmp_path), METHODS)
        assert [(s.name, s.title, s.needs, s.limit) for s in kind.build(old)] == [
            ("manifest", "Remove the manifest from the backup store", (), None),
            ("backups", "Delete 2 backups", ("manifest",), "delete:site1"),
        ]
        assert [(s.name, s.title) for s in kind.build(new)] == [(s.name, s.title) for s in kind.build(old)]

    def test_a_recovery_has_the_steps_it_had_and_undoes_what_they_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        params, kept = recorded("recover")
        plan = RecoverPlan.from_json(params["plan"])
        site = cast("CloudSite", object())
        steps = recover_steps(Steps(plan, lambda _: site, lambda: load(MANIFEST)), lambda _: None)
        same(steps, kept)
        removed: list[Any] = []
        monkeypatch.setattr(restore, "remove_volume", lambda _site, id, _seconds: removed.append(id))
        monkeypatch.setattr(restore, "remove_by_token", lambda _site, token, _s, late: removed.append(late))
        step = next(s for s in steps if s.name == "volume-1")
        assert step.undo is not None
        step.undo(Context("job1", "volume-1", {}), decode(kept["volume-1"]["result"], step.result, "result"))
        assert removed == [kept["volume-1"]["result"]["id"], False]

    def test_a_plan_of_today_is_read_as_it_is(self) -> None:
        params, _ = recorded("recover")
        plan = RecoverPlan.from_json(params["plan"])
        assert RecoverPlan.from_json(plan.to_json()) == plan
