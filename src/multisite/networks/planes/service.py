"""What operators do with an application's planes: describe them once, realize each, take it away again.

A plane realized as stretched is a stretched network called ``<application>-<plane>``, and its state is that network's:
asked whenever it is looked at, never copied.  The others are a job's networks (``planes_job``).
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from multisite.applications.service import ApplicationService
from multisite.clouds import planes as clouds_planes
from multisite.clouds.ask import ask_all
from multisite.clouds.connect import Sites
from multisite.clouds.planes import PlaneFacts
from multisite.clouds.projects import owner_in
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.findings import Comparison, Finding, blockers, describe
from multisite.domain.model import Application
from multisite.domain.planes import (
    AT_REST,
    MadeAt,
    Plane,
    PlaneRecord,
    PlaneState,
    Realized,
    parse,
)
from multisite.domain.stretched import StretchedNetwork, StretchState
from multisite.jobs.engine import JobEngine
from multisite.networks.planes import job as planes_job
from multisite.networks.planes import leave as planes_leave
from multisite.networks.planes import repair as planes_repair
from multisite.networks.planes.check import compare, compare_stretched
from multisite.networks.planes.orders import made_name, orders
from multisite.networks.planes.plan import PlanePlan, make_plan, no_address
from multisite.networks.planes.removal import PlaneRemoval
from multisite.networks.stretch.service import NetworkService
from multisite.sites.service import SiteService
from multisite.store.database import Database
from multisite.store.planes import PlaneRepository
from multisite.store.stretched import StretchedRepository


@dataclass(frozen=True)
class PlanePreview:
    """What realizing would make, what follows from it, and what is in its way, in words."""

    startable: bool
    actions: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[Finding, ...]


class PlaneService:
    """The verbs; applications by id or name.  Registers the kinds of jobs that make, repair and remove planes."""

    def __init__(
        self,
        database: Database,
        applications: ApplicationService,
        sites: SiteService,
        clouds: Sites,
        jobs: JobEngine,
        networks: NetworkService,
    ) -> None:
        self._database, self._applications, self._sites = database, applications, sites
        self._clouds, self._jobs, self._networks = clouds, jobs, networks
        self._rows, self._stretched = PlaneRepository(database), StretchedRepository(database)
        self._removal = PlaneRemoval(database, self._rows, clouds, jobs)
        jobs.register(planes_job.job_kind(self._rows, clouds, jobs))
        jobs.register(planes_leave.job_kind(self._rows, clouds))
        jobs.register(planes_repair.job_kind(self._rows, clouds))

    def describe(
        self, caller: Caller, application: str, planes: Sequence[Mapping[str, Any]], sites: Sequence[str] = ()
    ) -> builtins.list[PlaneRecord]:
        """Replace the description of all planes (see ``domain.planes.parse``); no site is asked.

        ``sites``: of the planes that name none, by default the application's own.  Invalid naming plane and field,
        Conflict naming a plane that is realized and would change or vanish: nothing is changed then.
        """
        app = self._applications.get(caller, application)
        known = [site.name for site in self._sites.list(caller)]
        if unknown := sorted(set(sites) - set(known)):
            raise Invalid(f"sites: {', '.join(unknown)} is not registered; there are: {', '.join(known)}")
        wanted = {plane.name: plane for plane in parse(planes, tuple(sites) or (app.site,), known)}
        orders(app.name, tuple(wanted.values()))
        with self._database.session():
            self._database.advisory_lock(f"planes {app.id}")
            for record in self._rows.of(app.id):
                plane = wanted.pop(record.name, None)
                if plane == record.plane:
                    continue
                self._refuse_standing(record, gone=plane is None)
                if plane is None:
                    self._rows.delete(record.id)
                else:
                    self._rows.change(record.id, partial(_described_anew, app, plane))
            for plane in wanted.values():
                self._rows.add(_described(app, plane))
        return self.list(caller, app.id)

    def list(self, caller: Caller, application: str) -> builtins.list[PlaneRecord]:
        """By name, with the state they are in now."""
        app = self._applications.get(caller, application)
        return [self._seen(record) for record in self._rows.of(app.id)]

    def get(self, caller: Caller, application: str, name: str) -> PlaneRecord:
        """NotFound when the application has none of that name."""
        app = self._applications.get(caller, application)
        return self._seen(self._rows.by_name(app.id, name))

    def preview(self, caller: Caller, application: str, name: str) -> PlanePreview:
        """What realizing would make, and what is in its way; all its sites are asked, nothing is changed."""
        app = self._applications.get(caller, application)
        plane = self._rows.by_name(app.id, name).plane
        if plane.realized is Realized.STRETCHED:
            found = self._networks.preview(_owner(caller, app), orders(app.name, [plane])[0])
            return PlanePreview(found.startable, found.actions, found.notes, found.problems)
        plan = self._plan(caller, app, plane)
        return PlanePreview(plan.startable, plan.actions, plan.notes, plan.problems)

    def realize(self, caller: Caller, application: str, name: str) -> PlaneRecord:
        """Begin; the record has the job.  Whatever fails in one site is undone in all.

        Conflict when it is realized already, or lists what is in the way; Invalid when a site knows no address for it;
        nothing has been changed then.
        """
        app = self._applications.get(caller, application)
        record = self._rows.by_name(app.id, name)
        self._refuse_realized(record)
        self._refuse_left(record)
        if record.realized is Realized.STRETCHED:
            order = orders(app.name, [record.plane])[0]

            def also(network: StretchedNetwork) -> None:
                self._rows.update(replace(self._still(app, record), stretched_network_id=network.id))

            self._networks.stretch(_owner(caller, app), order, also=also)
        else:
            self._begin(caller, app, record)
        return self.get(caller, app.id, name)

    def check(self, caller: Caller, application: str, name: str) -> Comparison:
        """Whether it still is as it was made: all its sites are asked, nothing is changed.

        Conflict unless it is active.  A site that does not tell is unknown, never in sync.
        """
        app = self._applications.get(caller, application)
        return self._judge(caller, app, self._active(app, name, "is compared with its sites"))

    def repair(self, caller: Caller, application: str, name: str) -> str | None:
        """Repair what can be repaired without taking anything away; the id of the job, None when that is nothing.

        Conflict unless it is active and no job is at work on it; a stretched plane is kept in step by the reconciler.
        """
        app = self._applications.get(caller, application)
        record = self._active(app, name, "is repaired")
        if record.realized is Realized.STRETCHED:
            raise Conflict(
                f"plane {name}: it is stretched network {made_name(app.name, name)}: `network reconcile` repairs its "
                "remote ports, and `network check` says what to set back"
            )
        findings = self._judge(caller, app, record).findings
        sites = tuple(dict.fromkeys(one.site for one in findings if one.repairable))
        if not sites:
            return None
        with self._database.session():
            self._database.advisory_lock(f"plane {record.id}")
            self._jobs.claim(record.id, f"plane {record.name}")
            self._active(app, name, "is repaired")
            return self._jobs.start(
                planes_repair.KIND, planes_repair.RepairParams(record.id, app.name, str(record.job_id), sites),
                title=f"Repair {made_name(app.name, name)} in {', '.join(sites)}", project_id=app.project_id,
                requested_by=caller.user_name, request_id=caller.request_id, subject=record.id,
            )  # fmt: skip

    def remove(
        self, caller: Caller, application: str, name: str, *, without: Sequence[str] = (), left: bool = False
    ) -> str | None:
        """Take it away from all its sites; the id of the job, None when nothing of it is there.

        ``without``: lost sites, where nothing is done; what they have is noted, and goes when it is removed once more.
        ``left``: take away only that.  Conflict naming ports of guests that are in it, while it is being made, or when
        a site that is not named lost cannot be asked.
        """
        app = self._applications.get(caller, application)
        record = self._seen(self._rows.by_name(app.id, name))
        if left:
            return self._removal.begin_left(caller, app, record, without)
        if record.stretched_network_id is not None and record.state is not PlaneState.REALIZING:
            id = record.stretched_network_id
            return self._networks.unstretch(_owner(caller, app), id, without=tuple(without))
        return self._removal.begin(caller, app, record, without)

    def forget(self, caller: Caller, application: str, name: str, sites: Sequence[str]) -> None:
        """No longer note what is left of it in sites that will not come back.  Conflict when nothing is."""
        app = self._applications.get(caller, application)
        self._removal.forget(self._rows.by_name(app.id, name), sites)

    def _active(self, app: Application, name: str, what: str) -> PlaneRecord:
        record = self._seen(self._rows.by_name(app.id, name))
        if record.state is not PlaneState.ACTIVE:
            raise Conflict(f"plane {name}: it is {record.state}: only an active one {what}")
        return record

    def _judge(self, caller: Caller, app: Application, record: PlaneRecord) -> Comparison:
        if record.stretched_network_id is not None:
            return compare_stretched(self._networks, _owner(caller, app), record.stretched_network_id)
        return compare(self._clouds, app, record)

    def _begin(self, caller: Caller, app: Application, record: PlaneRecord) -> None:
        plan = self._plan(caller, app, record.plane)
        if plan.addressless:
            raise Invalid(no_address(record.plane, plan.addressless))
        if not plan.startable:
            said = describe(blockers(plan.problems))
            raise Conflict(f"plane {record.name} cannot be realized now: {said}")
        with self._database.session():
            record = self._still(app, record)
            job_id = self._jobs.start(
                planes_job.KIND, planes_job.RealizeParams(record.id, plan.name, plan.parts),
                title=f"Realize {plan.name} as {record.realized} in {', '.join(record.sites)}",
                project_id=app.project_id, requested_by=caller.user_name, request_id=caller.request_id,
                subject=record.id,
            )  # fmt: skip
            state = PlaneState.REALIZING
            self._rows.update(replace(record, state=state, job_id=job_id, error=None, made={}))

    def _still(self, app: Application, planned: PlaneRecord) -> PlaneRecord:
        """As it is now, within the session that begins the work; Conflict when it is not what was planned."""
        self._database.advisory_lock(f"planes {app.id}")
        known = self._rows.by_name(app.id, planned.name)
        if known.plane != planned.plane:
            raise Conflict(
                f"plane {planned.name}: it was described anew a moment ago; look at it and try again"
            )
        self._refuse_realized(known)
        self._refuse_left(known)
        return known

    def _plan(self, caller: Caller, app: Application, plane: Plane) -> PlanePlan:
        """All sites are asked at the same time."""

        def facts(site: str) -> PlaneFacts:
            cloud = self._clouds.open(site, for_project=app.project_id)
            project = owner_in(cloud, caller, app.project_id)
            return clouds_planes.read_facts(cloud, project, router=plane.realized is Realized.L3)

        answers = ask_all(plane.sites, facts)
        return make_plan(app.name, plane, answers.known, answers.reasons)

    def _seen(self, record: PlaneRecord) -> PlaneRecord:
        """With the state of its stretched network, if that is what it is."""
        if record.realized is not Realized.STRETCHED:
            return record
        try:
            network = self._stretched.get(record.stretched_network_id or "")
        except NotFound:
            state = PlaneState.DESCRIBED
            return replace(record, state=state, stretched_network_id=None, made={}, job_id=None, error=None)
        made = {
            m.site: MadeAt(m.network_id, m.subnet_id, network.cidr) for m in network.members if m.network_id
        }
        state = self._state_of(network)
        return replace(record, state=state, made=made, job_id=network.job_id, error=network.error)

    def _state_of(self, network: StretchedNetwork) -> PlaneState:
        if network.state is not StretchState.FAILED:
            return {
                StretchState.CREATING: PlaneState.REALIZING,
                StretchState.ACTIVE: PlaneState.ACTIVE,
            }.get(network.state, PlaneState.REMOVING)
        return PlaneState.FAILED if self._networks.is_undone(network) else PlaneState.REMOVING

    def _refuse_realized(self, record: PlaneRecord) -> None:
        if (state := self._seen(record).state) not in AT_REST:
            raise Conflict(f"plane {record.name}: it is {state} already; remove it before realizing it again")

    def _refuse_left(self, record: PlaneRecord) -> None:
        """Two networks of one name in a site: nobody knows which of them is meant."""
        if there := sorted({part.site for part in record.left} & set(record.sites)):
            raise Conflict(
                f"plane {record.name}: something of it is left at {', '.join(there)} since it was removed without: "
                "take that away first (application plane remove), or describe the plane for other sites"
            )

    def _refuse_standing(self, record: PlaneRecord, *, gone: bool) -> None:
        if gone and record.left:
            listed = ", ".join(part.site for part in record.left)
            raise Conflict(
                f"plane {record.name}: it would vanish, and something of it is left at {listed}: take that away when "
                "the site is back (application plane remove), or forget it (application plane forget)"
            )
        if (state := self._seen(record).state) not in AT_REST:
            what = "would vanish" if gone else "would change"
            raise Conflict(
                f"plane {record.name}: it is {state} and {what}: describe it as it is, or remove it first "
                "(application plane remove)"
            )
        self._jobs.claim(record.id, f"plane {record.name}")


def _owner(caller: Caller, app: Application) -> Caller:
    """A stretched network is of the application's project, whoever makes it."""
    return replace(caller, project_id=app.project_id)


def _described_anew(app: Application, plane: Plane, known: PlaneRecord) -> PlaneRecord:
    """What was left of it before is still there."""
    return replace(_described(app, plane), id=known.id, left=known.left)


def _described(app: Application, plane: Plane) -> PlaneRecord:
    return PlaneRecord(
        str(uuid.uuid4()), app.id, plane.name, plane.role, plane.realized, plane.sites, plane.cidr, plane.why
    )
