"""What takes effect only after its undo step has looked is found by the look at the end of the undo, which says so.

Not of subnets and backups: by then their network or snapshot is gone, and the service refuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds import call
from multisite.clouds.resources import left, lifecycle
from multisite.jobs.model import JobState
from multisite.networks.members import MemberAsked
from multisite.networks.paths.service import PathService
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import World, make_world
from tests.sim.address_setup import ADDRESS, OPERATOR, address_setup
from tests.sim.plane_setup import FOUR, plane_setup
from tests.sim.service import SITE, running_service
from tests.sim.test_stretch import ORDER, SITES, Stage

LATER = 300.0


class Ahead:
    def now(self) -> float:
        return time.time() + 2 * LATER


@pytest.fixture(params=["looks", "blind"])
def looks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the end of the undo looks; blind it must not be noticed, or the test shows nothing."""
    monkeypatch.setattr(call, "ATTEMPTS", 1)
    monkeypatch.setattr(lifecycle, "SEARCH_AGAIN_SECONDS", 0.05)
    return bool(request.param == "looks")


def late(
    world: World, monkeypatch: pytest.MonkeyPatch, site: str, path: str, *, looks: bool
) -> Callable[[str], list[str]]:
    """Let the next POST there take effect when the end of the undo begins to look; what is there of a kind, then."""
    struck = world.sites[site].strike(Rule("late", "", "POST", path, status=504, seconds=LATER))
    honest = left.find_of_job

    def looking(*asked: Any) -> Any:
        for one in world.sites.values():
            one.sim.clock = Ahead()
        return honest(*asked) if looks else []

    monkeypatch.setattr(left, "find_of_job", looking)

    def there(kind: str) -> list[str]:
        assert struck.struck == 1
        return list(getattr(world.sites[site].settle().state, kind))

    return there


def judged(job: Any, words: str, there: list[str], *, looks: bool) -> None:
    if looks:
        assert job.state is JobState.UNDO_FAILED
        assert words in (job.error or ""), job.error
    else:
        assert job.state is JobState.UNDONE
    assert there, "it came late"


def test_stretching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool) -> None:
    with make_world(SITES, settings=Settings(remote_port=True)) as world:
        for number, site in enumerate(SITES, start=1):
            world.sites[site].sim.settings.vteps = {f"{site}-1": f"172.31.{number}.1"}
        with running_service(tmp_path, world) as service:
            stage = Stage(world, service)
            there = late(world, monkeypatch, "site2", "/networks$", looks=looks)
            job, _ = stage.stretch(ORDER)
            judged(job, "site site2 still has network hb", there("networks"), looks=looks)
            if looks:
                service.jobs.undo(job.id, "o")
                assert service.rest(job.id).state is JobState.UNDONE
                assert there("networks") == []


@pytest.mark.parametrize("kind", ["network", "router"])
def test_realizing_a_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool, kind: str) -> None:
    with plane_setup(tmp_path) as here:
        here.describe(*FOUR)
        there = late(here.world, monkeypatch, "site2", f"/{kind}s$", looks=looks)
        job = here.realize("copy")
        judged(job, f"site site2 still has {kind} mme-copy", there(f"{kind}s"), looks=looks)
        if looks:
            here.engine.undo(job.id, "o")
            assert here.engine.rest(job.id).state is JobState.UNDONE
            assert here.left() == {}


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/floatingips$", "floatingips", "floating IP"),
        ("/security-groups$", "security_groups", "security group"),
    ],
)
def test_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool, path: str, kind: str, words: str
) -> None:
    with address_setup(tmp_path) as here:
        service = PathService(here.database, here.engine, here.clouds, listener=lambda *_: False)  # type: ignore[arg-type]
        there = late(here.world, monkeypatch, "site2", path, looks=looks)
        before = len(getattr(here.world.sites["site2"].settle().state, kind))
        ends = [MemberAsked(site, port) for site, port in here.ports.items()]
        job = here.engine.rest(service.create(OPERATOR, "sync", ends, "udp", 5000).job_id)
        judged(job, f"site site2 still has {words}", there(kind)[before:], looks=looks)
        if looks:
            here.engine.undo(job.id, "o")
            assert here.engine.rest(job.id).state is JobState.UNDONE
            assert len(there(kind)) == before


def test_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool) -> None:
    with address_setup(tmp_path) as here:
        there = late(here.world, monkeypatch, "site2", "/floatingips$", looks=looks)
        members = [MemberAsked(name, port) for name, port in here.ports.items()]
        made = here.service.create(OPERATOR, "gw", ADDRESS, members, "site1")
        job = here.engine.rest(made.job_id)
        judged(job, "site site2 still has floating IP", there("floatingips"), looks=looks)
        if looks:
            here.engine.undo(job.id, "o")
            assert here.engine.rest(job.id).state is JobState.UNDONE
            assert there("floatingips") == []


def test_protecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool) -> None:
    with make_world() as world, running_service(tmp_path, world) as service:
        service.deploy("mme", servers=1)
        there = late(world, monkeypatch, SITE, "^/snapshots$", looks=looks)
        job, _ = service.protect("mme")
        judged(job, f"site {SITE} still has snapshot mme-", there("snapshots"), looks=looks)
        if looks:
            service.jobs.undo(job.id, "o")
            assert service.rest(job.id).state is JobState.UNDONE
            assert there("snapshots") == []
