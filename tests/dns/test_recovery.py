"""Names that lead to an application where it was recovered: over simulated sites, with a real BIND 9."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.model import Preview, Purpose, Recovery, RecoveryState
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite_lab.sim.world import World, make_world
from tests.dns.bind import KEY, Bind, other_secret
from tests.dns.setup import FENCED, KEPT, NAME, OLD, RECORD, addresses, reach
from tests.sim.judge import wrong
from tests.sim.service import SITE, TARGET, Service, running_service

ASK = {"name": "sure", "kind": "prompt", "when": "before-recovery", "question": "Is the site really lost?"}


@dataclass
class Lost:
    """An application whose site is lost, and its restore point."""

    world: World
    service: Service
    point: str

    def plan(self, *hooks: dict[str, Any], **record: Any) -> None:
        (plan,) = self.service.plans.list(self.service.caller)
        self.service.plans.update(
            self.service.caller, plan.id, {"dns": [RECORD | record], "hooks": list(hooks)}
        )

    def preview(self) -> Preview:
        return self.service.recoveries.preview(self.service.caller, self.point, None, FENCED, plan="by-day")

    def start(self, preview: str | None = None) -> tuple[Job, Recovery]:
        made = self.service.recoveries.start(
            self.service.caller, self.point, None, FENCED, confirm="mme", plan="by-day", preview=preview
        )
        return self.service.rest(made.job_id), self.service.recoveries.get(self.service.caller, made.id)

    def answer(self, found: Recovery) -> Job:
        return self.service.rest(self.service.recoveries.answer(self.service.caller, found.id, "yes").job_id)

    def undone(self, found: Recovery) -> Job:
        job, _ = self.service.undo(found.id)
        assert job.state is JobState.UNDONE, job.error
        assert wrong(self.world, self.service) == []
        return job


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory, bind: Bind) -> Iterator[Lost]:
    folder = tmp_path_factory.mktemp("lost")
    with make_world() as world, running_service(folder, world, outside=reach(bind)) as service:
        service.deploy("mme")
        job, point = service.protect("mme")
        assert job.state is JobState.DONE, job.error
        service.plans.create(service.owner(), "by-day", "mme", TARGET, mapping=KEPT, dns=[RECORD])
        world.lose(SITE)
        yield Lost(world, service, point.id)


def said(job: Job) -> str:
    return "\n".join(line.message for line in job.journal)


def test_the_name_leads_to_the_recovered_members_until_an_undo(lost: Lost, bind: Bind) -> None:
    lost.plan()
    shown = lost.preview()
    (item,) = [item for item in shown.items if item.kind == "DNS record"]
    job, found = lost.start(shown.digest)
    assert job.state is JobState.DONE, job.error
    new = addresses(lost.service, found)
    assert len(new) == 2
    assert bind.has(NAME) == (new, 30)
    assert (item.name, item.action) == (f"{NAME} A", "update")
    assert item.detail.startswith(
        f"192.0.2.10 -> {', '.join(new)} (TTL 30 s, others may keep the old answer for 120 s"
    )
    assert f"DNS record {NAME} A: 192.0.2.10 -> {', '.join(new)}" in said(job)
    job = lost.undone(found)
    assert bind.has(NAME) == OLD
    assert f"{', '.join(new)} -> 192.0.2.10, as it was" in said(job)


def test_a_name_that_was_not_there_is_taken_away_again(lost: Lost, bind: Bind) -> None:
    bind.by_hand(NAME, "A")
    lost.plan()
    job, found = lost.start()
    assert job.state is JobState.DONE, job.error
    assert bind.has(NAME) == (addresses(lost.service, found), 30)
    lost.undone(found)
    assert bind.has(NAME) == ([], 0)


def test_what_changed_since_the_preview_is_another_preview(lost: Lost, bind: Bind) -> None:
    lost.plan()
    digest = lost.preview().digest
    bind.by_hand(NAME, "A", "192.0.2.99")
    with pytest.raises(Conflict, match="preview again"):
        lost.start(digest)


def test_what_somebody_changed_meanwhile_is_told_and_not_overwritten(lost: Lost, bind: Bind) -> None:
    lost.plan(ASK)
    _, found = lost.start()
    bind.by_hand(NAME, "A", "192.0.2.99")
    job = lost.answer(found)
    assert job.state is JobState.PAUSED
    assert f"{NAME} A: somebody changed it: it has 192.0.2.99, not 192.0.2.10" in str(job.error)
    assert "or back to 192.0.2.10, then resume" in str(job.error)
    assert bind.has(NAME)[0] == ["192.0.2.99"]
    bind.by_hand(NAME, "A", *OLD[0], ttl=OLD[1])
    job, found = lost.service.resume(found.id)
    assert job.state is JobState.DONE, job.error
    assert bind.has(NAME)[0] == addresses(lost.service, found)
    lost.undone(found)
    assert bind.has(NAME) == OLD


def test_a_plan_may_go_on_without_the_record(lost: Lost, bind: Bind) -> None:
    lost.plan(ASK, on_failure="continue")
    _, found = lost.start()
    bind.by_hand(NAME, "A", "192.0.2.99")
    job = lost.answer(found)
    assert job.state is JobState.DONE, job.error
    assert "set it by hand; the plan goes on: " in said(job)
    lost.undone(found)
    assert bind.has(NAME)[0] == ["192.0.2.99"], "neither the recovery nor its undo has touched it"


def test_a_server_that_is_gone_pauses_the_recovery_and_then_its_undo(lost: Lost, bind: Bind) -> None:
    lost.plan(ASK)
    _, found = lost.start()
    bind.kill()
    try:
        job = lost.answer(found)
        assert job.state is JobState.PAUSED
        assert "not known after 1 s: DNS server 127.0.0.1" in str(job.error)
        assert len(lost.service.recoveries.get(lost.service.caller, found.id).servers) == 2, (
            "it runs, and is told of"
        )
    finally:
        bind.start()
    job, found = lost.service.resume(found.id)
    assert job.state is JobState.DONE, job.error
    new = bind.has(NAME)[0]
    assert new == addresses(lost.service, found)
    bind.kill()
    try:
        job, stuck = lost.service.undo(found.id)
        assert (job.state, stuck.state) == (JobState.UNDO_FAILED, RecoveryState.UNDO_FAILED)
        assert "not known after 1 s" in str(job.error)
    finally:
        bind.start()
    assert bind.has(NAME)[0] == new
    lost.undone(found)
    assert bind.has(NAME) == OLD


def test_a_server_that_is_silent_at_the_preview_is_unknown(lost: Lost, bind: Bind) -> None:
    lost.plan()
    bind.kill()
    try:
        shown = lost.preview()
        assert shown.startable
        (item,) = [item for item in shown.items if item.kind == "DNS record"]
        assert item.detail.startswith("not known -> 10.32.")
        assert any("what it has now is not known" in str(problem) for problem in shown.problems)
    finally:
        bind.start()
    job, found = lost.start()
    assert job.state is JobState.DONE, job.error
    lost.undone(found)
    assert bind.has(NAME) == OLD


def test_an_undo_leaves_what_somebody_has_set_since(lost: Lost, bind: Bind) -> None:
    lost.plan()
    _, found = lost.start()
    bind.by_hand(NAME, "A", "192.0.2.99")
    job = lost.undone(found)
    assert "is not put back to 192.0.2.10, for it is not this recovery's any more" in said(job)
    assert bind.has(NAME)[0] == ["192.0.2.99"]


def test_a_wrong_key_is_in_the_way_before_anything_begins(lost: Lost, bind: Bind) -> None:
    lost.plan()
    right, secret = bind.keys.read_text(), other_secret()
    bind.keys.write_text(f'key "{KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};')
    try:
        with pytest.raises(Conflict, match="TSIG: the secret is another one there") as told:
            lost.start()
        assert secret not in str(told.value)
        bind.keys.chmod(0o644)
        with pytest.raises(Conflict, match="is open to others, with mode 644"):
            lost.start()
    finally:
        bind.keys.chmod(0o600)
        bind.keys.write_text(right)
    assert bind.has(NAME) == OLD
    assert lost.world.sites[TARGET].settle().state.servers == {}


def test_a_drill_never_changes_the_dns(lost: Lost, bind: Bind) -> None:
    lost.plan()
    drills = lost.service.recoveries.drills
    shown = lost.service.recoveries.preview(
        lost.service.caller, lost.point, None, plan="by-day", purpose=Purpose.DRILL
    )
    assert "a drill never changes the DNS" in [item.detail for item in shown.items]
    bind.kill()
    try:
        begun = drills.start(lost.service.caller, lost.point, None, {}, {"verify": "none"}, plan="by-day")
        job = lost.service.rest(begun.job_id)
        assert job.state is JobState.UNDONE, job.error
    finally:
        bind.start()
    assert bind.has(NAME) == OLD


def test_the_secret_is_in_no_place_of_the_service(
    lost: Lost, bind: Bind, caplog: pytest.LogCaptureFixture
) -> None:
    """Its database, which has the plan, the preview's items, the job with its journal, and the log."""
    caplog.set_level("DEBUG")
    lost.plan()
    _, found = lost.start()
    lost.undone(found)
    secret = bind.keys.read_text().split('"')[3]
    kept = b"".join(file.read_bytes() for file in lost.service.folder.rglob("*") if file.is_file())
    assert NAME.encode() in kept, "the control: what is kept is searched"
    assert secret.encode() not in kept
    assert secret not in caplog.text
