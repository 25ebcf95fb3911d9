"""Stretched networks that remember instead of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.findings import Comparison, Finding, blocking
from multisite.domain.page import ALL, Page
from multisite.domain.stretched import (
    Drift,
    DriftRow,
    Member,
    PortState,
    SiteView,
    StretchedNetwork,
    StretchKind,
    StretchState,
)
from multisite.networks.stretch.order import StretchOrder, checked
from multisite.networks.stretch.plan import StretchPlan

BEGAN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
MEMBERS = (
    Member("paris", "net-p", "sub-p", "p", pool=("10.20.0.1", "10.20.0.127")),
    Member("lyon", "net-l", "sub-l", "p", adopted=True, pool=("10.20.0.128", "10.20.0.254")),
)


def network(id: str, project: str, name: str = "hb") -> StretchedNetwork:
    return StretchedNetwork(
        id, name, project, StretchKind.VXLAN, StretchState.ACTIVE, "10.20.0.0/24", MEMBERS, 5000, 1450,
        job_id="j", requested_by="olga", created_at=BEGAN,
    )  # fmt: skip


class Networks:
    """``problems`` is what check finds; ``lost`` a site that does not tell."""

    def __init__(self, jobs: Any, new_id: Any, job: Any) -> None:
        self.items: dict[str, StretchedNetwork] = {}
        self.problems: list[Finding] = []
        self.lost: str | None = None
        self._jobs, self._new_id, self._job = jobs, new_id, job

    def put(self, item: StretchedNetwork) -> StretchedNetwork:
        self.items[item.id] = item
        return item

    def preview(self, caller: Caller, order: StretchOrder) -> StretchPlan:
        order = checked(order)
        problems = tuple(
            blocking(s, "extension", "it has no extension", "install it") for s in order.sites if s == "oslo"
        )
        members = tuple(Member(site) for site in order.sites)
        actions = (f"create network {order.name} at {order.sites[0]}",)
        return StretchPlan(
            order, 5000, order.cidr or "10.0.0.0/24", None, members, actions, ("gateway: none",), problems, {}
        )

    def stretch(self, caller: Caller, order: StretchOrder) -> StretchedNetwork:
        if not self.preview(caller, order).startable:
            raise Conflict(f"network {order.name} cannot be stretched now")
        made = network(self._new_id(), caller.project_id, order.name)
        return self.put(replace(made, job_id=self._jobs.put_job(self._job(made.id, caller.project_id)).id))

    def list(self, caller: Caller, page: Page = ALL) -> Sequence[StretchedNetwork]:
        mine = [n for n in self.items.values() if caller.is_admin or n.project_id == caller.project_id]
        return page.of(mine)

    def get(self, caller: Caller, id: str) -> StretchedNetwork:
        for item in self.list(caller):
            if id in (item.id, item.name):
                return item
        raise NotFound(f"network: there is no stretched network {id!r}")

    def show(self, caller: Caller, id: str) -> Drift:
        found = self.get(caller, id)
        state = PortState.IN_SYNC if self.lost is None else PortState.UNKNOWN
        row = DriftRow(
            "lyon", "paris", "r-1", "x-1", "fa:16:3e:00:00:01", ("10.20.0.5",), "172.31.0.1", state, 2.0
        )
        views = tuple(
            SiteView(s, BEGAN, BEGAN, "gone" if s == self.lost else None, 1, 1) for s in found.sites
        )
        return Drift(found, views, (row,), {str(state): 1})

    def reconcile(self, caller: Caller, id: str) -> Drift:
        return self.show(caller, id)

    def check(self, caller: Caller, id: str) -> Comparison:
        self.get(caller, id)
        return Comparison(tuple(self.problems))

    def unstretch(
        self, caller: Caller, id: str, *, keep_networks: bool = False, without: tuple[str, ...] = ()
    ) -> str | None:  # fmt: skip
        found = self.get(caller, id)
        del self.items[found.id]
        job_id: str = self._jobs.put_job(self._job(found.id, found.project_id)).id
        return job_id
