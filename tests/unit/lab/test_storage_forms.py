"""The forms with other storage: what they render, start and tell the Multisite service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from multisite_lab import core_store, form, manager, paths, render
from multisite_lab.form import Form, Identity
from multisite_lab.model import LabError, site_named
from multisite_lab.passwords import Passwords
from multisite_lab.services import services
from tests.unit.lab.test_networks_form import option

SITE = "site1"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = tmp_path / "venv"
    (venv / "etc/nova").mkdir(parents=True)
    (venv / "etc/nova/api-paste.ini").write_text("keystonecontext osapi_compute_app_v21\n")
    monkeypatch.setenv("MULTISITE_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(paths, "openstack_venv", lambda: venv)
    return tmp_path / "state"


def rendered(state: Path) -> Path:
    render.render_site(site_named(SITE), Passwords.generate(), "id")
    return state / SITE / "etc/cinder/cinder.conf"


def configuration(state: Path) -> str:
    auth = {"auth_url": "http://k/v3", "username": "m", "password": "p", "project_name": "service"}
    entry = {"site2-multisite": {"auth": auth, "region_name": "RegionTwo"}}
    (state / "clouds.yaml").write_text(yaml.safe_dump({"clouds": entry}))
    (state / "manager").mkdir()
    return manager.Manager(state / "manager")._configuration()


def test_backups_and_manifests_in_the_object_store(state: Path) -> None:
    form.choose(Form(object_store=True))
    keys = {"access_key": "AK", "secret_key": "SK", "swift_user": "u", "swift_key": "k"}
    core_store.folder().mkdir(parents=True)
    (core_store.folder() / "account.json").write_text(json.dumps(keys))
    cinder = rendered(state)
    assert option(cinder, "DEFAULT", "backup_driver").endswith("S3BackupDriver")
    assert option(cinder, "DEFAULT", "backup_s3_store_secret_key") == "SK"
    assert "posix" not in cinder.read_text()
    told = configuration(state)
    assert "kind = s3" in told
    assert "SK" not in told, "keys are in a file of their own"
    credentials = state / "manager/s3-credentials"
    assert "SK" in credentials.read_text()
    assert credentials.stat().st_mode & 0o077 == 0


def test_mirrors_and_what_the_service_is_told_of_them(state: Path) -> None:
    form.choose(Form(replication=True))
    assert "rbd-mirror" in [service.name for service in services(site_named(SITE))]
    told = configuration(state)
    assert told.count("backends = ") == 2
    assert f"conf={state}/site1/etc/ceph/ceph.conf host=site1@rbd#rbd pool=volumes" in told


def test_plain_sites_have_neither(state: Path) -> None:
    assert "rbd-mirror" not in [service.name for service in services(site_named(SITE))]
    assert option(rendered(state), "DEFAULT", "backup_driver").endswith("PosixBackupDriver")
    told = configuration(state)
    assert "path = " in told
    assert "backends" not in told


@pytest.mark.parametrize("more", [{"object_store": True}, {"replication": True}])
def test_an_identity_alone_has_no_storage(more: dict[str, bool]) -> None:
    with pytest.raises(LabError, match="--object-store and --replication need sites with volumes"):
        form.choose(Form(Identity.STAR, only_identity=True, **more))


def test_the_form_says_how_it_is_asked_for() -> None:
    assert str(Form(object_store=True, replication=True)) == "--identity own --object-store --replication"
