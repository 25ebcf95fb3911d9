"""An application of simulated sites whose newest restore points are kept restored at the target."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from multisite.domain.model import Preview, Protection
from multisite.domain.standby import Standby
from multisite.recovery.service import StandbyService, StandbyStatus
from multisite.store.standby import StandbyRepository
from multisite_lab.sim.model import Volume
from multisite_lab.sim.world import World
from tests.sim.service import MAPPING, TARGET, Service, state_of


class Kept:
    """An application whose newest restore points are kept, and a clock that a test moves."""

    def __init__(self, service: Service, world: World, count: int = 1, servers: int = 1) -> None:
        self.service, self.world, self.moment = service, world, datetime.now(UTC)
        service.patience = 600.0  # an undo at a site that is away tries for minutes on a busy machine
        service.deploy("mme", servers=servers, full=False)
        self.standby: StandbyService = service.recoveries.standby
        # A test waits for no look of five minutes.
        self.standby._now = self.standby._check._now = lambda: self.moment
        self.rows = StandbyRepository(service.database)
        self.protection: Protection = service.protection("mme")
        self.volumes = 2 * servers
        self.keep(count)

    def keep(self, count: int) -> None:
        self.protection = self.standby.set(self.service.caller, self.protection.id, count)

    def point(self) -> str:
        _, point = self.service.protect("mme")
        return point.id

    def look(self, times: int = 2, seconds: float = 1000.0) -> StandbyStatus:
        """So many looks, with what they began at its end; the status after them."""
        for _ in range(times):
            self.moment += timedelta(seconds=seconds)
            self.standby.run()
            self.standby.settle(600)
            for job in self.service.jobs.list(settled=False):
                self.service.rest(job.id)
        return self.status()

    def status(self) -> StandbyStatus:
        found = self.service.protections.get(self.service.caller, self.protection.id)
        return self.standby.of([found])[found.id]

    def row(self) -> Standby:
        (only,) = self.rows.list()
        return only

    def there(self) -> dict[str, Volume]:
        return state_of(self.world).volumes

    def kept(self) -> dict[str, Volume]:
        """Volumes at the target that are marked as standbys."""
        return {id: v for id, v in self.there().items() if "multisite_standby" in v.metadata}

    def preview(self, point: str) -> Preview:
        return self.service.recoveries.preview(self.service.caller, point, TARGET, MAPPING)


def promoted(preview: Preview) -> list[str]:
    return [item.name for item in preview.items if item.kind == "volume" and item.action == "use"]


def restored(preview: Preview) -> list[str]:
    return [item.name for item in preview.items if item.kind == "volume" and item.action == "restore"]


def reasons(preview: Preview) -> str:
    return "; ".join(found.what for found in preview.problems)


def restores(world: World) -> int:
    log = world.sites[TARGET].script.log
    return sum(seen.method == "POST" and "/restore" in seen.call[-1] for seen in log)
