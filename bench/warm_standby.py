"""How the time of a recovery grows with its data, restored and taken over from a warm standby.  Needs no lab.

Two applications of one server each, alike but for their data volume (1 and 8 GiB), over simulated sites that take
``PER_GIB`` seconds to restore a GiB; everything else of the service is real.  The source is lost.  RTO as recoveries
say it; the least of ``ROUNDS``, in turns: other work on the machine only adds.  Restored is the control: it must grow.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.report import ratio
from multisite.domain.standby import StandbyWord
from multisite.jobs.model import JobState
from multisite_lab.sim.world import World, make_world
from tests.sim.service import SITE, TARGET, Service, running_service

SIZES = {"small": 1, "large": 8}
PER_GIB = 3.0
ROUNDS, CONTROL_ROUNDS = 3, 1
GOAL = 1.2
LOOKS = 10


def deploy(world: World, service: Service, name: str, gib: int) -> str:
    """An application whose data volume has so many GiB, protected; its restore point."""
    made = service.deploy(name, servers=1, full=False)
    world.sites[SITE].settle().state.volumes[made.volumes[-1]].size = gib
    job, point = service.protect(name)
    if job.state is not JobState.DONE:
        raise RuntimeError(f"{name} could not be protected: {job.error}")
    return point.id


def rto(service: Service, point: str) -> float:
    """Seconds of one recovery, which is undone."""
    job, recovery = service.recover(point)
    if job.state is not JobState.DONE or recovery.rto_seconds is None:
        raise RuntimeError(f"the recovery is {job.state}: {job.error}")
    service.undone(recovery.id)
    return recovery.rto_seconds


def make_ready(service: Service, name: str) -> None:
    """The newest restore point is restored at the target."""
    standby = service.recoveries.standby
    found = service.protection(name)
    if not found.standby:
        found = standby.set(service.caller, found.id, 1)
    for _ in range(LOOKS):
        standby.run()
        standby.settle(600)
        for job in service.jobs.list(settled=False):
            service.rest(job.id)
        if standby.of([found])[found.id].state is StandbyWord.READY:
            return
    raise RuntimeError(f"the standby of {name} does not become ready: {standby.of([found])[found.id]}")


def measure(service: Service, points: dict[str, str], *, promoted: bool) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in points}
    for _ in range(ROUNDS if promoted else CONTROL_ROUNDS):
        for name, point in points.items():
            if promoted:
                make_ready(service, name)
            seconds[name].append(rto(service, point))
        print(f"{'promoted' if promoted else 'restored'}: {seconds}", flush=True)
    return {name: min(found) for name, found in seconds.items()}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, make_world() as world:
        world.sites[TARGET].sim.settings.restore_per_gib = PER_GIB
        with running_service(Path(folder), world) as service:
            service.patience = 1800.0  # also on a busy machine
            points = {name: deploy(world, service, name, gib) for name, gib in SIZES.items()}
            world.lose(SITE)
            cold = measure(service, points, promoted=False)
            warm = measure(service, points, promoted=True)
    for how, found in (("restored", cold), ("promoted", warm)):
        print(f"RTO {how}: {found['small']:.2f} s with 1 GiB, {found['large']:.2f} s with 8 GiB")
    print(f"control: restored, 8 GiB over 1 GiB: {cold['large'] / cold['small']:.2f}")
    return ratio("warm_standby_growth", warm["large"] / warm["small"], "<=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
