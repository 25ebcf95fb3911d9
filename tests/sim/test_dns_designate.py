"""Names in a site's Designate that lead to an application where it was recovered: over simulated sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.connect import Sites
from multisite.domain.errors import Conflict
from multisite.domain.model import Recovery
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.dns.designate import Designate
from multisite.recovery.dns.model import DnsRefused
from multisite_lab.sim import designate
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Row
from multisite_lab.sim.world import World, make_world
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

ZONE, NAME = "vnf.example.org", "mme.vnf.example.org"
FENCED = {"source_is_fenced": True}
KEPT = {name: value for name, value in MAPPING.items() if name not in FENCED}
RECORD = {
    "name": NAME, "zone": ZONE, "driver": "designate", "members": ["mme-1", "mme-2"], "network": "mme-mgmt",
    "timeout": 3.0, "ttl": 30,
}  # fmt: skip
ASK = {"name": "sure", "kind": "prompt", "when": "before-recovery", "question": "Is the site really lost?"}


@dataclass
class Lost:
    world: World
    service: Service
    point: str
    zone: Row

    @property
    def sets(self) -> dict[str, Row]:
        """The record sets of the target, by name and type."""
        rows = self.world.sites[TARGET].settle().state.recordsets.values()
        return {f"{row['name']} {row['type']}": row for row in rows}

    def by_hand(self, kind: str = "A", *records: str, ttl: int | None = None) -> None:
        """As its owner sets it; no records: it is gone."""
        sim = self.world.sites[TARGET].settle()
        for id in [id for id, row in sim.state.recordsets.items() if row["name"] == f"{NAME}."]:
            del sim.state.recordsets[id]
        if records:
            made = designate.make_recordset(
                sim, self.zone, {"name": f"{NAME}.", "type": kind, "records": records, "ttl": ttl}
            )
            made |= {"status": "ACTIVE", "action": "NONE"}

    def plan(self, *hooks: dict[str, Any], **record: Any) -> None:
        (plan,) = self.service.plans.list(self.service.caller)
        self.service.plans.update(
            self.service.caller, plan.id, {"dns": [RECORD | record], "hooks": list(hooks)}
        )

    def start(self) -> tuple[Job, Recovery]:
        caller = self.service.caller
        shown = self.service.recoveries.preview(caller, self.point, None, FENCED, plan="by-day")
        made = self.service.recoveries.start(
            caller, self.point, None, FENCED, confirm="mme", plan="by-day", preview=shown.digest
        )
        return self.service.rest(made.job_id), self.service.recoveries.get(caller, made.id)

    def undone(self, found: Recovery) -> Job:
        job, _ = self.service.undo(found.id)
        assert job.state is JobState.UNDONE, job.error
        assert wrong(self.world, self.service) == []
        return job


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    with make_world() as world:
        world.sites[TARGET].sim.settings.dns = True
        with running_service(tmp_path_factory.mktemp("dns"), world) as service:
            service.deploy("mme", full=False)
            job, point = service.protect("mme")
            assert job.state is JobState.DONE, job.error
            service.plans.create(service.owner(), "by-day", "mme", TARGET, mapping=KEPT, dns=[RECORD])
            world.lose(SITE)
            sim = world.sites[TARGET].settle()
            zone = designate.make_zone(sim, f"{ZONE}.", service.cloud(TARGET).project_id)
            designate.make_zone(sim, "others.example.org.", "another-project")
            yield Lost(world, service, point.id, zone)


@pytest.fixture
def lost(made: Lost) -> Lost:
    made.by_hand("A", "192.0.2.10")
    made.plan()
    return made


def addresses(found: Recovery) -> list[str]:
    return sorted(a for server in found.servers for a in server["addresses"] if a.startswith("10.32."))


def test_the_name_leads_to_the_recovered_members_until_an_undo(lost: Lost) -> None:
    before = lost.sets[f"{NAME}. A"]["id"]
    job, found = lost.start()
    assert job.state is JobState.DONE, job.error
    row = lost.sets[f"{NAME}. A"]
    assert (row["id"], sorted(row["records"]), row["ttl"]) == (before, addresses(found), 30)
    assert row["status"] == "ACTIVE", "a step is done when the name servers have it"
    assert f"192.0.2.10 -> {', '.join(addresses(found))}" in str([line.message for line in job.journal])
    lost.undone(found)
    row = lost.sets[f"{NAME}. A"]
    assert (row["records"], row["ttl"]) == (["192.0.2.10"], 3600), "the zone's TTL, as before"


def test_a_name_that_was_not_there_is_taken_away_again(lost: Lost) -> None:
    lost.by_hand()
    job, found = lost.start()
    assert job.state is JobState.DONE, job.error
    assert sorted(lost.sets[f"{NAME}. A"]["records"]) == addresses(found)
    lost.undone(found)
    assert lost.sets == {}


def test_what_somebody_changed_meanwhile_is_told_and_not_overwritten(lost: Lost) -> None:
    lost.plan(ASK)
    _, found = lost.start()
    lost.by_hand("A", "192.0.2.99")
    job = lost.service.rest(lost.service.recoveries.answer(lost.service.caller, found.id, "yes").job_id)
    assert job.state is JobState.PAUSED
    assert "somebody changed it: it has 192.0.2.99, not 192.0.2.10" in str(job.error)
    assert lost.sets[f"{NAME}. A"]["records"] == ["192.0.2.99"]
    lost.undone(found)
    assert lost.sets[f"{NAME}. A"]["records"] == ["192.0.2.99"]


def test_an_answer_that_was_lost_is_looked_for(lost: Lost) -> None:
    lost.world.sites[TARGET].strike(Rule("lost", "dns", "PUT", "/recordsets/", nth=1))
    job, found = lost.start()
    assert job.state is JobState.DONE, job.error
    assert sorted(lost.sets[f"{NAME}. A"]["records"]) == addresses(found)
    lost.undone(found)


def test_a_silent_service_is_unknown_and_pauses_the_recovery(lost: Lost) -> None:
    dead = lost.world.sites[TARGET].strike(Rule("error", "dns", "GET", "/zones$", status=503, times=999))
    lost.plan(timeout=0.5)
    caller = lost.service.caller
    shown = lost.service.recoveries.preview(caller, lost.point, None, FENCED, plan="by-day")
    assert shown.startable
    assert "what it has now is not known" in str(shown.problems)
    job, found = lost.start()
    assert (job.state, "not known after" in str(job.error)) == (JobState.PAUSED, True), job.error
    dead.times = 0
    lost.world.sites[TARGET].script.clear()
    job, found = lost.service.resume(found.id)
    assert job.state is JobState.DONE, job.error
    lost.undone(found)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"zone": "others.example.org", "name": "mme.others.example.org"}, "has no zone others.example.org"),
        ({"zone": "none.example.org", "name": "mme.none.example.org"}, "has no zone none.example.org"),
    ],
)
def test_a_zone_of_another_project_is_as_good_as_none(lost: Lost, record: dict[str, str], said: str) -> None:
    lost.plan(**record)
    with pytest.raises(Conflict, match=said):
        lost.start()


def test_a_site_without_the_service_is_told(tmp_path: Path) -> None:
    with make_world() as world:
        world.write_clouds(tmp_path / "clouds.yaml")
        site = Sites(lambda name: name, config_file=tmp_path / "clouds.yaml").open_for_service(SITE)
        with pytest.raises(DnsRefused, match="not in the catalog of region"):
            Designate(ZONE, lambda: site).read(NAME, "A")


def test_an_alias_is_in_the_way(lost: Lost) -> None:
    lost.by_hand("CNAME", "elsewhere.example.org.")
    with pytest.raises(Conflict, match=r"is an alias \(CNAME\) of elsewhere"):
        lost.start()
    assert lost.world.sites[TARGET].settle().state.servers == {}
