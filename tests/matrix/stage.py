"""The seam to what is outside the service: where a point is tried, simulated or real.

``simulated.py`` gives each point sites of its own, in the state a scenario left them; ``real.py`` brings the lab's
sites there by doing it again.  Everything else is the same for both.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from multisite.store.standby import StandbyRepository
from tests.matrix.processes import Processes
from tests.matrix.verbs import KEYS
from tests.sim.service import Service

Facts = dict[str, Any]


class Place(Protocol):
    """Sites, and the folder of the service over them."""

    folder: Path

    def lose_source(self) -> None:
        """Nobody reaches the source site from now on, if this can be had here."""

    def return_source(self) -> None:
        """The source site is reachable again, as it was."""

    def facts(self, service: Service) -> Facts:
        """What there is, without ids and times: equal for two runs that came to the same."""

    def problems(self, service: Service) -> list[str]:
        """What must never be there when everything is at rest, in words: orphans, duplicates, the frozen."""

    def keep(self, name: str) -> None:
        """The service has stopped; what there is now is the end of scenario ``name``."""


class Stage(Protocol):
    hurry: bool
    """Whether the sites are much faster than real ones."""
    seconds: float
    """What one process may take."""
    words: dict[str, Any]
    """What every verb is told: ``name`` of the application, ``mapping`` of a recovery, ``patience`` in seconds."""

    def at(self, base: str, processes: Processes) -> AbstractContextManager[Place]:
        """A place where scenario ``base`` has just ended, for one point."""


def common_facts(service: Service) -> Facts:
    """What the service itself says, and what is in its backup store."""
    found = (path for path in (service.folder / "store").rglob("*") if path.is_file())
    # How many marks of the database were written says how often it was, and not what for.
    files = sorted(path.name for path in found if path.parents[1].name != "installations")
    caller = service.caller
    recoveries = service.recoveries.list(caller)
    return {
        "jobs": sorted(f"{job.kind} {job.state}" for job in service.jobs.list()),
        "restore points": sorted(point.state for point in service.points()),
        "recoveries": sorted(
            f"{r.state} reprotected {r.reprotected_at is not None} committed {r.committed_at is not None}"
            for r in recoveries
        ),
        "applications": {
            a.name: [a.site, a.epoch, [(m.server_name, m.order, m.role) for m in a.members]]
            for a in service.applications.list(caller)
        },
        "protections": sorted(
            f"{p.application} from {p.site} to {p.target_site}" for p in service.protections.list(caller)
        ),
        "standbys": sorted(str(standby.state) for standby in StandbyRepository(service.database).list()),
        "hooks": sorted(_hooks_run(service.folder / KEYS)),
        "drills": sorted(
            f"{d.state} {d.result} {d.inventory_equal}" for d in service.recoveries.drills.list(caller)
        ),
        "backup store": {name: files.count(name) for name in files},
    }


def _hooks_run(keys: Path) -> set[str]:
    """Steps whose hooks were run, however often: a key says that it is the same once more."""
    return {line.split(":")[-1] for line in keys.read_text().split()} if keys.exists() else set()
