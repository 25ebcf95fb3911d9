"""Services the API and the commands are tested against; those not in ``setup`` remember instead of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.findings import Finding
from multisite.domain.model import (
    Application,
    Preview,
    PreviewItem,
    Protection,
    Recovery,
    RecoveryState,
    RestorePoint,
    RestorePointState,
)
from multisite.domain.page import ALL, Page
from multisite.jobs.model import JobState
from multisite.recovery.methods import METHODS
from multisite.recovery.methods.base import checked_options
from multisite.store.addresses import AddressRepository
from multisite.store.applications import ApplicationRepository
from multisite.store.paths import PathRepository
from multisite.store.stretched import StretchedRepository

from .jobs import BEGAN, job, new_id
from .setup import FOREIGN, MINE, ApiSetup, operator


def protection(app: Application, **options: Any) -> Protection:
    values: dict[str, Any] = {
        "method": "consistent-backup",
        "target_site": "lyon",
    } | options
    return Protection(new_id(), app.id, app.name, app.project_id, site=app.site, created_at=BEGAN, **values)


def restore_point(app: Application, minutes: int = 0, **options: Any) -> RestorePoint:
    made = BEGAN + timedelta(minutes=minutes)
    values: dict[str, Any] = {
        "protection_id": None,
        "method": "consistent-backup",
        "state": RestorePointState.AVAILABLE,
        "incremental": False,
        "parent_id": None,
    } | options
    return RestorePoint(
        new_id(), app.id, app.name, app.project_id, created_at=made,
        consistent_at=made,
        frozen_seconds=1.25, frozen=({"server_name": f"{app.name}-db", "seconds": 1.25},), size_gib=4,
        digest="0" * 64, marks=({"server_name": f"{app.name}-db", "text": "record 7"},), **values,
    )  # fmt: skip


class Owned:
    """Things of projects, by id; shown to their project and to administrators."""

    noun = "thing"

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    def put(self, item: Any) -> Any:
        self.items[item.id] = item
        return item

    def list(self, caller: Caller, page: Page = ALL) -> list[Any]:
        return page.of([i for i in self.items.values() if i.project_id == caller.project_id])

    def get(self, caller: Caller, id: str) -> Any:
        # On purpose without looking at the project: the API itself must not show what is foreign.
        if id not in self.items:
            raise NotFound(f"{self.noun}: there is no {self.noun} {id!r}")
        return self.items[id]


class Deletable(Owned):
    def delete(self, caller: Caller, id: str) -> None:
        self.get(caller, id)
        del self.items[id]


class Protections(Deletable):
    noun = "protection"

    def __init__(self, applications: ApplicationRepository, setup: ApiSetup) -> None:
        super().__init__()
        self.applications, self.setup = applications, setup
        self.points: dict[str, RestorePoint] = {}
        self.runs: list[tuple[str, bool | None]] = []

    def create(
        self, caller: Caller, application: str, method: str, *, options: Mapping[str, Any], **more: Any
    ) -> Protection:
        chosen = checked_options(METHODS, method, options)
        for found in self.applications.list(caller.project_id):
            if application in (found.id, found.name):
                result: Protection = self.put(protection(found, method=method, options=chosen, **more))
                return result
        raise NotFound(f"application: there is no application {application!r}")

    def run(self, caller: Caller, id: str, incremental: bool | None = None) -> str:
        found = self.get(caller, id)
        self.runs.append((id, incremental))
        app = self.applications.get(found.application_id)
        made = self.setup.put_job(job(found.id, found.project_id))
        point = restore_point(app, minutes=len(self.points) + 1, job_id=made.id, protection_id=id)
        self.points[point.id] = point
        return str(made.id)

    def restore_points(self, caller: Caller, application: str | None = None) -> list[RestorePoint]:
        mine = [p for p in self.points.values() if p.project_id == caller.project_id]
        return [p for p in mine if application in (None, p.application, p.application_id)]

    def restore_point(self, caller: Caller, id: str) -> RestorePoint:
        if id not in self.points:
            raise NotFound(f"restore point: there is no restore point {id!r}")
        return self.points[id]

    def delete_restore_point(self, caller: Caller, id: str) -> str | None:
        point = self.points.pop(id)
        return None if point.state is RestorePointState.MISSING else self.setup.put_job(job(id)).id

    def rescan(self, caller: Caller) -> list[RestorePoint]:
        return list(self.points.values())


class Recoveries(Owned):
    noun = "recovery"

    def __init__(self, protections: Protections, setup: ApiSetup) -> None:
        super().__init__()
        self.protections, self.setup = protections, setup
        self.problems: tuple[Finding, ...] = ()
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.fails: str | None = None

    def preview(
        self, caller: Caller, restore_point: str, target_site: str, mapping: Mapping[str, Any]
    ) -> Preview:
        self.asked.append(("preview", mapping))
        point = self.protections.restore_point(caller, restore_point)
        if point.project_id != caller.project_id and not caller.is_admin:
            raise NotFound(f"restore point: there is no restore point {restore_point!r}")
        items = (
            PreviewItem("network", "net0", "map", "to lan0", "n-1"),
            PreviewItem("server", "mme-db", "create"),
        )
        return Preview(
            point.id, point.application, target_site, BEGAN, point.consistent_at or BEGAN, 930.0, items,
            self.problems, "unknown", 120.0,
        )  # fmt: skip

    def start(
        self,
        caller: Caller,
        restore_point: str,
        target_site: str,
        mapping: Mapping[str, Any],
        *,
        confirm: str,
        preview: str | None = None,
    ) -> Recovery:
        self.asked.append(("start", mapping))
        point = self.protections.restore_point(caller, restore_point)
        if confirm != point.application:
            raise Invalid(f"confirm: {confirm!r} is not the application's name {point.application!r}")
        if self.problems:
            raise Conflict(str(self.problems[0]))
        state = JobState.PAUSED if self.fails else JobState.DONE
        made = self.setup.put_job(job(project=point.project_id, state=state, error=self.fails))
        result: Recovery = self.put(
            Recovery(
                new_id(),
                point.application,
                point.project_id,
                point.id,
                target_site,
                RecoveryState.PAUSED if self.fails else RecoveryState.DONE,
                made.id,
                caller.user_name,
                BEGAN,
                rto_seconds=42.0,
                rpo_seconds=930.0,
                servers=({"name": "mme-db", "id": "s-9"},),
                mapping=dict(mapping),
                error=self.fails,
            )
        )
        return result

    def resume(self, caller: Caller, id: str) -> Recovery:
        return self._again(id, RecoveryState.DONE, JobState.DONE)

    def undo(self, caller: Caller, id: str) -> Recovery:
        return self._again(id, RecoveryState.UNDONE, JobState.UNDONE)

    def _again(self, id: str, state: RecoveryState, job_state: JobState) -> Recovery:
        found: Recovery = self.items[id]
        if found.state is state:
            raise Conflict(f"recovery: it is {state} already")
        self.setup.put_job(replace(self.setup.jobs.get(found.job_id), state=job_state, error=None))
        result: Recovery = self.put(replace(found, state=state, error=None))
        return result


class Services(ApiSetup):
    """One project with an application, its protection, two restore points; one foreign of each."""

    def __init__(self) -> None:
        super().__init__()
        self.protections: Any = Protections(self.kept_applications, self)
        self.recoveries: Any = Recoveries(self.protections, self)
        for project in (MINE, FOREIGN):
            self._fill(project)

    def _fill(self, project: str) -> None:
        (app,) = self.kept_applications.list(project)
        self.protections.put(protection(app))
        for minutes in (0, 5):
            point = restore_point(app, minutes)
            self.protections.points[point.id] = point
        made = self.put_job(job(app.id, project))
        self.recoveries.put(
            Recovery(new_id(), "mme", project, point.id, "lyon", RecoveryState.PAUSED, made.id, "olga", BEGAN)
        )

    def of(self, kind: str, project: str = MINE) -> Any:
        """The first thing of a kind (``applications``, ``restore_points``, ``paused jobs`` ...) in a project."""
        app = next(one for one in self.kept_applications.list(project) if one.name in ("mme", "theirs"))
        state, _, noun = kind.rpartition(" ")
        if kind == "applications":
            return app
        if kind == "unused applications":  # by planes and protections
            name = f"unused-{project}"
            known = [one for one in self.kept_applications.list(project) if one.name == name]
            return known[0] if known else self.kept_applications.add(replace(app, id=new_id(), name=name))
        if kind == "project_grants":
            return self.grants.list(Caller("u-1", "olga", project, "", frozenset(), ""))[0]
        if kind == "networks":
            return StretchedRepository(self.database).list(project)[0]
        if noun == "planes":
            plane = self.planes.get(operator(project), app.id, "mgmt")
            if state == "left" and not plane.left:  # in a site that was lost when it was removed
                job_id = self.planes.remove(operator(project), app.id, "mgmt", without=["lyon"])
                self.carry_out(str(job_id))
                plane = self.planes.get(operator(project), app.id, "mgmt")
            return plane
        if kind == "paths":
            return PathRepository(self.database).list(project)[0]
        if noun == "addresses":
            address = AddressRepository(self.database).list(project)[0]
            if state == "moved" and address.active_site != "lyon":
                self.carry_out(self.addresses.move(operator(project), address.id, "lyon").job_id)
            return address
        if kind == "jobs":
            return self.jobs.list(project, subject=app.id)[0]
        if noun == "jobs":
            found = [one for one in self.jobs.list(project) if one.state == state]
            return found[0] if found else self.put_job(job(None, project, JobState(state)))
        items = self.protections.points if kind == "restore_points" else getattr(self, kind).items
        return next(i for i in items.values() if i.project_id == project)
