"""The job "remove-plane": takes away what a plane has in sites that are there, and notes what it leaves in lost ones.

Also takes away what was left, when the site is back.  Everything is found by the tokens of the job that realized the
plane, also what that job itself never wrote down.  A failure pauses it; removing the plane again begins another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from multisite.clouds import planes, resources, stretched
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.projects import require_visible
from multisite.domain.planes import OrphanedResources, PlaneRecord, PlaneState
from multisite.jobs.model import Ended, JobKind, JobState, Json, Step, StepContext, StepFailed
from multisite.jobs.outcome import Outcome, Row
from multisite.jobs.values import decode
from multisite.networks.planes.job import remove_router
from multisite.networks.planes.orders import token_of
from multisite.store.planes import PlaneRepository

KIND = "remove-plane"
OUTCOME: Mapping[JobState, PlaneState | Row] = {
    JobState.DONE: Row.UNCHANGED,  # its last step wrote down what is left
    JobState.UNDONE: PlaneState.REMOVING,
    JobState.PAUSED: PlaneState.REMOVING,
    JobState.UNDO_FAILED: PlaneState.REMOVING,
}


@dataclass(frozen=True)
class RemoveParams:
    """``of``: the job that realized the plane, None when it stays as it is and only what was left goes."""

    plane_id: str
    name: str
    of: str | None
    take: tuple[OrphanedResources, ...]
    leave: tuple[OrphanedResources, ...]


def job_kind(rows: PlaneRepository, opens: Sites) -> JobKind:
    """To register."""

    def build(given: Mapping[str, Json]) -> list[Step]:
        p = decode(given, RemoveParams, KIND)
        return Leaving(p.plane_id, p.name, p.of, p.take, p.leave, rows, opens).steps()

    outcome = Outcome(rows, "plane_id", OUTCOME, _told, any_job=True)
    return JobKind(KIND, build, on_failure="pause", outcome=outcome, rule="plane:remove")


def inside(cloud: CloudSite, part: OrphanedResources) -> list[str]:
    """The guests in what there is of it, in words; raises what ``call`` and ``require_visible`` raise."""
    cloud = _seen(cloud, part)
    network, router = _known(cloud, part, "network"), _known(cloud, part, "router")
    return [] if network is None else planes.guests(cloud, network, router)


def take_away(cloud: CloudSite, part: OrphanedResources, *, late: bool) -> None:
    """Router, subnet, network: what carries the tokens, and what is known besides.  Gone already is as good.

    ``late``: a request whose answer was lost may still take effect.  ConflictInSite when a guest has come meanwhile.
    """
    cloud, made, known = _seen(cloud, part), part.made, part.made.subnet_id if part.made else None
    if part.router:
        remove_router(cloud, part.job_id, made.router_id if made else None, known, late=late)
    stretched.remove(cloud, "subnet", token_of(part.job_id, "subnet", part.site), known, late=late)
    known = made.network_id if made else None
    stretched.remove(cloud, "network", token_of(part.job_id, "network", part.site), known, late=late)


def _seen(cloud: CloudSite, part: OrphanedResources) -> CloudSite:
    return require_visible(cloud, part.made.project_id if part.made else None)


def _known(cloud: CloudSite, part: OrphanedResources, kind: Literal["network", "router"]) -> str | None:
    """Its id: as it was noted, else of what carries the token."""
    if part.made is not None:
        return part.made.network_id if kind == "network" else part.made.router_id
    if kind == "router" and not part.router:
        return None
    found = resources.find(cloud, kind, token_of(part.job_id, kind, part.site))
    return found[0].id if found else None


@dataclass(frozen=True)
class Leaving(RemoveParams):
    rows: PlaneRepository
    opens: Sites

    def steps(self) -> list[Step]:
        unused = Step("unused", "See that no guest is in it", self.refuse_used)
        taken = [
            Step(f"take:{number}:{part.site}", f"Take it away at {part.site}", partial(self.taken, part),
                 needs=("unused",), site=part.site)
            for number, part in enumerate(self.take)
        ]  # fmt: skip
        needs = ("unused", *(step.name for step in taken))
        title = "Note what is left" if self.leave else "Note that it is gone"
        return [unused, *taken, Step("note", title, self.note, needs=needs)]

    def refuse_used(self, ctx: StepContext) -> None:
        """All sites are asked before anything is taken away in one."""
        for part in self.take:
            if guests := inside(self.opens.open(part.site, for_project=ctx.project_id), part):
                raise StepFailed(
                    f"network {self.name} is in use at {part.site}: {', '.join(guests[:10])}; remove them, then remove "
                    "the plane again"
                )

    def taken(self, part: OrphanedResources, ctx: StepContext) -> None:
        cloud = self.opens.open(part.site, for_project=ctx.project_id)
        take_away(cloud, part, late=ctx.interrupted or part.made is None)

    def note(self, ctx: StepContext) -> None:
        """The plane may have been realized again meanwhile, when this job rested long: that stays as it is."""
        taken = {(part.site, part.job_id) for part in self.take}

        def change(known: PlaneRecord) -> PlaneRecord:
            left = [part for part in known.left if (part.site, part.job_id) not in taken]
            if self.of is None or known.job_id != self.of:
                return replace(known, left=tuple(left))
            kept = {(part.site, part.job_id) for part in left}
            left += [part for part in self.leave if (part.site, part.job_id) not in kept]
            at_rest = PlaneState.DESCRIBED
            return replace(known, state=at_rest, made={}, job_id=None, error=None, left=tuple(left))

        self.rows.change(self.plane_id, change)
        for part in self.leave:
            ctx.event(
                f"left at {part.site}: whatever is there of it; remove the plane again when the site is back"
            )


def _told(known: PlaneRecord, wanted: PlaneRecord, job: Ended) -> PlaneRecord:
    of = job.params["of"]
    if of is None or known.job_id != of or known.state is not PlaneState.REMOVING:
        return known
    return replace(wanted, error=f"something is left: {job.error or 'see its job'}")
