"""A recovery that an earlier release began and paused goes on, and is undone."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text

from multisite.jobs.model import JobState
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.judge import wrong
from tests.sim.outcome import site_facts
from tests.sim.service import SITE, TARGET, Service


def as_it_was(volume: dict[str, Any]) -> dict[str, Any]:
    """A planned volume as releases with one protection method kept it."""
    record = dict(volume["record"])
    chain = record.pop("payload")["data"]
    kept = {name: volume[name] for name in ("step", "volume_type")}
    return {**kept, **volume["details"], "record": {**record, **chain}}


def rewrite(service: Service, job_id: str) -> None:
    with service.database.session() as session:
        row = session.execute(text("select params from job where id = :id"), {"id": job_id}).one()
        params = json.loads(row.params)
        params["plan"]["volumes"] = [as_it_was(v) for v in params["plan"]["volumes"]]
        new = {"params": json.dumps(params), "id": job_id}
        session.execute(text("update job set params = :params where id = :id"), new)


def test_a_paused_recovery_of_an_earlier_release_is_resumed_and_undone(
    world: World, service: Service
) -> None:
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    before = site_facts(world.sites[TARGET].settle())
    world.lose(SITE)
    world.sites[TARGET].strike(Rule("error", "volume", "POST", "/restore$", times=99, status=500))
    job, recovery = service.recover(point.id)
    assert job.state == JobState.PAUSED
    rewrite(service, job.id)
    world.sites[TARGET].script.clear()
    job, recovery = service.resume(recovery.id)
    assert job.state == JobState.DONE, job.error
    job, _ = service.undo(recovery.id)
    assert job.state == JobState.UNDONE, job.error
    after = site_facts(world.sites[TARGET].settle())
    assert {k: v for k, v in after.items() if k != "backups"} == {
        k: v for k, v in before.items() if k != "backups"
    }
    assert wrong(world, service) == []
