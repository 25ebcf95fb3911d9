"""Orders of an operator, alarms, and what a site that differs gets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from multisite.domain.errors import Conflict, Invalid, NotFound, Unavailable
from multisite.identity.keys import actions, alarms, daemon, status
from multisite.identity.keys.repository import Kind, fingerprint
from multisite.identity.keys.service import KeyService, sites_with_keys
from tests.unit.identity.keys.little_sites import TOKENS, Clock, World, service, started, topology

NAMES = ("paris", "lyon", "metz")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(world: World, clock: Clock, tmp_path: Path) -> KeyService:
    return started(world, clock, tmp_path / "k", NAMES)


def found(keys: KeyService) -> dict[tuple[str, str], alarms.Alarm]:
    state = keys.journal.load()
    return {(a.code, a.site): a for a in alarms.alarms(state, keys.names, TOKENS, keys.now())}


def test_all_sites_get_the_same(world: World, keys: KeyService) -> None:
    assert len({tuple(world.keys(n)) for n in NAMES}) == 1
    assert len(world.keys("paris")) == 2
    assert not found(keys)


def test_the_schedule_survives_restarts(world: World, clock: Clock, keys: KeyService, tmp_path: Path) -> None:
    before = world.keys("paris")
    for _ in range(6):  # a service that restarts more often than it rotates
        clock.now += 1000
        keys = service(world, clock, tmp_path / "k", NAMES)
        keys.tick()
    assert world.keys("paris")[0] == before[1], "the staged key is primary"
    assert len(world.keys("paris")) == 3


def test_an_absent_site_holds_the_rotation(world: World, clock: Clock, keys: KeyService) -> None:
    world.cut = {"metz"}
    before = world.keys("paris")
    clock.now += 5000
    keys.tick()
    assert world.keys("paris") == before
    held = found(keys)["rotation-held", "metz"]
    assert held.level == alarms.Level.CRITICAL
    assert "While it is held nothing fails" in held.text
    assert "made elsewhere are refused at metz from" in held.text
    world.cut = set()
    keys.tick()
    assert world.keys("paris")[0] == before[1]
    assert not found(keys)


def test_going_on_without_a_site(world: World, clock: Clock, keys: KeyService) -> None:
    world.cut = {"metz"}
    for _ in range(2):
        clock.now += 3700
        keys.tick()
        actions.exclude(keys, "metz")
        keys.tick()
    token = world.issue("paris")
    assert world.accepts("lyon", token)
    first = next(
        e for e in keys.journal.load().events if "goes on without" in e.text or "go on without" in e.text
    )
    assert first
    clock.now += 3700
    keys.tick()
    assert not world.accepts("metz", world.issue("paris")), "as forecast: the second promotion"
    assert "since" in found(keys)["excluded", "metz"].text
    world.cut = set()
    keys.tick()
    assert world.accepts("metz", world.issue("paris"))
    actions.include(keys, "metz")
    assert not found(keys)


def test_the_last_site_stays(keys: KeyService) -> None:
    actions.exclude(keys, "paris")
    actions.exclude(keys, "lyon")
    with pytest.raises(Conflict, match="last site"):
        actions.exclude(keys, "metz")
    with pytest.raises(NotFound, match=r"nancy.*paris, lyon, metz"):
        actions.exclude(keys, "nancy")


def test_a_hold_is_a_hold(world: World, clock: Clock, keys: KeyService) -> None:
    actions.hold(keys, "the lyon move")
    clock.now += 9999
    before = world.keys("paris")
    keys.tick()
    assert world.keys("paris") == before
    assert "the lyon move" in found(keys)["rotation-held", ""].text
    actions.release(keys)
    keys.tick()
    assert world.keys("paris") != before


def test_a_rotation_by_hand_is_not_overwritten(world: World, clock: Clock, keys: KeyService) -> None:
    foreign = b"Zm9yZWlnbmZvcmVpZ25mb3JlaWduZm9yZWlnbjAwMDE="
    world.files["/lyon/fernet_tokens/2"] = foreign
    clock.now += 9999
    keys.tick()
    assert world.keys("lyon")[0] == foreign
    assert fingerprint(foreign) in found(keys)["foreign-key", "lyon"].text
    assert ("rotation-held", "lyon") in found(keys)
    actions.repair(keys, "lyon")
    assert len({tuple(world.keys(n)) for n in NAMES}) == 1
    assert not found(keys)


def test_a_site_that_lost_its_disk_gets_everything(world: World, keys: KeyService) -> None:
    world.files = {p: d for p, d in world.files.items() if not p.startswith("/metz/")}
    world.folders = {p for p in world.folders if not p.startswith("/metz")}
    keys.tick()
    assert world.keys("metz") == world.keys("paris")


def test_replacement_after_a_compromise(world: World, clock: Clock, keys: KeyService) -> None:
    old = world.issue("paris")
    world.cut = {"metz"}
    clock.now += 10
    actions.replace_compromised(keys, [Kind.TOKENS])
    assert not world.accepts("paris", old)
    assert not world.accepts("lyon", old)
    assert world.accepts("metz", old)
    assert found(keys)["compromised", "metz"].level == alarms.Level.CRITICAL
    clock.now += 90
    world.cut = set()
    keys.tick()
    assert not world.accepts("metz", old)
    assert world.accepts("metz", world.issue("paris"))
    told = status.emergency(keys.topology, keys.journal.load())
    assert told is not None
    assert (told["seconds"], told["all_sites"]) == ({"lyon": 0, "metz": 90, "paris": 0}, 90)
    assert not found(keys)


def test_credentials_are_never_thrown_away(keys: KeyService) -> None:
    with pytest.raises(Invalid, match="stored credentials are encrypted with it"):
        actions.replace_compromised(keys, [Kind.CREDENTIAL])


def test_credentials_rotate_when_they_are_migrated(world: World, keys: KeyService) -> None:
    before = world.keys("paris", "credential")
    actions.rotate(keys, [Kind.CREDENTIAL])
    assert world.keys("paris", "credential") == before
    actions.migrated(keys)
    keys.tick()
    assert world.keys("metz", "credential")[0] == before[1]
    for _ in range(3):
        actions.migrated(keys)
        actions.rotate(keys, [Kind.CREDENTIAL])
        keys.tick()
    assert len(world.keys("metz", "credential")) == 3, "Keystone's MAX_ACTIVE_KEYS"


def test_adopting_sites_that_differ(world: World, clock: Clock, keys: KeyService, tmp_path: Path) -> None:
    world.files["/lyon/fernet_tokens/2"] = b"Zm9yZWlnbmZvcmVpZ25mb3JlaWduZm9yZWlnbjAwMDE="
    fresh = service(world, clock, tmp_path / "other", NAMES)
    with pytest.raises(Conflict, match=r"fernet_tokens: the sites differ: lyon has .*adopt --from <site>"):
        actions.adopt(fresh)
    world.cut = {"metz"}
    with pytest.raises(Conflict, match="metz: unknown"):
        actions.adopt(fresh)
    world.cut = set()
    actions.adopt(fresh, source="lyon")
    assert len({tuple(world.keys(n)) for n in NAMES}) == 1
    assert len(world.keys("paris")) == 3
    with pytest.raises(Conflict, match="has taken over these sites already"):
        actions.adopt(fresh)


def test_adopting_what_is_the_same(world: World, clock: Clock, keys: KeyService, tmp_path: Path) -> None:
    fresh = service(world, clock, tmp_path / "other", NAMES)
    before = dict(world.files)
    actions.adopt(fresh)
    assert world.files == before


def test_a_vault_with_a_hole_promotes_nothing(clock: Clock, keys: KeyService, tmp_path: Path) -> None:
    next((tmp_path / "k/vault").iterdir()).unlink()
    with pytest.raises(Unavailable, match=r"vault: keys .* are missing.*adopt --from"):
        keys.tick()
    assert daemon.one_pass(keys)[0].code == "no-pass"


def test_folders_others_may_enter_are_refused(keys: KeyService, tmp_path: Path) -> None:
    (tmp_path / "k/vault").chmod(0o750)
    with pytest.raises(Unavailable, match=r"mode 750.*mode 700"):
        keys.tick()


def test_no_key_in_state_or_status(world: World, clock: Clock, keys: KeyService, tmp_path: Path) -> None:
    clock.now += 4000
    state = keys.tick()
    shown = json.dumps(status.document(keys.topology, keys.names, state, clock.now, 100))
    text = (tmp_path / "k/state.json").read_text() + shown
    secrets = {d.decode() for p, d in world.files.items()}
    assert len(secrets) == 8
    assert not [s for s in secrets if s in text]


def test_what_was_seen_long_ago_is_unknown(clock: Clock, keys: KeyService) -> None:
    state = keys.journal.load()
    fresh = status.document(keys.topology, keys.names, state, clock.now + 10, 100)
    assert (fresh["level"], fresh["sites"][0]["in_sync"]) == ("OK", "yes")
    old = status.document(keys.topology, keys.names, state, clock.now + 101, 100)
    assert (old["level"], old["sites"][0]["in_sync"], old["sites"][0]["reachable"]) == (
        "CRITICAL",
        "unknown",
        "unknown",
    )


def test_one_at_a_time(keys: KeyService) -> None:
    with (
        keys.journal.changing(),
        pytest.raises(Conflict, match="is changing keys"),
        keys.journal.changing(0.0),
    ):
        pass
    with (
        keys.journal.only_daemon(),
        pytest.raises(Conflict, match="is the daemon"),
        keys.journal.only_daemon(),
    ):
        pass


def test_alarms_are_told_once_and_when_over(world: World, keys: KeyService, tmp_path: Path) -> None:
    told = tmp_path / "told"
    hook = ("sh", "-c", f"cat >> {told}; echo >> {told}")
    world.cut = {"metz"}
    known = daemon.report_changes({}, daemon.one_pass(keys), hook)
    known = daemon.report_changes(known, daemon.one_pass(keys), hook)
    world.cut = set()
    daemon.report_changes(known, daemon.one_pass(keys), hook)
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert [len(line["raised"]) for line in lines] == [1, 0]
    assert lines[1]["cleared"][0]["code"] == "site-away"


def test_sites_of_different_owners_share_nothing() -> None:
    from dataclasses import replace

    mixed = topology(NAMES)
    sites = (replace(mixed.sites[0], owner="others"), *mixed.sites[1:])
    with pytest.raises(Invalid, match="sites of different owners share no keys"):
        sites_with_keys(replace(mixed, sites=sites))
