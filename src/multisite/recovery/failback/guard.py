"""The guard: once a copy of an application is the application, are the servers of earlier copies active again?

It looks and tells; it powers nothing off.  What it saw last is kept (``store.old_copies``), so that a change is told
once, also after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from multisite.clouds.connect import Sites
from multisite.domain.errors import MultisiteError, NotFound
from multisite.domain.manifest import Manifest, ManifestError
from multisite.domain.model import Application, Purpose, Recovery, RecoveryState
from multisite.domain.old_copy import OldCopy, OldCopyState, OldServer, earlier_servers, judged
from multisite.recovery.epochs import EpochStore
from multisite.recovery.failback.statuses import ask_sites
from multisite.recovery.manifests import ManifestStore, StoreUnavailable
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.old_copies import OldCopyRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.types import now

LOG = logging.getLogger(__name__)

SECONDS = 60.0
"""Between two looks."""


@dataclass(frozen=True)
class OldCopyAlarm:
    """The old copy of an application is ``now`` in another state than ``before`` (None: it was never looked at)."""

    now: OldCopy
    before: OldCopyState | None


def log_alarm(alarm: OldCopyAlarm) -> None:
    """At WARNING when it is active, or was and does not tell any more."""
    copy, states = alarm.now, (OldCopyState.ACTIVE, OldCopyState.UNKNOWN)
    bad = copy.state is OldCopyState.ACTIVE or (copy.state in states and alarm.before is OldCopyState.ACTIVE)
    LOG.log(
        logging.WARNING if bad else logging.INFO,
        "old copy %s: application=%s (%s) recovery=%s: %s",
        copy.state, copy.application, copy.id, copy.recovery_id, copy.events[-1].reason,
    )  # fmt: skip


class OldCopyGuard:
    """``tick`` is the periodic task, every SECONDS.  ``alarms``: called with each change; what they raise is logged."""

    def __init__(
        self,
        database: Database,
        manifests: ManifestStore,
        clouds: Sites,
        clock: Callable[[], datetime] = now,
        alarms: Sequence[Callable[[OldCopyAlarm], None]] = (log_alarm,),
    ) -> None:
        self._manifests, self._clouds, self._clock, self._alarms = manifests, clouds, clock, alarms
        self._recoveries = RecoveryRepository(database)
        self._applications = ApplicationRepository(database)
        self._copies = OldCopyRepository(database)
        self._epochs = EpochStore(manifests, self._applications)

    def tick(self) -> None:
        """One look at the earlier copies of every recovered application."""
        self.look(None)

    def look(self, application_ids: Collection[str] | None) -> dict[str, OldCopy]:
        """As they are now, of these applications (None: of all), by id; without those that have no earlier copy.

        The store is asked for each one's epochs, each old site once for each of its projects.
        """
        done = self._recovered(application_ids)
        known = {copy.id: copy for copy in self._copies.list()}
        for id in known.keys() - done.keys() if application_ids is None else ():
            self._forget(id)
        watched = [copy for id, rows in done.items() if (copy := self._watched(id, rows, known.get(id)))]
        here = {id: {row.id for row in rows} for id, rows in done.items()}
        found = {}
        for copy, reasons in ask_sites(self._clouds, watched):
            mine = copy.recovery_id in here[copy.id]
            found[copy.id] = self._keep(judged(copy, reasons, self._clock(), known_here=mine))
        return found

    def _recovered(self, wanted: Collection[str] | None) -> dict[str, list[Recovery]]:
        """The recoveries that are done and began an epoch, by application."""
        found: dict[str, list[Recovery]] = {}
        for row in self._recoveries.list(state=RecoveryState.DONE):
            if (
                row.epoch
                and row.purpose is not Purpose.DRILL
                and (wanted is None or row.application_id in wanted)
            ):
                found.setdefault(row.application_id, []).append(row)
        return found

    def _watched(self, id: str, rows: Sequence[Recovery], known: OldCopy | None) -> OldCopy | None:
        """What there is to ask; None: nothing, the copy that was described is the application again."""
        try:
            epochs = self._epochs.read(id)
        except MultisiteError as error:
            LOG.warning(
                "old copy of application %s: its epochs are not known: %s", rows[0].application, error
            )
            return known
        current = epochs.current
        if current is None:
            self._forget(id)
            return None
        row = next((row for row in rows if row.id == current.recovery_id), None)
        fresh = known is None or known.recovery_id != current.recovery_id or not known.servers
        source = self._source(row) if fresh and row else None
        names = {str(s["id"]): str(s["name"]) for r in rows for s in r.servers}
        servers = earlier_servers(known, epochs, self._application(id), source, names)
        begun = known or OldCopy(
            id, rows[0].application, rows[0].project_id, "", 0, "", OldCopyState.UNKNOWN, ()
        )
        return replace(
            begun,
            recovery_id=current.recovery_id,
            epoch=current.number,
            target_site=current.site,
            servers=self._placed(servers, rows),
        )

    def _placed(self, servers: Iterable[OldServer], rows: Sequence[Recovery]) -> tuple[OldServer, ...]:
        """Each in the project of its site that a recovery chose, or that is the default when it is first seen.

        The default may be another one later, where none of that id would be found: it would look gone.
        """
        chosen = {row.epoch: row.site_project_id for row in rows}

        def project(server: OldServer) -> str:
            if known := server.site_project_id or chosen.get(server.epoch):
                return known
            with suppress(MultisiteError):
                return self._clouds.open(server.site, for_project=rows[0].project_id).scope or ""
            return ""

        return tuple(replace(server, site_project_id=project(server)) for server in servers)

    def _source(self, recovery: Recovery) -> Manifest | None:
        with suppress(NotFound, ManifestError, StoreUnavailable):
            return self._manifests.read(recovery.restore_point_id)
        return None

    def _application(self, id: str) -> Application | None:
        with suppress(NotFound):
            return self._applications.get(id)
        return None

    def _keep(self, copy: OldCopy) -> OldCopy:
        before, kept = self._copies.keep(copy)
        if before is None and kept.state is not OldCopyState.ACTIVE:
            return kept
        if before is None or before.state != kept.state:
            for call in self._alarms:
                try:
                    call(OldCopyAlarm(kept, before.state if before else None))
                except Exception:
                    LOG.exception("an alarm of the old copy of application %s", kept.application)
        return kept

    def _forget(self, id: str) -> None:
        with suppress(NotFound):
            self._copies.delete(id)
