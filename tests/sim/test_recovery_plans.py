"""Recovering by a recovery plan over simulated sites."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.model import RecoveryState
from multisite.jobs.model import JobState
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service

KEPT = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}
FENCED = {"source_is_fenced": True}


def _planned(service: Service, **rules: object) -> str:
    """A restore point of an application with a plan."""
    made = service.deploy("mme", servers=1)
    network = service.cloud(SITE).network.get_network(made.networks[0])
    names = {"network_names": {network.name: "recovered"}}
    service.plans.create(service.owner(), "by-day", "mme", TARGET, mapping=KEPT | names | rules)
    job, point = service.protect("mme")
    assert job.state is JobState.DONE, job.error
    return point.id


def test_a_recovery_by_its_plan(world: World, service: Service) -> None:
    point = _planned(service)
    world.lose(SITE)
    preview = service.recoveries.preview(service.caller, point, None, FENCED, plan="by-day")
    assert preview.target_site == TARGET
    assert preview.items[0].kind == "recovery plan"
    started = service.recoveries.start(
        service.caller, point, None, FENCED, confirm="mme", preview=preview.digest, plan="by-day"
    )
    job = service.rest(started.job_id)
    assert job.state is JobState.DONE, job.error
    recovery = service.recoveries.get(service.caller, started.id)
    assert (recovery.state, recovery.plan) == (RecoveryState.DONE, "by-day")
    assert recovery.mapping["ready_console"] == "GUEST-READY"
    names = {row["name"] for row in world.sites[TARGET].settle().state.networks.values()}
    assert "recovered" in names
    service.undone(recovery.id)
    assert wrong(world, service) == []


def test_a_plan_changed_since_the_preview_is_not_carried_out(world: World, service: Service) -> None:
    """Also where nothing of the change is to be seen in what would be made."""
    point = _planned(service)
    world.lose(SITE)
    preview = service.recoveries.preview(service.caller, point, None, FENCED, plan="by-day")
    (plan,) = service.plans.list(service.caller)
    service.plans.update(service.caller, plan.id, {"mapping": plan.mapping | {"ready_timeout": 59.0}})
    with pytest.raises(Conflict, match="in the recovery plan; preview again"):
        service.recoveries.start(
            service.caller, point, None, FENCED, confirm="mme", preview=preview.digest, plan="by-day"
        )
    assert service.recoveries.list(service.caller) == []


def test_no_plan_vouches_that_a_source_that_answers_is_fenced(service: Service) -> None:
    point = _planned(service)
    assert not service.recoveries.preview(service.caller, point, None, {}, plan="by-day").startable
    assert service.recoveries.preview(service.caller, point, None, FENCED, plan="by-day").startable


def test_a_drill_by_its_plan(service: Service) -> None:
    point = _planned(service)
    drill = service.recoveries.drills.start(
        service.owner(), point, None, {}, {"verify": "none"}, plan="by-day"
    )
    assert service.rest(drill.job_id).state is JobState.UNDONE
    shown = service.recoveries.drills.get(service.owner(), drill.id)
    assert (shown.result, shown.target_site) == ("passed", TARGET)
