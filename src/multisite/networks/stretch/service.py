"""What operators do with stretched networks: plan, stretch, compare with the sites, repair, take apart."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from multisite.clouds import stretched
from multisite.clouds.administrator import STRETCH_NETWORKS, administrator
from multisite.clouds.ask import ask_all
from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError
from multisite.clouds.stretched import SiteFacts
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, MultisiteError, NotFound
from multisite.domain.findings import Comparison, blockers, describe
from multisite.domain.page import ALL, Page
from multisite.domain.stretched import Drift, SiteView, StretchedNetwork, StretchKind, StretchState
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.networks.stretch.compare import compared
from multisite.networks.stretch.job import STRETCH, UNSTRETCH, StretchParams, UnstretchParams, kinds
from multisite.networks.stretch.order import StretchOrder, checked
from multisite.networks.stretch.plan import VNI_RANGE, StretchPlan, make_plan
from multisite.networks.stretch.reconcile import Reconciler
from multisite.networks.stretch.steps import Around
from multisite.sites.service import SiteService
from multisite.store.database import Database
from multisite.store.stretched import SitePortsStore, StretchedRepository


class NetworkService:
    """The verbs.  Callers see what is of their project, administrators everything."""

    def __init__(
        self,
        database: Database,
        sites: SiteService,
        clouds: Sites,
        jobs: JobEngine,
        reconciler: Reconciler,
        *,
        vni_range: tuple[int, int] = VNI_RANGE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._sites, self._clouds, self._jobs = database, sites, clouds, jobs
        self._networks, self._ports = StretchedRepository(database), SitePortsStore(database)
        self._reconciler, self._vni_range, self._now = reconciler, vni_range, now
        for kind in kinds(Around(database, clouds), self._networks):
            jobs.register(kind)

    def preview(self, caller: Caller, order: StretchOrder) -> StretchPlan:
        """What stretching would do and what is in its way; changes nothing.  Raises Invalid naming the field."""
        order = checked(order)
        for site in order.sites:
            self._sites.get(caller, site)
        facts, silent = self._facts(order, caller.project_id)
        return make_plan(order, facts, silent, taken=self._taken(), vni_range=self._vni_range)

    def stretch(
        self, caller: Caller, order: StretchOrder, *, also: Callable[[StretchedNetwork], None] | None = None
    ) -> StretchedNetwork:
        """Begin; Conflict lists every blocking problem, and nothing has been changed then.

        ``also`` is called with the network in the transaction that begins the work: what it raises stops that.
        """
        plan = self.preview(caller, order)
        if not plan.startable:
            said = describe(blockers(plan.problems))
            raise Conflict(f"network {order.name} cannot be stretched now: {said}")
        network = _planned(plan, caller)
        with self._database.session():
            self._database.advisory_lock("stretched networks")
            self._replace_failed(order.name)
            if network.segmentation_id in self._taken() and network.kind is StretchKind.VXLAN:
                raise Conflict(f"segment: {network.segmentation_id} was taken a moment ago; try again")
            self._networks.add(network)
            job_id = self._jobs.start(
                STRETCH,
                StretchParams(network, plan.set_pools),
                title=f"Stretch {order.name} over {', '.join(order.sites)}",
                project_id=caller.project_id,
                requested_by=caller.user_name,
                request_id=caller.request_id,
                subject=network.id,
            )
            network = self._networks.update(replace(network, job_id=job_id))
            if also is not None:
                also(network)
            return network

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[StretchedNetwork]:
        """By name."""
        return self._networks.list(caller.scope, page=page)

    def get(self, caller: Caller, id: str) -> StretchedNetwork:
        """By id or name; NotFound also for one of another project."""
        try:
            found = self._networks.get(id)
        except NotFound:
            found = self._networks.by_name(id)
        if not caller.is_admin and found.project_id != caller.project_id:
            raise NotFound(f"network: there is no stretched network {id!r}")
        return found

    def show(self, caller: Caller, id: str) -> Drift:
        """The network with its drift, looked at now; changes nothing.  Silent sites are shown as last seen."""
        return self._compare(self.get(caller, id), change=False)

    def reconcile(self, caller: Caller, id: str) -> Drift:
        """Compare and repair now.  Conflict when another process is at it, or it is not active."""
        network = self.get(caller, id)
        if network.state is not StretchState.ACTIVE:
            raise Conflict(
                f"network {network.name}: it is {network.state}: only an active one is kept in step"
            )
        return self._compare(network, change=True)

    def check(self, caller: Caller, id: str) -> Comparison:
        """What of the sites' parts is not (any more) as it has to be; a silent site is unknown."""
        network = self.get(caller, id)
        order = StretchOrder(
            network.name, network.sites, adopt={m.site: m.network_id for m in network.members}
        )
        facts, silent = self._facts(order, network.project_id, lacking=True)
        return compared(network, facts, silent)

    def unstretch(
        self, caller: Caller, id: str, *, keep_networks: bool = False, without: tuple[str, ...] = ()
    ) -> str | None:
        """Take it apart; the id of the job, None when there was nothing left of it.

        ``keep_networks``: the sites' own networks stay.  ``without``: lost sites, where nothing is done.  Conflict
        while guests are in a network that would go, or a site that is not named lost cannot be asked.
        """
        network = self.get(caller, id)
        if unknown := sorted(set(without) - set(network.sites)):
            raise Conflict(f"without: {', '.join(unknown)} is not a site of network {network.name}")
        if network.state is StretchState.FAILED and self.is_undone(network):
            self._networks.delete(network.id)
            return None
        if network.state is not StretchState.ACTIVE:
            raise Conflict(f"network {network.name} is {network.state}: see job {network.job_id}")
        self._refuse_used(network, keep_networks=keep_networks, without=without)
        with self._database.session():
            job_id = self._jobs.start(
                UNSTRETCH,
                UnstretchParams(network, keep_networks, without),
                title=f"Unstretch {network.name}",
                project_id=network.project_id,
                requested_by=caller.user_name,
                request_id=caller.request_id,
                subject=network.id,
            )
            self._networks.update(replace(network, state=StretchState.REMOVING))
        return job_id

    def _compare(self, network: StretchedNetwork, *, change: bool) -> Drift:
        if network.state is StretchState.ACTIVE and network.kind is StretchKind.VXLAN:
            found = self._reconciler.run([network.id], change=change).get(network.id)
            if found is None and change:
                raise Conflict(
                    f"network {network.name}: another process keeps it in step: look at `network show`"
                )
            if found is not None:
                return found
        kept = self._ports.read(network.id)
        views = []
        for site in network.sites:
            ports = kept[site].ports if site in kept else None
            counts = (len(ports.real), len(ports.remote)) if ports else (0, 0)
            tried, error = (kept[site].tried_at, kept[site].error) if site in kept else (None, None)
            views.append(SiteView(site, ports.seen_at if ports else None, tried, error, *counts))
        return Drift(network, tuple(views), (), {})

    def _facts(
        self, order: StretchOrder, project: str, *, lacking: bool = False
    ) -> tuple[dict[str, SiteFacts], dict[str, str]]:
        """All sites at the same time.  ``lacking``: one without the network to adopt is told with ``adopt`` None."""

        def read(site: str) -> SiteFacts:
            cloud = self._clouds.open(site, for_project=project)
            try:
                return stretched.read_facts(cloud, order.adopt.get(site))
            except NotFound as error:
                if not lacking or isinstance(error, SiteError):
                    raise
                return stretched.read_facts(cloud)

        answers = ask_all(order.sites, read)
        return answers.known, answers.reasons

    def _taken(self) -> set[int]:
        vxlan = (n for n in self._networks.list() if n.kind is StretchKind.VXLAN)
        return {n.segmentation_id for n in vxlan if n.segmentation_id and n.state is not StretchState.FAILED}

    def _replace_failed(self, name: str) -> None:
        try:
            old = self._networks.by_name(name)
        except NotFound:
            return
        if old.state is StretchState.FAILED and self.is_undone(old):
            self._networks.delete(old.id)

    def is_undone(self, network: StretchedNetwork) -> bool:
        """Whether nothing is left of the job that made a failed network."""
        try:
            return network.job_id is None or self._jobs.get(network.job_id).state == JobState.UNDONE
        except NotFound:
            return True

    def _refuse_used(
        self, network: StretchedNetwork, *, keep_networks: bool, without: tuple[str, ...]
    ) -> None:
        for m in network.members:
            if m.site in without:
                continue
            try:
                cloud = self._clouds.open(m.site, for_project=network.project_id)
                guests = stretched.guests(administrator(cloud, STRETCH_NETWORKS), m.network_id)
            except MultisiteError as error:
                remedy = f"make it reachable, or say it is lost (--without {m.site})"
                raise Conflict(
                    f"network {network.name}: site {m.site} cannot be asked: {error}; {remedy}"
                ) from error
            if guests and not keep_networks and not m.adopted:
                raise Conflict(
                    f"network {network.name} is in use at {m.site}: {', '.join(guests[:10])}; remove them, or keep the "
                    "sites' networks (--keep-networks)"
                )


def _planned(plan: StretchPlan, caller: Caller) -> StretchedNetwork:
    order = plan.order
    return StretchedNetwork(
        id=str(uuid.uuid4()),
        name=order.name,
        project_id=caller.project_id,
        kind=order.kind,
        state=StretchState.CREATING,
        cidr=plan.cidr,
        members=plan.members,
        segmentation_id=plan.segment,
        mtu=plan.mtu,
        gateway=order.gateway,
        gateway_site=order.gateway_site,
        dhcp=order.dhcp,
        remote_groups=order.remote_groups,
        port_security=order.port_security,
        requested_by=caller.user_name,
    )
