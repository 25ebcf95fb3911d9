"""Three simulated sites: an application protected to two, recovered in whichever is left, and protected again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.model import Protection
from multisite.domain.recoverability import Recoverable
from multisite.recovery.policies.scheduler import PolicyScheduler
from multisite.recovery.policies.service import PolicyService
from multisite_lab.guest.console import FREEZE_MARK
from multisite_lab.sim.world import World, make_world
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, STORE, Service, running_service

B, C = "site2", "site3"
RULES = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}


@pytest.fixture
def world() -> Iterator[World]:
    with make_world((SITE, B, C)) as made:
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, world) as made:
        world.store.folder = made.folder / STORE
        yield made


def protected(service: Service, *targets: str) -> Protection:
    """An application, and what protects it to these sites."""
    service.deploy("mme", servers=1, full=False)
    options = {"freeze_timeout": 30, "console_mark": FREEZE_MARK}
    return service.protections.create(
        service.caller, "mme", "consistent-backup", target_sites=targets, options=options
    )


def targets(service: Service) -> tuple[str, ...]:
    return service.protection("mme").target_sites


def start(service: Service, point: str, target: str | None = None) -> Any:
    started = service.recoveries.start(service.caller, point, target, MAPPING, confirm="mme")
    return service.rest(started.job_id), service.recoveries.get(service.caller, started.id)


def test_recovered_in_the_second_when_source_and_first_are_gone(world: World, service: Service) -> None:
    made = protected(service, B, C)
    assert (made.target_site, made.target_sites) == (B, (B, C))
    _, point = service.protect("mme")
    world.lose(SITE)
    world.lose(B)
    with pytest.raises(Invalid, match=rf"protected to 2 sites, {B}, {C}: .* recovery preview {point.id} "):
        start(service, point.id)
    job, recovery = start(service, point.id, C)
    assert (recovery.state, recovery.target_site) == ("done", C), job.error
    assert wrong(world, service) == []


def test_the_only_target_need_not_be_said(world: World, service: Service) -> None:
    """The negative control of the refusal; and any other registered site is still allowed."""
    protected(service, C)
    _, point = service.protect("mme")
    world.cut(SITE)
    _, recovery = start(service, point.id)
    assert (recovery.state, recovery.target_site) == ("done", C)
    service.undone(recovery.id)
    _, recovery = start(service, point.id, B)
    assert (recovery.state, recovery.target_site) == ("done", B)


def test_without_a_target_the_site_has_to_be_named(service: Service) -> None:
    protected(service)
    _, point = service.protect("mme")
    with pytest.raises(Invalid, match=r"^target_site: name the site to recover in"):
        service.recoveries.preview(service.caller, point.id, None)


def test_reprotect_keeps_the_other_target_and_undo_puts_all_back(world: World, service: Service) -> None:
    protected(service, B, C)
    _, point = service.protect("mme")
    world.cut(SITE)
    _, recovery = start(service, point.id, B)
    failback, me = service.failback, service.caller
    failback.reprotect(me, recovery.id, source_is_fenced=True)
    known = service.protection("mme")
    assert (known.site, known.target_sites) == (B, (SITE, C)), "the old site first, then the other one"
    job, after = service.protect("mme")
    assert job.state == "done", job.error
    with pytest.raises(Invalid, match=rf"{SITE}, {C}: name"):
        service.recoveries.preview(me, after.id, None)
    failback.undo_reprotect(me, recovery.id)
    known = service.protection("mme")
    assert (known.site, known.target_sites) == (SITE, (B, C))
    failback.reprotect(me, recovery.id, C, source_is_fenced=True)
    assert targets(service) == (C,), "not back to the old one"


def test_recovered_in_the_second_the_first_comes_after_the_old_site(world: World, service: Service) -> None:
    protected(service, B, C)
    _, point = service.protect("mme")
    world.cut(SITE)
    _, recovery = start(service, point.id, C)
    service.failback.reprotect(service.caller, recovery.id, source_is_fenced=True)
    assert targets(service) == (SITE, B)
    service.undone(recovery.id)
    assert targets(service) == (B, C)


def test_what_is_refused(service: Service) -> None:
    made = protected(service, B, C)
    set_targets = service.protections.set_targets
    for wanted, error, said in (
        ([B, SITE], Invalid, "is the site the application runs in"),
        ([B, C, B], Invalid, "site2 is named twice"),
        ([B, "nowhere"], NotFound, "nowhere"),
    ):
        with pytest.raises(error, match=said):
            set_targets(service.caller, made.id, wanted)
    with pytest.raises(Conflict, match=r"target site of the protection of mme"):
        service.sites.unregister(service.caller, C)
    with pytest.raises(Conflict, match=r"copies to one site, and site2, site3 are named"):
        service.protections.create(service.caller, "mme", "volume-replication", target_sites=[B, C])
    assert targets(service) == (B, C), "refused: nothing was changed"
    set_targets(service.caller, made.id, [C])
    assert targets(service) == (C,)
    service.sites.unregister(service.caller, B)  # the negative control: no target any more


def test_each_target_is_looked_at(world: World, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    made = protected(service, B, C)
    _, point = service.protect("mme")
    _, recovery = start(service, point.id, C)  # whose rules make the flavor that both lack
    service.undone(recovery.id)
    with caplog.at_level(logging.INFO):
        found = service.recoveries.recoverability.look(made)
    assert found.at == {B: Recoverable.NO, C: Recoverable.YES}
    assert "flavor" in found.reason
    said = [r.getMessage() for r in caplog.records if r.getMessage().startswith("recoverable ")]
    assert [line.partition(":")[0] for line in said] == ["recoverable no", "recoverable yes"]
    (other,) = found.others
    assert (other.rules_of, other.past_count, found.past_count) == (f"recovery {recovery.id}", 1, 0)
    world.cut(C)
    again = service.recoveries.recoverability.look(made)
    assert again.at == {B: Recoverable.NO, C: Recoverable.UNKNOWN}
    assert again.since == found.since, "of B nothing has changed"
    assert service.recoveries.recoverability.of([made])[made.id] == again


def test_drills_by_a_policy_take_each_target_in_turn(service: Service) -> None:
    made = protected(service, B, C)
    _, point = service.protect("mme")
    for site in (B, C):
        begun = service.recoveries.drills.start(service.caller, point.id, site, RULES)
        service.rest(begun.job_id)
    assert drilled(service, made, 3) == [B, C, B]


def test_drills_of_one_target_are_there(service: Service) -> None:
    """The negative control."""
    made = protected(service, C)
    _, point = service.protect("mme")
    begun = service.recoveries.drills.start(service.caller, point.id, C, RULES)
    service.rest(begun.job_id)
    assert drilled(service, made, 2) == [C, C]


def test_a_target_that_cannot_be_drilled_does_not_hold_up_the_other(world: World, service: Service) -> None:
    made = protected(service, B, C)
    _, point = service.protect("mme")
    begun = service.recoveries.drills.start(service.caller, point.id, C, RULES)
    service.rest(begun.job_id)
    world.cut(B)
    assert drilled(service, made, 4) == [C, C]


def drilled(service: Service, protection: Protection, days: int) -> list[str]:
    """Where a daily policy has drilled, in this order."""
    moment = [datetime.now(UTC)]
    drills, database = service.recoveries.drills, service.database
    before = {drill.id for drill in drills.list(service.caller)}
    policies = PolicyService(database, service.protections, lambda: moment[0])
    scheduler = PolicyScheduler(database, service.protections, service.jobs, lambda: moment[0], drills=drills)
    owner = service.owner()
    policies.create(owner, "gold", drill_cron="0 3 * * *")
    policies.assign(owner, protection.id, {"policy": "gold"})
    for _ in range(days):
        moment[0] += timedelta(days=1)
        for _ in range(2):
            scheduler.run()
            scheduler.settle()
            for job in service.jobs.list(settled=False):
                service.rest(job.id)
    scheduler.close()
    made = [drill for drill in drills.list(service.caller) if drill.id not in before]
    assert all(drill.result == "passed" for drill in made)
    return [drill.target_site for drill in reversed(made)]
