"""A source that does not answer is waited for once: by the preview, not again by the start that follows it."""

from __future__ import annotations

import time

import pytest

from multisite.domain.errors import Conflict
from multisite.jobs.model import JobState
from multisite.recovery.recover import decider
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.deploy import keypair
from tests.sim.service import MAPPING, SITE, TARGET, Service

WAIT = 2.0
SILENT = MAPPING | {"source_is_fenced": False}


@pytest.fixture
def point(world: World, service: Service, monkeypatch: pytest.MonkeyPatch) -> str:
    """A restore point whose site has become silent: it takes every request and answers none in time."""
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    monkeypatch.setattr(decider, "ANSWER_SECONDS", WAIT)
    world.sites[SITE].strike(Rule("delay", "compute", times=1000, seconds=4 * WAIT))
    return point.id


def start(service: Service, point: str, preview: str | None) -> tuple[float, str]:
    """How long it took, and the job."""
    begun = time.monotonic()
    started = service.recoveries.start(service.caller, point, TARGET, SILENT, confirm="mme", preview=preview)
    return time.monotonic() - begun, started.job_id


def asked(world: World, name: str) -> list[tuple[str, str, str]]:
    return [seen.call for seen in world.sites[name].script.log]


def test_a_start_by_its_preview_does_not_wait_again(world: World, service: Service, point: str) -> None:
    begun = time.monotonic()
    shown = service.recoveries.preview(service.caller, point, TARGET, SILENT)
    waited = time.monotonic() - begun
    assert (shown.source_state, shown.startable) == ("unreachable", True)
    assert waited >= WAIT
    reads = [call for call in asked(world, TARGET) if call[1] == "GET"]
    took, job_id = start(service, point, shown.digest)
    assert took < WAIT, "the silent source was waited for twice"
    assert service.rest(job_id).state is JobState.DONE
    again = [call for call in asked(world, TARGET) if call[1] == "GET"][len(reads) :]
    listed = ("volume", "GET", "/os-availability-zone")
    assert (reads.count(listed), again.count(listed)) == (1, 1), "the target is read anew, once"


@pytest.mark.parametrize("preview", [None, "silence of a process that is gone"])
def test_without_its_preview_a_start_waits_itself(service: Service, point: str, preview: str | None) -> None:
    begun = time.monotonic()
    if preview is None:
        took, job_id = start(service, point, None)
        assert service.rest(job_id).state is JobState.DONE
    else:
        with pytest.raises(Conflict, match="preview again"):
            start(service, point, preview)
        took = time.monotonic() - begun
    assert took >= WAIT


def test_a_source_that_is_back_is_seen_by_the_start(world: World, service: Service, point: str) -> None:
    shown = service.recoveries.preview(service.caller, point, TARGET, SILENT)
    world.sites[SITE].script.clear()
    world.sites[TARGET].strike(Rule("delay", "volume", "GET", "^/types$", seconds=WAIT))
    with pytest.raises(Conflict, match="active twice"):
        start(service, point, shown.digest)


def test_what_has_changed_since_the_preview_is_not_started(service: Service, point: str) -> None:
    shown = service.recoveries.preview(service.caller, point, TARGET, SILENT)
    keypair(service.cloud(TARGET), "mme")
    with pytest.raises(Conflict, match="preview again"):
        start(service, point, shown.digest)
    assert service.recoveries.list(service.caller) == []


def test_an_old_silence_stands_in_for_no_wait(
    service: Service, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multisite.recovery.recover.source.SILENCE_SECONDS", 0.0)
    shown = service.recoveries.preview(service.caller, point, TARGET, SILENT)
    took, job_id = start(service, point, shown.digest)
    assert took >= WAIT
    assert service.rest(job_id).state is JobState.DONE
