"""One example: an application as drawn is protected, its site lost, the application recovered, and both compared."""

from __future__ import annotations

import copy
import itertools
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multisite.jobs.model import JobState
from multisite_lab.sim.model import Settings, State
from multisite_lab.sim.world import Saved, World, make_world
from tests.sim.deploy import Deployed, ask
from tests.sim.ledger.compare import Difference, differences
from tests.sim.ledger.draw import BRONZE, GOLD, Edit, apply
from tests.sim.ledger.told import disks_not_told, is_told
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

_FAST = Settings(
    create_volume=0.0, delete_volume=0.0, snapshot=0.0, delete_snapshot=0.0, backup=0.0, delete_backup=0.0,
    import_record=0.0, restore=0.0, build_server=0.01, boot=0.01, delete_server=0.0, dhcp=0.0,
    hosts={"one": "nova", "two": "nova"},  # a server group that is drawn may keep its servers apart
)  # fmt: skip
_QOS = {SITE: ((GOLD, False), (BRONZE, False)), TARGET: ((GOLD, True),)}


@dataclass
class Examples:
    """``folder`` of a service that knows the application; each example begins with a copy of it."""

    world: World
    saved: Saved
    folder: Path
    made: Deployed
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def silent(self, edits: list[Edit]) -> list[str]:
        """What is neither equal at the target nor told in the preview."""
        source, target, said = self._recovered(edits)
        found = [d for d in differences(source, target, self.made.servers) if not is_told(d, said)]
        return [*map(str, found), *disks_not_told(source, self.made.servers, said)]

    def seen(self, source: State, target: State) -> list[Difference]:
        return differences(source, target, self.made.servers)

    def _recovered(self, edits: list[Edit]) -> tuple[State, State, list[str]]:
        """Raw states of source and target, and the sentences of the preview."""
        self.world.go_back(self.saved)
        folder = self.folder.with_name(f"example-{next(self._numbers)}")
        shutil.copytree(self.folder, folder)
        site = self.world.sites[SITE]
        apply(site.sim.state, self.made, edits)
        source = copy.deepcopy(site.settle().state)
        service = Service(folder)
        service.open()
        try:
            job, point = service.protect(self.made.name)
            assert job.state is JobState.DONE, job.error
            self.world.lose(SITE)
            said, mapping = self._previewed(service, point.id)
            job, _ = service.recover(point.id, **mapping)
            assert job.state is JobState.DONE, job.error
        finally:
            service.close()
            shutil.rmtree(folder)
        return source, self.world.sites[TARGET].settle().state, said

    @staticmethod
    def _previewed(service: Service, point: str) -> tuple[list[str], dict[str, Any]]:
        """The sentences of the preview, and the losses that it offers to accept."""
        preview = service.recoveries.preview(service.caller, point, TARGET, MAPPING)
        losses = [loss for p in preview.problems for loss in _accepted(p.remedy)]
        mapping: dict[str, Any] = {"accept_loss": losses} if losses else {}
        again = service.recoveries.preview(service.caller, point, TARGET, MAPPING | mapping)
        assert again.startable, again.problems
        return [f"{p.kind}: {p.what}" for p in preview.problems], mapping

    def untouched(self) -> tuple[State, State]:
        """Raw states after an example without edits."""
        source, target, _ = self._recovered([])
        return source, copy.deepcopy(target)


def _accepted(remedy: str) -> list[str]:
    """What a remedy says to type behind --accept-loss."""
    option = "--accept-loss "
    return [shlex.split(remedy.partition(option)[2])[0]] if option in remedy else []


@contextmanager
def examples(folder: Path) -> Iterator[Examples]:
    known = folder / "known"
    known.mkdir()
    with make_world(settings=_FAST) as world:
        with running_service(known, world) as service:
            made = service.deploy("mme", full=False)
            service.protection("mme")
            for site, policies in _QOS.items():
                for name, shared in policies:
                    body = {"policy": {"name": name, "shared": shared}}
                    ask(service.cloud(site).network, "POST", "/qos/policies", body)
        for site in world.sites.values():
            site.settle()
        yield Examples(world, world.save(), known, made)
