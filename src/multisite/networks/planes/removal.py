"""Taking a plane away from its sites: from all of them, or without lost ones, whose part is noted and goes later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multisite.clouds.connect import Sites
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, MultisiteError
from multisite.domain.model import Application
from multisite.domain.planes import AT_REST, OrphanedResources, PlaneRecord, PlaneState, Realized
from multisite.jobs.engine import JobEngine
from multisite.networks.planes.leave import KIND, RemoveParams, inside
from multisite.networks.planes.orders import made_name
from multisite.store.database import Database
from multisite.store.planes import PlaneRepository


@dataclass(frozen=True)
class PlaneRemoval:
    """Of planes with networks of their own; stretched ones are unstretched.  ``record``: in the state it is in now."""

    database: Database
    rows: PlaneRepository
    clouds: Sites
    jobs: JobEngine

    def begin(
        self, caller: Caller, app: Application, record: PlaneRecord, without: Sequence[str]
    ) -> str | None:
        """The id of the job; None when nothing of it is there, or only in sites of ``without``.

        Conflict naming guests, while a job is at work on it, or when a site that is not named lost cannot be asked.
        """
        if unknown := sorted(set(without) - {*record.sites, *(part.site for part in record.left)}):
            raise Conflict(f"without: {', '.join(unknown)} is not a site of plane {record.name}")
        if record.state is PlaneState.REALIZING:
            raise Conflict(
                f"plane {record.name}: it is being realized: wait for job {record.job_id}, or cancel it"
            )
        if record.state in AT_REST:
            self._forget_failure(record)
            return self.begin_left(caller, app, record, without)
        self.jobs.claim(record.id, f"plane {record.name}")
        here = [part for part in _parts(record) if part.site not in without]
        self._refuse_used(app, record, here)
        if not without:
            return self._undo(caller, record)
        lost = [part for part in _parts(record) if part.site in without]
        return self._start(caller, app, record, here, lost, whole=True)

    def begin_left(
        self, caller: Caller, app: Application, record: PlaneRecord, without: Sequence[str] = ()
    ) -> str | None:
        """Take away only what is left in sites it was removed without.  As ``begin``."""
        here = [part for part in record.left if part.site not in without]
        if not here:
            return None
        self._refuse_used(app, record, here)
        return self._start(caller, app, record, here, [], whole=False)

    def forget(self, record: PlaneRecord, sites: Sequence[str]) -> None:
        """No longer note what is left in these sites, which will not come back.  Conflict when nothing is."""
        if unknown := sorted(set(sites) - {part.site for part in record.left}):
            raise Conflict(f"forget: nothing of plane {record.name} is noted as left at {', '.join(unknown)}")
        with self.database.session():
            self.database.advisory_lock(f"plane {record.id}")
            self.jobs.claim(record.id, f"plane {record.name}")
            self.rows.change(
                record.id,
                lambda known: replace(known, left=tuple(p for p in known.left if p.site not in sites)),
            )

    def _undo(self, caller: Caller, record: PlaneRecord) -> str:
        with self.database.session():
            self._still(record, whole=True)
            self.jobs.undo(str(record.job_id), caller.user_name)
            self.rows.change(record.id, lambda known: replace(known, state=PlaneState.REMOVING, error=None))
        return str(record.job_id)

    def _start(
        self, caller: Caller, app: Application, record: PlaneRecord, take: Sequence[OrphanedResources],
        leave: Sequence[OrphanedResources],
        *, whole: bool,
    ) -> str:  # fmt: skip
        name = made_name(app.name, record.name)
        words = f" without {', '.join(part.site for part in leave)}" if leave else ""
        of = record.job_id if whole else None
        params = RemoveParams(record.id, name, of, tuple(take), tuple(leave))
        title = f"Remove {name}{words}" if whole else f"Remove what is left of {name}"
        with self.database.session():
            self._still(record, whole=whole)
            job_id = self.jobs.start(
                KIND, params, title=title, project_id=app.project_id,
                requested_by=caller.user_name, request_id=caller.request_id, subject=record.id,
            )  # fmt: skip
            if whole:
                self.rows.change(
                    record.id, lambda known: replace(known, state=PlaneState.REMOVING, error=None)
                )
        return job_id

    def _still(self, record: PlaneRecord, *, whole: bool) -> None:
        """Within the session that begins the work; a repair asks under the same lock."""
        self.database.advisory_lock(f"plane {record.id}")
        self.jobs.claim(record.id, f"plane {record.name}")
        known = self.rows.get(record.id)
        same = known.left == record.left
        if whole:
            same = same and (known.state, known.job_id) == (record.state, record.job_id)
        if not same:
            raise Conflict(f"plane {record.name}: it changed a moment ago; look at it and try again")

    def _refuse_used(self, app: Application, record: PlaneRecord, parts: Sequence[OrphanedResources]) -> None:
        for part in parts:
            try:
                guests = inside(self.clouds.open(part.site, for_project=app.project_id), part)
            except MultisiteError as error:
                remedy = f"make it reachable, or say it is lost (--without {part.site})"
                said = f"site {part.site} cannot be asked who is in it: {error}; {remedy}"
                raise Conflict(f"plane {record.name}: {said}") from error
            if guests:
                listed = ", ".join(guests[:10])
                raise Conflict(f"plane {record.name} is in use at {part.site}: {listed}; remove them first")

    def _forget_failure(self, record: PlaneRecord) -> None:
        if record.state is PlaneState.FAILED:
            state = PlaneState.DESCRIBED
            self.rows.change(record.id, lambda known: replace(known, state=state, error=None, job_id=None))


def _parts(record: PlaneRecord) -> list[OrphanedResources]:
    """What there may be of it in each site: also when its job never came to write down what it made."""
    router = record.realized is Realized.L3
    return [
        OrphanedResources(site, str(record.job_id), router, record.made.get(site)) for site in record.sites
    ]
