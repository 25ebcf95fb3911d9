"""A database older than what was done with it is found by the mark in the store, and only such a one."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.errors import Conflict
from multisite.recovery.manifests import MARKER, ManifestStore
from multisite.recovery.staleness import StaleDatabaseCheck
from multisite.recovery.stores import folder as folder_store
from multisite.store.database import Database
from multisite.store.installation import InstallationRepository
from tests.manifest_store import store_in
from tests.sim.deploy import until
from tests.sqlite_copy import copy_database

PATIENCE = 20.0
"""Longer than any disk of a busy machine needs: nothing here waits for it."""


class Installation:
    """A database and its store.  ``copy``: what another file has of it, as a backup or a clone would."""

    def __init__(self, folder: Path, store: ManifestStore, name: str = "multisite") -> None:
        self.folder, self.store, self.file = folder, store, folder / f"{name}.db"
        self.database = Database(f"sqlite:///{self.file}")
        self.database.upgrade()
        self.rows = InstallationRepository(self.database)

    def process(self, patience: float = PATIENCE) -> StaleDatabaseCheck:
        """One that has begun."""
        made = StaleDatabaseCheck(self.database, self.store, patience=patience)
        made.check()
        return made

    def copy(self, name: str) -> Installation:
        copy_database(self.file, self.folder / f"{name}.db")
        return Installation(self.folder, self.store, name)

    @property
    def counter(self) -> int:
        return self.rows.this().counter

    @property
    def marks(self) -> Path:
        return self.store.path / "multisite" / "installations" / self.rows.this().id


@pytest.fixture
def ours(tmp_path: Path) -> Installation:
    return Installation(tmp_path, store_in(tmp_path / "store", state=tmp_path / "keys"))


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()


@pytest.fixture
def away(ours: Installation) -> Callable[[], object]:
    """The store is not mounted until this is called."""
    marker = ours.store.path / MARKER
    kept = marker.with_name("kept")
    marker.rename(kept)
    return lambda: kept.rename(marker)


def raised(installation: Installation, times: int = 1) -> Installation:
    process = installation.process()
    for _ in range(times):
        process.raise_mark()
    return installation


def test_a_database_that_made_the_mark_goes_on(ours: Installation) -> None:
    raised(ours, 7)
    assert ours.counter == 7
    assert sorted(path.name for path in ours.marks.iterdir()) == ["5.json", "6.json", "7.json"]
    assert (ours.marks / "7.json").stat().st_mode & 0o777 == 0o600
    assert ours.process().why_rest(uses_store=True) is None


def test_one_from_before_rests_until_it_is_accepted(
    ours: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    old = raised(ours, 2).copy("old")
    assert old.process().why_rest() is None, "nothing was done since"
    raised(ours, 3)
    process = old.process()
    why = str(process.why_rest())
    for said in ("its counter is 2 of 20", "knows of 5 of 20", "`multisite-manage db accept-restored`"):
        assert said in why
    with pytest.raises(Conflict, match="no job goes on and nothing is changed"):
        process.refuse_changes()
    for _ in range(5):
        process.raise_mark()
    assert old.counter == 2, "it never gets over the mark by itself"
    assert caplog.text.count("its counter is 2") == 1
    shutil.rmtree(ours.marks)
    assert old.process().why_rest() == why, "what was found once is known without the store"
    accepted = []
    process.accept(accepted.append)
    assert [a.counter for a in accepted] == [old.counter] == [6]
    process.check()
    assert (process.why_rest(), old.process().why_rest()) == (None, None)
    assert "knows of 6" in str(ours.process().why_rest()), "who goes on with the other one is found, too"


def test_two_copies_at_work_are_found_by_the_same_number(ours: Installation) -> None:
    first, second = raised(ours, 2).copy("a").process(), ours.copy("b").process()
    first.raise_mark()
    assert (first.why_rest(), second.why_rest()) == (None, None)
    second.raise_mark()
    assert second.why_rest() is not None
    assert first.why_rest() is None


def test_between_the_comparison_and_the_raise(ours: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is compared, then another copy takes the number: it is not written over."""
    first, second = raised(ours, 2).copy("a"), ours.copy("b")
    slow, real = second.process(), InstallationRepository.raise_counter

    def after_the_other(rows: InstallationRepository, least: int) -> Any:
        monkeypatch.setattr(InstallationRepository, "raise_counter", real)
        raised(first)
        return real(rows, least)

    monkeypatch.setattr(InstallationRepository, "raise_counter", after_the_other)
    slow.raise_mark()
    assert slow.why_rest() is not None
    assert first.process().why_rest() is None


def test_a_living_process_notices_without_the_store(ours: Installation) -> None:
    """Its server was restored under it, while the store is away."""
    old = raised(ours, 1).copy("old")
    process = ours.process()
    process.raise_mark()
    (ours.store.path / MARKER).unlink()
    copy_database(old.file, ours.file)
    process.check()
    assert "its counter is 1 of" in str(process.why_rest())


def test_a_store_that_is_away_stops_nobody_and_is_made_up_for(
    ours: Installation, away: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    process = ours.process()
    for _ in range(3):
        process.raise_mark()
    assert (process.why_rest(), ours.counter) == (None, 0)
    assert process.notices() == ["backup store: no answer: a restored database would not be noticed"]
    assert "is not in it" in str(process.why_rest(uses_store=True))
    assert caplog.text.count("would not be noticed") == 1
    away()
    process.start()
    try:
        until(lambda: (ours.marks / "1.json").exists() or None, "the mark")
        until(
            lambda: (process.why_rest(uses_store=True) is None and not process.notices()) or None,
            "the end of it",
        )
    finally:
        process.stop()


def test_what_is_done_while_the_store_is_away_does_not_hide_that_the_database_is_old(
    ours: Installation,
) -> None:
    old = raised(ours, 1).copy("old")
    raised(ours, 2)
    (ours.store.path / MARKER).rename(ours.store.path / "kept")
    process = old.process()
    for _ in range(5):
        process.raise_mark()
    assert process.why_rest() is None, "networks are worked on"
    assert process.why_rest(uses_store=True) is not None, "recoveries are not"
    (ours.store.path / "kept").rename(ours.store.path / MARKER)
    process.raise_mark()
    assert "its counter is 1 of" in str(process.why_rest())


def test_a_store_that_hangs_is_waited_for_once(ours: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    there, waits, real = threading.Event(), [], Path.is_file

    def is_file(path: Path) -> bool:
        if path.name == MARKER and not there.is_set():
            waits.append(path)
            there.wait(60)
        return real(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    process = StaleDatabaseCheck(ours.database, ours.store, patience=0.2)
    for _ in range(20):
        process.raise_mark()
    assert (len(waits), process.why_rest()) == (1, None)
    there.set()


def test_new_stores_and_new_databases_say_nothing(ours: Installation, tmp_path: Path) -> None:
    raised(ours, 4)
    other = Installation(tmp_path, ours.store, "new")
    assert (other.process().why_rest(uses_store=True), other.counter) == (None, 0)
    raised(other)
    assert other.marks != ours.marks
    (tmp_path / "second").mkdir()
    moved = Installation(tmp_path, store_in(tmp_path / "second", state=tmp_path / "keys"))
    assert moved.process().why_rest(uses_store=True) is None
    raised(moved)
    assert ours.process().why_rest() is None


def flip(ours: Installation, _: Path) -> None:
    file = ours.marks / "3.json"
    data = file.read_bytes()
    file.write_bytes(data.replace(b'"counter":3', b'"counter":4'))


def rename(ours: Installation, _: Path) -> None:
    (ours.marks / "3.json").rename(ours.marks / "9.json")


def from_elsewhere(ours: Installation, folder: Path) -> None:
    other = raised(Installation(folder, ours.store, "other"), 3)
    shutil.copy(other.marks / f"{other.counter}.json", ours.marks / "3.json")


def signed_by_a_stranger(ours: Installation, folder: Path) -> None:
    shutil.rmtree(folder / "keys")
    ours.store.keys.make()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (flip, "3.json: the signature of key"),
        (rename, "9.json: it is mark 3 of installation"),
        (from_elsewhere, "3.json: it is mark 3 of installation"),
        (signed_by_a_stranger, "3.json: signed by key"),
        (lambda ours, _: (ours.marks / "3.json").write_text(""), "3.json: not a signature"),
    ],
)
def test_a_damaged_mark_is_not_none(
    ours: Installation, tmp_path: Path, damage: Callable[[Installation, Path], object], says: str
) -> None:
    raised(ours, 3)
    whole = tmp_path / "whole"
    shutil.copytree(ours.marks, whole)
    keys = tmp_path / "keys-kept"
    shutil.copytree(tmp_path / "keys", keys)
    damage(ours, tmp_path)
    process = ours.process()
    assert says in str(process.why_rest())
    process.raise_mark()
    assert ours.counter == 3
    for kept, place in ((whole, ours.marks), (keys, tmp_path / "keys")):
        shutil.rmtree(place)
        shutil.copytree(kept, place)
    process.check()
    assert process.why_rest() is None
    damage(ours, tmp_path)
    process.accept(lambda _: None)
    process.check()
    assert process.why_rest() is None


def test_an_older_mark_that_is_written_late_changes_nothing(ours: Installation) -> None:
    process = raised(ours, 1).process()
    late = ours.rows.raise_counter(0)
    assert late is not None
    process.raise_mark()
    assert process._marks.write(late.mark)
    assert process._marks.highest(late.id) == 3


def test_processes_that_raise_at_the_same_time_find_nothing_stale(ours: Installation) -> None:
    """As many as on several hosts: each with a database of its own to open."""
    ours.rows.this()
    both = [
        StaleDatabaseCheck(Database(f"sqlite:///{ours.file}"), ours.store, patience=PATIENCE) for _ in "ab"
    ]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(both[n % 2].raise_mark) for n in range(40)]:
            done.result()
    assert [process.why_rest(uses_store=True) for process in both] == [None, None]
    assert ours.process().why_rest() is None


def test_calls_at_the_same_time_share_one(ours: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    process = ours.process()
    with ThreadPoolExecutor(10) as pool:
        with process._turn:
            calls = [pool.submit(process.raise_mark) for _ in range(10)]
            until(lambda: process._asked == 10 or None, "all calls")
        for call in calls:
            call.result()
    assert ours.counter == 1


def _die(*_: object, **__: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _and_die(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    real(*args, **kwargs)
    _die()


DEATHS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "compared": lambda patch: patch.setattr(InstallationRepository, "raise_counter", _die),
    "raised in the database": lambda patch: patch.setattr(ManifestStore, "write_file", _die),
    "half written": lambda patch: patch.setattr("multisite.recovery.files.sync_directory", _die),
    "before the link": lambda patch: patch.setattr(Path, "hardlink_to", _die),
    "written": lambda patch: patch.setattr(
        folder_store, "write_durably", partial(_and_die, folder_store.write_durably)
    ),
    "before the older ones go": lambda patch: patch.setattr(ManifestStore, "remove_file", _die),
}


@pytest.mark.parametrize("point", DEATHS)
def test_killed_between_any_two_lines(
    ours: Installation, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process finds nothing wrong, and a database from before is still known as such."""
    first = raised(ours, 3).copy("first")
    raised(ours)
    ours.database.close()
    child = os.fork()
    if child == 0:
        DEATHS[point](monkeypatch)
        Installation(ours.folder, ours.store).process().raise_mark()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert ours.process().why_rest(uses_store=True) is None
    assert first.process().why_rest() is not None
    raised(ours, 4)
    assert ours.process().why_rest(uses_store=True) is None
    assert {path.suffix for path in ours.marks.iterdir()} == {".json"}, "nothing half is left"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
