"""Lists of restore points: what database and backup store say together, a page at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from multisite.applications.service import ApplicationService
from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.errors import NotFound
from multisite.domain.model import RestorePointState
from multisite.domain.page import Page
from multisite.jobs.engine import JobEngine
from multisite.recovery.protect.service import ProtectionService
from multisite.recovery.rows import as_restore_point
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.models import Base
from multisite.store.sites import SiteRepository
from tests.manifest_store import store_in
from tests.unit.recovery.recover_samples import manifest

ROOT = Caller("u0", "root", "p0", "admin", frozenset({"admin"}), "req-0")


class Setup:
    """A service that asks no site, and makes restore points as the store of another installation has them."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder}/multisite.db")
        self.database.upgrade()
        self.store = store_in(folder / "store", state=folder / "keys")
        clouds = Sites(str, config_file=folder / "clouds.yaml")
        self.service = ProtectionService(
            self.database,
            ApplicationService(ApplicationRepository(self.database), clouds),
            SiteService(SiteRepository(self.database), clouds),
            self.store,
            JobEngine(self.database),
            clouds,
            backups_per_site=1,
        )

    def put(self, count: int, known: bool = True) -> None:
        """In the store, oldest first; ``known``: to the database, too."""
        sample = manifest(1, disks=1, planes=1)
        for n in range(count):
            moment = sample.created_at + timedelta(minutes=n)
            made = replace(sample, id=f"rp-{n:03}", created_at=moment, application=f"mme-{n % 2}")
            self.store.write(made)
            if known:
                self.service._restore_points.save(as_restore_point(made))

    def loaded(self, page: Page) -> int:
        """Rows that are loaded as objects to show a page."""
        rows: list[object] = []

        def note(row: object, _context: object) -> None:
            rows.append(row)

        event.listen(Base, "load", note, propagate=True)
        try:
            self.service.restore_points(ROOT, page=page)
        finally:
            event.remove(Base, "load", note)
        return len(rows)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    (tmp_path / "store").mkdir()
    made = Setup(tmp_path)
    yield made
    made.database.close()


def ids(setup: Setup, **wanted: object) -> list[str]:
    return [point.id for point in setup.service.restore_points(ROOT, **wanted)]  # type: ignore[arg-type]


def test_pages_lead_through_what_only_the_store_knows(setup: Setup) -> None:
    setup.put(5, known=False)
    assert ids(setup) == ["rp-004", "rp-003", "rp-002", "rp-001", "rp-000"]
    assert ids(setup, page=Page(2)) == ["rp-004", "rp-003"]
    assert ids(setup, page=Page(2, "rp-003")) == ["rp-002", "rp-001"]
    assert ids(setup, application="mme-1", page=Page(1)) == ["rp-003"]
    assert ids(setup, application=setup.service.restore_point(ROOT, "rp-000").application_id) == ids(setup)


def test_a_page_loads_what_it_shows(setup: Setup) -> None:
    setup.put(6)
    assert setup.loaded(Page(2)) == 2
    assert setup.loaded(Page()) == 6, "negative control: the count sees more"


def test_what_the_store_does_not_hold_is_missing_in_each_page(setup: Setup) -> None:
    setup.put(3)
    shutil.rmtree(setup.store.path / "multisite" / "restore-points" / "rp-001")
    states = {point.id: point.state for point in setup.service.restore_points(ROOT)}
    assert states.pop("rp-001") is RestorePointState.MISSING
    assert set(states.values()) == {RestorePointState.AVAILABLE}
    assert setup.service.restore_point(ROOT, "rp-001").state is RestorePointState.MISSING
    setup.store.path.rename(setup.store.path.with_name("away"))
    assert {point.state for point in setup.service.restore_points(ROOT)} == {RestorePointState.AVAILABLE}
    with pytest.raises(NotFound, match="there is no restore point 'rp-9'"):
        setup.service.restore_point(ROOT, "rp-9")


def test_one_that_is_being_made_is_not_there_yet(setup: Setup) -> None:
    setup.put(1)
    setup.store.save_draft(replace(manifest(1, disks=1, planes=1), id="rp-new"))
    assert setup.store.ids() == ("rp-000",)
    assert ids(setup) == ["rp-000"]
