"""The job "realize-plane": a network, a subnet and, for l3, a router in each site; a failure undoes all sites.

Every step finds what it made before by its token.  The last step writes down what was made; undone first, it refuses
while guests are in any of the networks or another job is at work on the plane, before anything is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from multisite.clouds import planes, resources, routers, stretched
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.projects import require_visible
from multisite.clouds.resources import Kind
from multisite.clouds.resources.left import left_by_job
from multisite.domain.planes import AT_REST, MadeAt, PlaneRecord, PlaneState
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import Ended, JobKind, JobState, Json, Made, Step, StepContext, StepFailed
from multisite.jobs.outcome import Outcome
from multisite.jobs.values import decode
from multisite.networks.planes.orders import token_of
from multisite.networks.planes.plan import Part
from multisite.store.planes import PlaneRepository

KIND = "realize-plane"
OUTCOME: Mapping[JobState, PlaneState] = {
    JobState.DONE: PlaneState.ACTIVE,
    JobState.UNDONE: PlaneState.DESCRIBED,
    JobState.PAUSED: PlaneState.REMOVING,
    JobState.UNDO_FAILED: PlaneState.REMOVING,
}
"""A plane that was being realized when its job was undone is failed."""


@dataclass(frozen=True)
class RealizeParams:
    """What was decided before the job began."""

    plane_id: str
    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class MadeNetwork(Made):
    mtu: int | None = None


@dataclass(frozen=True)
class MadeSubnet(Made):
    cidr: str


def job_kind(rows: PlaneRepository, opens: Sites, jobs: JobEngine) -> JobKind:
    """To register."""

    def build(given: Mapping[str, Json]) -> list[Step]:
        p = decode(given, RealizeParams, KIND)
        return Realizing(p.plane_id, p.name, p.parts, rows, opens, jobs).steps()

    left = left_by_job(opens, ("network", "subnet", "router"))
    outcome = Outcome(rows, "plane_id", OUTCOME, _amend)
    return JobKind(KIND, build, on_failure="undo", outcome=outcome, left=left, rule="plane:realize")


def at_work(jobs: JobEngine, plane_id: str, but: str | None = None) -> str | None:
    """Id of a job that is at work on a plane, ``but`` for this one."""
    return next((job.id for job in jobs.list(subject=plane_id, settled=False) if job.id != but), None)


def remove_router(
    cloud: CloudSite, job_id: str, router: str | None, subnet: str | None, *, late: bool
) -> None:
    """Take away what ``job_id`` made in a plane it realized.  ``router``, ``subnet``: as far as they are known.

    Also out of subnets that carry the token: a repair may have made another one since.  As ``routers.remove``.
    """
    token = token_of(job_id, "subnet", cloud.name)
    subnets = {found.id for found in resources.find(cloud, "subnet", token)}
    subnets |= {subnet} if subnet else set()
    routers.remove(cloud, token_of(job_id, "router", cloud.name), router, *sorted(subnets), late=late)


@dataclass(frozen=True)
class Realizing(RealizeParams):
    rows: PlaneRepository
    opens: Sites
    jobs: JobEngine

    def steps(self) -> list[Step]:
        made = [step for part in self.parts for step in self._of_site(part)]
        needs = tuple(step.name for step in made)
        title = "Write down what was made"
        return [*made, Step("record", title, self.record, self.refuse_used, needs=needs)]

    def _of_site(self, part: Part) -> list[Step]:
        site = part.site
        network, subnet = f"network:{site}", f"subnet:{site}"
        found = [
            Step(
                network, f"Create the network at {site}", partial(self.network, part), self._gone(part, "network"),
                site=site, result=Made,
            ),
            Step(
                subnet, f"Create the subnet at {site}", partial(self.subnet, part), self._gone(part, "subnet"),
                (network,), site=site, result=Made,
            ),
        ]  # fmt: skip
        if part.external_id is not None:
            run, undo = partial(self.router, part), partial(self.no_router, part)
            title = f"Create the router at {site}"
            found.append(Step(f"router:{site}", title, run, undo, (subnet,), site=site, result=Made))
        return found

    def network(self, part: Part, ctx: StepContext) -> MadeNetwork:
        cloud = self.opens.open(part.site, for_project=ctx.project_id)
        row = resources.ensure(cloud, "network", ctx.token, self._fields(cloud, part))
        return MadeNetwork(row["id"], row.get("mtu"))

    def subnet(self, part: Part, ctx: StepContext) -> MadeSubnet:
        cloud = self.opens.open(part.site, for_project=ctx.project_id)
        fields = self._fields(cloud, part) | {
            "network_id": ctx.result_of(f"network:{part.site}", Made).id,
            "ip_version": 4,
            "enable_dhcp": True,
        }
        fields |= {"subnetpool_id": part.pool_id} if part.cidr is None else {"cidr": part.cidr}
        if not part.gateway:
            fields["gateway_ip"] = None
        row = resources.ensure(cloud, "subnet", ctx.token, fields)
        return MadeSubnet(row["id"], row["cidr"])

    def router(self, part: Part, ctx: StepContext) -> Made:
        """The interface has no token of its own: it is the router's, and found by it."""
        cloud = self.opens.open(part.site, for_project=ctx.project_id)
        gateway = {"external_gateway_info": {"network_id": part.external_id}}
        fields = self._fields(cloud, part) | gateway
        made = str(resources.ensure(cloud, "router", ctx.token, fields)["id"])
        routers.attach(cloud, made, ctx.result_of(f"subnet:{part.site}", Made).id)
        return Made(made)

    def no_router(self, part: Part, ctx: StepContext, result: Made | None) -> None:
        subnet = ctx.result_of(f"subnet:{part.site}", Made).id
        known = result.id if result else None
        remove_router(self._seen(part, ctx), ctx.job_id, known, subnet, late=result is None)

    def record(self, ctx: StepContext) -> None:
        made = {part.site: self._made(part, ctx) for part in self.parts}
        self.rows.change(self.plane_id, lambda known: replace(known, made=made))

    def refuse_used(self, ctx: StepContext, _result: object) -> None:
        """What guests are in is not taken from under them; SiteError when a site cannot be asked."""
        known = self.rows.get(self.plane_id)
        if known.job_id != ctx.job_id:
            raise StepFailed(
                f"network {self.name}: the plane was removed without a site, and what this job made is not its own any "
                "more: `application plane remove` takes away what is left of it"
            )
        for site, made in known.made.items():
            cloud = require_visible(self.opens.open(site, for_project=ctx.project_id), made.project_id)
            if inside := planes.guests(cloud, made.network_id, made.router_id):
                raise StepFailed(
                    f"network {self.name} is in use at {site}: {', '.join(inside[:10])}; remove them, then remove the "
                    "plane again"
                )
        self.rows.change(self.plane_id, partial(self._begin_removing, ctx))

    def _begin_removing(self, ctx: StepContext, known: PlaneRecord) -> PlaneRecord:
        """Also by `job undo`, past the service: a repair either sees this, or is seen here."""
        if (other := at_work(self.jobs, self.plane_id, ctx.job_id)) is not None:
            raise StepFailed(
                f"network {self.name}: job {other} is at work on it: wait for it, then remove the plane"
            )
        return replace(known, state=PlaneState.REMOVING) if known.state is PlaneState.ACTIVE else known

    def _made(self, part: Part, ctx: StepContext) -> MadeAt:
        network = ctx.result_of(f"network:{part.site}", MadeNetwork)
        subnet = ctx.result_of(f"subnet:{part.site}", MadeSubnet)
        router = None if part.external_id is None else ctx.result_of(f"router:{part.site}", Made).id
        more = {"external_id": part.external_id, "project_id": part.project_id, "pool_id": part.pool_id}
        return MadeAt(network.id, subnet.id, subnet.cidr, router, network.mtu, **more)

    def _fields(self, cloud: CloudSite, part: Part) -> dict[str, Any]:
        """In the application's project; naming one is for administrators, so only where it is another than ours."""
        theirs = {} if part.project_id == cloud.project_id else {"project_id": part.project_id}
        return {"name": self.name, **theirs}

    def _seen(self, part: Part, ctx: StepContext) -> CloudSite:
        """For an undo: what our credentials do not see is not gone."""
        return require_visible(self.opens.open(part.site, for_project=ctx.project_id), part.project_id)

    def _gone(self, part: Part, kind: Kind) -> Callable[[StepContext, Made | None], None]:
        def undo(ctx: StepContext, result: Made | None) -> None:
            known = result.id if result else None
            stretched.remove(self._seen(part, ctx), kind, ctx.token, known, late=result is None)

        return undo


def _amend(known: PlaneRecord, wanted: PlaneRecord, job: Ended) -> PlaneRecord:
    if known.state in AT_REST:
        return known
    if job.state is JobState.DONE:
        return wanted
    if job.state is not JobState.UNDONE:
        return replace(wanted, error=f"something is left: {job.error or 'see its job'}")
    if known.state is PlaneState.REALIZING:
        return replace(wanted, state=PlaneState.FAILED, made={}, error=job.error or "undone by the operator")
    return replace(wanted, made={}, error=None)
