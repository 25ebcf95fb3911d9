"""Targets drawn at random, against their previews: what is startable ends done, what is not names what is really there.

PREVIEW_TARGETS: how many, beyond those of every run, which are always the same.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.findings import Finding, blockers
from multisite.jobs.model import JobState
from multisite.recovery.recover import decider
from multisite.recovery.recover import service as recover_service
from multisite_lab.sim import site as sim_site
from multisite_lab.sim.model import QUOTAS, Settings, Sim
from multisite_lab.sim.world import Saved, World, make_world
from tests.sim.deploy import PUBLIC_KEY, Deployed, ask
from tests.sim.service import SITE, STORE, TARGET, Service, running_service

SOME = int(os.environ.get("PREVIEW_TARGETS", "0"))
DRAWN = SOME or 12
_FAST = Settings(
    create_volume=0.0, delete_volume=0.0, snapshot=0.0, delete_snapshot=0.0, backup=0.0, delete_backup=0.0,
    import_record=0.0, restore=0.0, build_server=0.01, boot=0.01, delete_server=0.0, dhcp=0.0,
    hosts={"one": "nova", "two": "az-east"}, volume_zones=("nova", "az-east"),
)  # fmt: skip
MAPPING = {"source_is_fenced": True, "ready_console": "GUEST-READY", "ready_timeout": 30, "boot_timeout": 30}


@dataclass(frozen=True)
class Cause:
    """One thing that is odd at a target.  ``kind``: of the obstacle that it is, "" when it is only told, or nothing.

    ``fails``: who starts all the same fails; other obstacles would let it come back as something else.
    """

    name: str
    apply: Callable[[Targets], object]
    kind: str = ""
    fails: bool = False


@dataclass
class Targets:
    """A restore point, and a target that can be made as one likes, in ``folder`` of a service as often as one likes."""

    world: World
    saved: Saved
    folder: Path
    made: Deployed
    point: str
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def sim(self) -> Sim:
        return self.world.sites[TARGET].sim

    def settings(self, **changed: Any) -> None:
        self.sim.settings = replace(self.sim.settings, **changed)

    def flavor(self, **changed: Any) -> None:
        for row in self.sim.state.flavors.values():
            row.update(changed)

    def volume_type(self, **changed: Any) -> None:
        next(row for row in self.sim.state.volume_types.values() if row["name"] == "rbd").update(changed)

    def keypair(self) -> None:
        row = {"name": "mme", "public_key": PUBLIC_KEY.replace("AAAAB", "AAAAX"), "type": "ssh"}
        row["public_key"] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnother another"
        self.sim.state.keypairs[self.sim.accounts[0].user_id, "mme"] = row

    def network(self, service: Service) -> None:
        ask(service.cloud(TARGET).network, "POST", "/networks", {"network": {"name": "mme-data"}})

    def forget_a_backup(self) -> None:
        self.world.store.remove(next(iter(self.world.store.objects)))

    def become(self, service: Service, causes: list[Cause], patch: pytest.MonkeyPatch) -> None:
        """The target with these causes, and no others."""
        patch.undo()
        self.world.go_back(self.saved)
        self.sim.settings, self.sim.quotas = replace(_FAST), dict(QUOTAS)
        service.clouds.drop(TARGET)
        for cause in causes:
            cause.apply(self)
        if OLD_NOVA in causes:
            patch.setattr(sim_site, "SERVICES", _OLDER)
        if NETWORK in causes:
            self.network(service)

    @contextmanager
    def serving(self) -> Iterator[Service]:
        folder = self.folder.with_name(f"target-{next(self._numbers)}")
        shutil.copytree(self.folder, folder)
        self.world.store.folder = folder / STORE
        service = Service(folder)
        service.open()
        try:
            yield service
        finally:
            service.close()
            shutil.rmtree(folder)

    def previewed(self, service: Service) -> tuple[Finding, ...]:
        return service.recoveries.preview(service.caller, self.point, TARGET, MAPPING).problems


def _quota(name: str) -> Cause:
    return Cause(f"no {name}", lambda t: t.sim.quotas.update({name: 0}), f"quota {name}", fails=True)


_OLDER: Any = tuple(replace(s, high=(2, 93)) if s.name == "compute" else s for s in sim_site.SERVICES)
OLD_NOVA = Cause("Nova of Zed", lambda _: None, "server mme-2")
NETWORK = Cause("a network of the name", lambda _: None, "network mme-data")
ONE_HOST = Cause("one host", lambda t: t.settings(hosts={"two": "az-east"}), "server group mme", fails=True)
OTHER_ZONES = Cause("other zones", lambda t: t.settings(hosts={"one": "nova", "two": "nova"}))
ZONES_OF_CINDER = Cause("no az-east in Cinder", lambda t: t.settings(volume_zones=("nova",)))
SAME_ZONES = Cause("cross_az_attach off", lambda t: t.settings(cross_az_attach=False))
GONE = Cause("a deleted backup", lambda t: t.forget_a_backup(), "backup gone", fails=True)
CAUSES = (
    *(OLD_NOVA, NETWORK, ONE_HOST, OTHER_ZONES, ZONES_OF_CINDER, SAME_ZONES, GONE),
    Cause("no flavor", lambda t: t.sim.state.flavors.clear(), "flavor t128"),
    Cause("a smaller flavor", lambda t: t.flavor(ram=64), "flavor t128"),
    Cause("a private flavor", lambda t: t.flavor(**{"os-flavor-access:is_public": False}), "flavor t128"),
    Cause("no volume type", lambda t: t.volume_type(name="ceph")),
    Cause("a private volume type", lambda t: t.volume_type(is_public=False), "volume "),
    Cause("another key pair", lambda t: t.keypair(), "key pair mme"),
    Cause("no backup service", lambda t: t.settings(backup_service="down"), "cinder-backup"),
    *map(_quota, (
        "instances", "cores", "ram", "server_groups", "key_pairs", "metadata_items", "server_group_members", "volumes",
        "gigabytes", "per_volume_gigabytes", "backups", "backup_gigabytes", "network", "subnet", "port",
        "security_group", "security_group_rule",
    )),
)  # fmt: skip
HARMLESS = [cause for cause in CAUSES if not cause.kind]


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    """Two servers apart from each other, one of them in a zone, the other with a host name of several labels."""
    known = tmp_path_factory.mktemp("targets") / "known"
    known.mkdir()
    with make_world(settings=_FAST) as world:
        world.store.folder = known / STORE
        with running_service(known, world) as service:
            made = service.deploy("mme", full=False)
            state = world.sites[SITE].settle().state
            for group in state.server_groups.values():
                group["policy"] = "anti-affinity"
            first, second = (state.servers[id] for id in made.servers)
            first.pinned_zone = first.availability_zone = "az-east"
            for disk in first.disks:
                state.volumes[disk.volume_id].availability_zone = "az-east"
            second.hostname = "mme-2.example.org"
            flavor = {"name": "t128", "vcpus": 1, "ram": 128, "disk": 1}
            ask(service.cloud(TARGET).compute, "POST", "/flavors", {"flavor": flavor}, "2.61")
            job, point = service.protect("mme")
            assert job.state is JobState.DONE, job.error
        for site in world.sites.values():
            site.settle()
        world.lose(SITE)
        yield Targets(world, world.save(), known, made, point.id)


def drawn(number: int) -> list[Cause]:
    """Up to three causes; every other time only such as are no obstacle."""
    chance = random.Random(f"target {number}")
    among = HARMLESS if number % 2 else list(CAUSES)
    return chance.sample(among, chance.randint(0, 3))


@pytest.mark.parametrize("number", range(DRAWN))
def test_a_target(targets: Targets, number: int) -> None:
    causes = drawn(number)
    with targets.serving() as service, pytest.MonkeyPatch.context() as patch:
        targets.become(service, causes, patch)
        problems = targets.previewed(service)
        if blockers(problems):
            _is_real(targets, service, causes, problems, patch)
        else:
            job, _ = _recover(targets, service)
            told = any("cross_az_attach" in problem.what for problem in problems)
            assert job.state is JobState.DONE or (_zones_differ(causes) and told), (
                f"{_names(causes)}: {job.error}"
            )


def _zones_differ(causes: list[Cause]) -> bool:
    """Nova does not tell whether it lets servers and volumes be in different zones: the preview can only say so."""
    return {SAME_ZONES, ZONES_OF_CINDER} <= set(causes) and OTHER_ZONES not in causes


def _is_real(
    targets: Targets,
    service: Service,
    causes: list[Cause],
    problems: tuple[Finding, ...],
    patch: pytest.MonkeyPatch,
) -> None:
    """Each obstacle goes when one cause goes; and who starts all the same, with one that makes steps fail, fails."""
    left = {found.kind for found in blockers(problems)}
    for cause in causes:
        targets.become(service, [other for other in causes if other is not cause], patch)
        left &= {found.kind for found in blockers(targets.previewed(service))}
    assert left == set(), f"{_names(causes)}: still there without any one of them"
    failing = [cause for cause in causes if cause.fails]
    if failing:
        targets.become(service, failing[:1], patch)
        for module in (decider, recover_service):
            patch.setattr(module, "blockers", lambda _: ())
        job, _ = _recover(targets, service)
        assert job.state is not JobState.DONE, f"{failing[0].name}: it would have worked"


def _recover(targets: Targets, service: Service) -> Any:
    started = service.recoveries.start(service.caller, targets.point, TARGET, MAPPING, confirm="mme")
    return service.rest(started.job_id), started


def _names(causes: list[Cause]) -> str:
    return " + ".join(cause.name for cause in causes) or "nothing odd"


def test_each_cause_alone_is_an_obstacle_or_none(targets: Targets) -> None:
    """By its kind; and without any there is none."""
    wrong = []
    with targets.serving() as service, pytest.MonkeyPatch.context() as patch:
        for cause in (Cause("nothing odd", lambda _: None), *CAUSES):
            targets.become(service, [cause], patch)
            kinds = {found.kind for found in blockers(targets.previewed(service))}
            if not cause.kind and kinds:
                wrong.append(f"{cause.name}: {kinds}")
            if cause.kind and (not kinds or any(not kind.startswith(cause.kind) for kind in kinds)):
                wrong.append(f"{cause.name}: {kinds or 'nothing'}, not {cause.kind}")
    assert wrong == []


def test_a_preview_that_does_not_ask_is_caught(targets: Targets, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: without its check the target with one host is startable, and the recovery fails."""
    monkeypatch.setattr("multisite.recovery.recover.plan.check_server_groups", lambda *_: None)
    with targets.serving() as service, pytest.MonkeyPatch.context() as patch:
        targets.become(service, [ONE_HOST], patch)
        assert blockers(targets.previewed(service)) == ()
        job, _ = _recover(targets, service)
        assert job.state is JobState.PAUSED
