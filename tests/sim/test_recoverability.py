"""Whether it could be recovered now, over simulated sites: asked without a recovery, and told with its remedy."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from multisite.domain.findings import blockers
from multisite.domain.model import Preview, Protection, Purpose
from multisite.domain.recoverability import Recoverability, Recoverable
from multisite.domain.rpo import NO_RATE
from multisite.recovery.policies.service import PolicyService
from multisite.store.recoveries import RecoveryRepository
from multisite_lab.sim.world import World
from tests.sim.outcome import site_facts
from tests.sim.service import MAPPING, SITE, STORE, TARGET, Service

CHANGES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def protection(service: Service) -> Protection:
    service.deploy("mme", servers=1)
    return service.protection("mme")


@pytest.fixture
def drilled(service: Service, protection: Protection) -> Iterator[Protection]:
    """With a restore point that was recovered once, and undone: its rules are known."""
    _, point = service.protect("mme")
    _, recovery = service.recover(point.id)
    service.undone(recovery.id)
    return protection


def look(service: Service, protection: Protection) -> Recoverability:
    return service.recoveries.recoverability.look(protection)


def test_without_a_restore_point_everything_would_be_lost(service: Service, protection: Protection) -> None:
    found = look(service, protection)
    assert found.recoverable is Recoverable.NO
    assert "everything would be lost" in found.reason
    assert [f.remedy for f in found.findings] == ["openstack multisite protection run mme"]


def test_what_is_in_the_way_is_named_and_goes_when_it_is_remedied(
    service: Service, protection: Protection
) -> None:
    _, point = service.protect("mme")
    found = look(service, protection)
    assert found.recoverable is Recoverable.NO
    assert "flavor" in found.reason
    assert all(finding.remedy for finding in blockers(found.findings))
    _, recovery = service.recover(point.id)  # with rules that make the flavor
    service.undone(recovery.id)
    after = look(service, protection)
    assert (after.recoverable, after.reason) == (Recoverable.YES, "")
    assert (after.rules_of, after.restore_point_id) == (f"recovery {recovery.id}", point.id)
    assert after.since > found.since


def test_nothing_is_changed_and_the_application_runs_on(
    world: World, service: Service, drilled: Protection
) -> None:
    before = {name: site_facts(site.settle()) for name, site in world.sites.items()}
    asked = {name: len(site.script.log) for name, site in world.sites.items()}
    assert look(service, drilled).recoverable is Recoverable.YES
    for name, site in world.sites.items():
        seen = [s for s in site.script.log[asked[name] :] if s.service != "identity"]
        assert [s.call for s in seen if s.method in CHANGES] == []
        assert site_facts(site.settle()) == before[name]


def test_past_runs_say_how_long_it_takes(service: Service, drilled: Protection) -> None:
    found = look(service, drilled)
    (past,) = [r.rto_seconds for r in service.recoveries.list(service.caller)]
    assert (found.past_least, found.past_most, found.past_count) == (past, past, 1)


def test_a_target_that_is_silent_is_unknown_and_since_when_is_kept(
    world: World, service: Service, drilled: Protection, caplog: pytest.LogCaptureFixture
) -> None:
    assert look(service, drilled).recoverable is Recoverable.YES
    world.lose(TARGET)
    with caplog.at_level(logging.INFO):
        first, second = look(service, drilled), look(service, drilled)
    assert (first.recoverable, second.recoverable) == (Recoverable.UNKNOWN, Recoverable.UNKNOWN)
    assert second.since == first.since < second.looked_at
    told = [r for r in caplog.records if r.getMessage().startswith("recoverable unknown")]
    assert [r.levelno for r in told] == [logging.WARNING], "told once"


def test_a_source_that_is_lost_changes_what_is_known_not_what_could_be_done(
    world: World, service: Service, drilled: Protection
) -> None:
    world.lose(SITE)
    assert look(service, drilled).recoverable in (Recoverable.YES, Recoverable.UNKNOWN)


def test_a_store_that_is_away_is_unknown(service: Service, drilled: Protection) -> None:
    store = service.folder / STORE
    store.rename(store.with_name("away"))
    assert look(service, drilled).recoverable is Recoverable.UNKNOWN


def test_rules_of_a_move_are_as_good_as_those_of_a_recovery(service: Service, drilled: Protection) -> None:
    rows = RecoveryRepository(service.database)
    (recovery,) = service.recoveries.list(service.caller)
    rows.update(replace(rows.get(recovery.id), purpose=Purpose.MOVE))
    found = look(service, drilled)
    assert (found.recoverable, found.rules_of) == (Recoverable.YES, f"move {recovery.id}")


def test_a_store_that_does_not_tell_which_copy_counts_is_unknown(
    service: Service, drilled: Protection
) -> None:
    epochs = service.folder / STORE / "multisite" / "applications" / drilled.application_id / "epochs.jsonl"
    assert look(service, drilled).recoverable is Recoverable.YES
    epochs.parent.mkdir(parents=True, exist_ok=True)
    epochs.write_text("damaged")
    found = look(service, drilled)
    assert found.recoverable is Recoverable.UNKNOWN
    assert "which copy" in found.reason


def test_all_with_a_target_are_looked_at_in_as_many_requests_each(
    world: World, service: Service, drilled: Protection
) -> None:
    service.protections.create(service.caller, "mme", "consistent-backup")  # no target site: nothing to ask
    script = world.sites[TARGET].script
    before = len(script.log)
    service.recoveries.recoverability.run()
    once = len(script.log) - before
    for _ in range(2):
        service.protections.create(service.caller, "mme", "consistent-backup", target_site=TARGET)
    before = len(script.log)
    service.recoveries.recoverability.run()
    assert 0 < len(script.log) - before <= 3 * once
    protections = service.protections.list(service.caller)
    looks = service.recoveries.recoverability.of(protections)
    assert {p.id for p in protections if p.target_site} == set(looks)


def test_one_that_was_deleted_meanwhile_stops_nobody(service: Service, drilled: Protection) -> None:
    gone = service.protections.create(service.caller, "mme", "consistent-backup", target_site=TARGET)
    service.protections.delete(service.caller, gone.id)
    service.recoveries.recoverability._look_safely(replace(gone))
    service.recoveries.recoverability.run()
    assert set(service.recoveries.recoverability.of([gone, drilled])) == {drilled.id}


def test_past_runs_of_another_method_or_from_a_warm_standby_do_not_count(
    service: Service, drilled: Protection
) -> None:
    rows = RecoveryRepository(service.database)
    (recovery,) = service.recoveries.list(service.caller)
    assert (recovery.method, recovery.warm) == ("consistent-backup", False)
    for change, count in (
        ({"method": "instance-snapshot"}, 0),
        ({"warm": True}, 0),
        ({"method": None}, 1),  # of an earlier release: its restore point tells
        ({}, 1),
    ):
        rows.update(replace(recovery, **change))  # type: ignore[arg-type]
        found = look(service, drilled)
        assert (found.past_count, found.past_median is None) == (count, count == 0), change


def test_a_recovery_is_predicted_by_those_of_its_method_there(
    service: Service, protection: Protection
) -> None:
    _, point = service.protect("mme")

    def predicted() -> Preview:
        return service.recoveries.preview(service.caller, point.id, TARGET, MAPPING, supersede=True)

    assert (predicted().predicted_rto_seconds, predicted().predicted_rto_count) == (None, 0)
    _, recovery = service.recover(point.id)
    found = predicted()
    assert found.predicted_rto_count == 1
    assert found.predicted_rto_least == found.predicted_rto_seconds == found.predicted_rto_most is not None
    RecoveryRepository(service.database).update(replace(recovery, method="instance-snapshot"))
    assert (predicted().predicted_rto_seconds, predicted().predicted_rto_count) == (None, 0)


def test_what_would_be_lost_in_bytes(world: World, service: Service, protection: Protection) -> None:
    world.store.folder = service.folder / STORE
    policies = PolicyService(service.database, service.protections)
    service.protect("mme")
    first = policies.rpo.of([protection])[protection.id]
    assert (first.lost_bytes, first.lost_bytes_note) == (None, NO_RATE), "a full one tells nothing"
    _, point = service.protect("mme", incremental=True)
    assert point.carried_bytes is not None
    assert point.carried_seconds is not None
    assert point.carried_bytes > 0
    found = policies.rpo.of([protection])[protection.id]
    assert found.lost_bytes is not None
    assert "1 incremental restore points carried" in found.lost_bytes_note
    service.protections.rescan(service.caller)
    assert service.points()[0].carried_bytes == point.carried_bytes, "the store tells"
