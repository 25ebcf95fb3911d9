"""The job "repair-plane": what is missing of an active plane is made again, what was switched off is switched on.

Nothing is taken away, and nothing that others made is touched.  What is made carries the token of the step of the job
that realized the plane, not one of its own: so the next repair finds it, and it goes with the plane when that goes.
Each round reads the site and repairs the first thing that is wrong; killed anywhere, the next run goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from typing import Any

from multisite.clouds import plane_state, resources, routers
from multisite.clouds.addresses import external_network
from multisite.clouds.connect import CloudSite, Sites
from multisite.domain.plane_drift import of_site
from multisite.domain.planes import MadeAt, PlaneRecord, PlaneState
from multisite.jobs.model import JobKind, Json, Step, StepContext, StepFailed
from multisite.jobs.values import decode
from multisite.networks.planes.orders import made_name, token_of
from multisite.store.planes import PlaneRepository

KIND = "repair-plane"


@dataclass(frozen=True)
class RepairParams:
    """``sites``: where something can be repaired; ``job_id``: of the job that realized the plane."""

    plane_id: str
    application: str
    job_id: str
    sites: tuple[str, ...]


@dataclass(frozen=True)
class Repaired:
    """The kinds of findings that were repaired, and what is left for people, in words."""

    repaired: list[str]
    left: list[str]


def job_kind(rows: PlaneRepository, opens: Sites) -> JobKind:
    """To register."""

    def build(given: Mapping[str, Json]) -> list[Step]:
        p = decode(given, RepairParams, KIND)
        one = Repairing(p.plane_id, p.application, p.job_id, rows, opens)
        return [one.step(site) for site in p.sites]

    return JobKind(KIND, build, on_failure="pause", rule="plane:repair")


@dataclass(frozen=True)
class Repairing:
    plane_id: str
    application: str
    job_id: str
    rows: PlaneRepository
    opens: Sites

    def step(self, site: str) -> Step:
        return Step(
            f"repair:{site}",
            f"Repair what can be repaired at {site}",
            partial(self.repair, site),
            _stays,
            site=site,
            result=Repaired,
        )

    def repair(self, site: str, ctx: StepContext) -> Repaired:
        """One thing after the other until nothing is left to repair; what is left is for people."""
        repaired: list[str] = []
        while True:
            record, cloud = self._still(), self.opens.open(site, for_project=ctx.project_id)
            state = plane_state.read_state(cloud, self._name(record), record.made[site])
            findings = of_site(self.application, record, site, state)
            wrong = next((one for one in findings if one.repairable), None)
            if wrong is None:
                return Repaired(repaired, [one.what for one in findings])
            if wrong.kind in repaired:
                raise StepFailed(
                    f"site {site}: {wrong.what}, right after that was repaired: stop the other writer, "
                    "then repair it again"
                )
            _ACTS[wrong.kind](self, cloud, record, record.made[site])
            repaired.append(wrong.kind)
            ctx.event(f"repaired at {site}: {wrong.what}")

    def network(self, cloud: CloudSite, record: PlaneRecord, made: MadeAt) -> None:
        row = resources.ensure(
            cloud, "network", self._token("network", cloud), self._fields(cloud, record, made)
        )
        self._keep(cloud, network_id=row["id"], mtu=row.get("mtu"))

    def subnet(self, cloud: CloudSite, record: PlaneRecord, made: MadeAt) -> None:
        """With the addresses it had; Neutron refuses when its pool has given them to somebody else meanwhile."""
        fields = self._fields(cloud, record, made) | {
            "network_id": made.network_id, "ip_version": 4, "enable_dhcp": True, "cidr": made.cidr,
        }  # fmt: skip
        if made.pool_id is not None:
            fields["subnetpool_id"] = made.pool_id
        if not record.plane.has_gateway:
            fields["gateway_ip"] = None
        row = resources.ensure(cloud, "subnet", self._token("subnet", cloud), fields)
        self._keep(cloud, subnet_id=row["id"])

    def gateway(self, cloud: CloudSite, record: PlaneRecord, made: MadeAt) -> None:
        should = str(ip_network(made.cidr)[1]) if record.plane.has_gateway else None
        plane_state.set_gateway(cloud, made.subnet_id, should)

    def router(self, cloud: CloudSite, record: PlaneRecord, made: MadeAt) -> None:
        """Its id is kept before it gets an interface: else that would count as somebody's in the network."""
        external = made.external_id or external_network(cloud, None)
        fields = {"external_gateway_info": {"network_id": external}}
        fields = self._fields(cloud, record, made) | fields
        id = str(resources.ensure(cloud, "router", self._token("router", cloud), fields)["id"])
        self._keep(cloud, router_id=id, external_id=external)

    def external_gateway(self, cloud: CloudSite, _record: PlaneRecord, made: MadeAt) -> None:
        external = made.external_id or external_network(cloud, None)
        plane_state.set_external_gateway(cloud, str(made.router_id), external)

    def interface(self, cloud: CloudSite, _record: PlaneRecord, made: MadeAt) -> None:
        routers.attach(cloud, str(made.router_id), made.subnet_id)

    def network_up(self, cloud: CloudSite, _record: PlaneRecord, made: MadeAt) -> None:
        plane_state.enable(cloud, "network", made.network_id)

    def router_up(self, cloud: CloudSite, _record: PlaneRecord, made: MadeAt) -> None:
        plane_state.enable(cloud, "router", str(made.router_id))

    def _still(self) -> PlaneRecord:
        """The plane, if it still is what was to be repaired.

        Under the lock removing it takes: whoever removes it sees this job at work, or this job sees that.
        """

        def unchanged(known: PlaneRecord) -> PlaneRecord:
            if known.state is not PlaneState.ACTIVE or known.job_id != self.job_id:
                raise StepFailed(
                    f"plane {known.name}: it is {known.state} now, and not what was to be repaired"
                )
            return known

        return self.rows.change(self.plane_id, unchanged)

    def _keep(self, cloud: CloudSite, **ids: Any) -> None:
        site = cloud.name

        def change(known: PlaneRecord) -> PlaneRecord:
            return replace(known, made={**known.made, site: replace(known.made[site], **ids)})

        self.rows.change(self.plane_id, change)

    def _token(self, kind: str, cloud: CloudSite) -> str:
        return token_of(self.job_id, kind, cloud.name)

    def _name(self, record: PlaneRecord) -> str:
        return made_name(self.application, record.name)

    def _fields(self, cloud: CloudSite, record: PlaneRecord, made: MadeAt) -> dict[str, Any]:
        theirs = {} if made.project_id in (None, cloud.project_id) else {"project_id": made.project_id}
        return {"name": self._name(record), **theirs}


_ACTS: Mapping[str, Callable[[Repairing, CloudSite, PlaneRecord, MadeAt], None]] = {
    "network gone": Repairing.network,
    "network down": Repairing.network_up,
    "subnet gone": Repairing.subnet,
    "gateway changed": Repairing.gateway,
    "router gone": Repairing.router,
    "router down": Repairing.router_up,
    "external gateway missing": Repairing.external_gateway,
    "interface missing": Repairing.interface,
}
"""Every kind of finding that is ``repairable``."""


def _stays(_ctx: StepContext, result: Repaired | None) -> None:
    """An undone job has left nothing; a repaired plane is not torn again to make that true."""
    if result is None or result.repaired:
        raise StepFailed(
            "what a repair made or switched on is the plane's and stays; removing the plane takes it away"
        )
