"""Planes of applications that remember instead of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.findings import Comparison, Finding, blocking
from multisite.domain.planes import MadeAt, OrphanedResources, Plane, PlaneRecord, PlaneState, Realized, parse
from multisite.networks.planes.service import PlanePreview

SITES = ("paris", "lyon")


class Planes:
    """``items``: by application and name.  ``broken``: a site that is in the way of previews.  ``drift``: of any."""

    def __init__(self, jobs: Any, new_id: Any, job: Any) -> None:
        self.items: dict[tuple[str, str], PlaneRecord] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.broken: str | None = None
        self.drift: list[Finding] = []
        self.removed: list[tuple[Any, ...]] = []
        self._jobs, self._new_id, self._job = jobs, new_id, job

    def make(self, application_id: str) -> None:
        """``mgmt`` is active, ``hb`` (stretched) only described."""
        entries = [
            {"name": "mgmt", "role": "management"},
            {"name": "hb", "role": "inter-component", "cidr": "10.9.0.0/24"},
        ]
        for plane in parse(entries, SITES):
            self._put(application_id, plane)
        self._made(application_id, "mgmt")

    def _put(self, application_id: str, plane: Plane) -> None:
        values = (plane.name, plane.role, plane.realized, plane.sites, plane.cidr, plane.why)
        self.items[application_id, plane.name] = PlaneRecord(self._new_id(), application_id, *values)

    def _made(self, application_id: str, name: str) -> PlaneRecord:
        known = self.items[application_id, name]
        made = {site: MadeAt(f"net-{site}", f"sub-{site}", "10.64.0.0/24") for site in known.sites}
        job_id = self._jobs.put_job(self._job(known.id)).id
        found = replace(known, state=PlaneState.ACTIVE, made=made, job_id=job_id)
        self.items[application_id, name] = found
        return found

    def describe(
        self, caller: Caller, application: str, planes: Sequence[Mapping[str, Any]], sites: Sequence[str] = ()
    ) -> list[PlaneRecord]:
        self.asked.append((list(planes), tuple(sites)))
        wanted = parse(planes, tuple(sites) or SITES, (*SITES, *sites))
        for known in self.list(caller, application):
            del self.items[application, known.name]
        for plane in wanted:
            self._put(application, plane)
        return self.list(caller, application)

    def list(self, caller: Caller, application: str) -> list[PlaneRecord]:
        return [record for (app, _), record in self.items.items() if app == application]

    def get(self, caller: Caller, application: str, name: str) -> PlaneRecord:
        if (application, name) not in self.items:
            raise NotFound(f"plane: the application has no plane {name!r}")
        return self.items[application, name]

    def preview(self, caller: Caller, application: str, name: str) -> PlanePreview:
        self.get(caller, application, name)
        problem = blocking(str(self.broken), "unknown", "it does not tell", "make it reachable")
        return PlanePreview(
            self.broken is None,
            (f"create network mme-{name} at paris",),
            ("no gateway",),
            (problem,) if self.broken else (),
        )

    def realize(self, caller: Caller, application: str, name: str) -> PlaneRecord:
        if self.broken:
            raise Conflict(f"plane {name} cannot be realized now: site {self.broken}: it does not tell")
        self.get(caller, application, name)
        return self._made(application, name)

    def check(self, caller: Caller, application: str, name: str) -> Comparison:
        known = self.get(caller, application, name)
        if known.state is not PlaneState.ACTIVE:
            raise Conflict(
                f"plane {name}: it is {known.state}: only an active one is compared with its sites"
            )
        return Comparison(tuple(self.drift))

    def repair(self, caller: Caller, application: str, name: str) -> str | None:
        known = self.get(caller, application, name)
        repaired = [one for one in self.drift if one.repairable]
        self.drift = [one for one in self.drift if not one.repairable]
        job_id: str | None = self._jobs.put_job(self._job(known.id, state="done")).id if repaired else None
        return job_id

    def forget(self, caller: Caller, application: str, name: str, sites: Sequence[str]) -> None:
        known = self.get(caller, application, name)
        left = tuple(part for part in known.left if part.site not in sites)
        self.items[application, name] = replace(known, left=left)

    def remove(
        self, caller: Caller, application: str, name: str, *, without: Sequence[str] = (), left: bool = False
    ) -> str | None:
        known = self.get(caller, application, name)
        self.removed.append((name, tuple(without), left))
        if known.state is PlaneState.DESCRIBED:
            return None
        stays = tuple(
            OrphanedResources(site, str(known.job_id), False, known.made.get(site)) for site in without
        )
        state = PlaneState.DESCRIBED
        self.items[application, name] = replace(known, state=state, made={}, job_id=None, left=stays)
        state = {"state": "done" if known.realized is Realized.STRETCHED else "undone"}
        job_id: str = self._jobs.put_job(self._job(known.id, **state)).id
        return job_id
