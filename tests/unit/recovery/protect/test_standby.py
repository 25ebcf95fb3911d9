"""Protecting through standbys: the active member is asked nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.model import MemberRole
from multisite.jobs.model import JobState
from multisite.store.applications import ApplicationRepository
from tests.unit.recovery.protect.test_service import ANN, ProtectionSetup

pytestmark = pytest.mark.usefixtures("quick")
PATIENCE = 180.0
TOUCHED = ("freeze", "thaw", "snapshot", "console", "create_backup")


@pytest.fixture
def working(tmp_path: Path, demo_sites: Any) -> Iterator[ProtectionSetup]:
    """Of the two servers the second is a standby of the first."""
    with demo_sites.fresh(2).watched() as cloud:
        setup = ProtectionSetup(tmp_path, cloud, launch=True)
        rows = ApplicationRepository(setup.database)
        (application,) = rows.list()
        first, second = application.members
        rows.update(replace(application, members=(first, replace(second, role=MemberRole.STANDBY))))
        yield setup
        setup.close()


def asked(setup: ProtectionSetup) -> set[tuple[str, str]]:
    return {(verb, thing) for verb, thing in setup.cloud.log if verb in TOUCHED}


def protect(setup: ProtectionSetup, **options: Any) -> Any:
    made = setup.service.create(ANN, "demo", "consistent-backup", options={"freeze_timeout": 30, **options})
    job = setup.engine.wait(setup.service.run(ANN, made.id), PATIENCE)
    assert job.state is JobState.DONE, job.error
    (point,) = setup.service.restore_points(ANN)
    return setup.store.read(point.id)


def test_the_active_member_receives_no_quiesce_call_and_has_no_snapshot(working: ProtectionSetup) -> None:
    manifest = protect(working, standby_only=True)
    assert [server.id for server in manifest.servers] == ["id2"]
    assert {volume.id for volume in manifest.volumes} == {"v2a", "v2b"}
    touched = {thing for _, thing in asked(working)}
    assert "id2" in touched
    assert not touched & {"id1", "v1a", "v1b"}
    assert any("server web1 is not in this restore point: it is active" in note for note in manifest.notes)
    assert manifest.quiesced


def test_without_it_the_active_member_is_frozen(working: ProtectionSetup) -> None:
    """The control."""
    manifest = protect(working)
    assert [server.id for server in manifest.servers] == ["id1", "id2"]
    assert ("freeze", "id1") in asked(working)
    assert {"v1a", "v1b"} <= {thing for verb, thing in asked(working) if verb == "snapshot"}


def test_an_application_without_a_standby_is_refused(working: ProtectionSetup) -> None:
    rows = ApplicationRepository(working.database)
    (application,) = rows.list()
    members = tuple(replace(member, role=MemberRole.ACTIVE) for member in application.members)
    rows.update(replace(application, members=members))
    made = working.service.create(ANN, "demo", "consistent-backup", options={"standby_only": True})
    with pytest.raises(Conflict, match="none of its members is one: give one the role standby"):
        working.run(made)
    assert asked(working) == set()
