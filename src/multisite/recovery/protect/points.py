"""Restore points as the database and the backup store say together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.manifest import Manifest, ManifestError
from multisite.domain.model import RestorePoint, RestorePointState
from multisite.domain.page import ALL, Page
from multisite.recovery.epochs import EpochStore
from multisite.recovery.manifests import ManifestStore, StoreUnavailable
from multisite.recovery.rows import as_restore_point
from multisite.store.restore_points import RestorePointRepository

LOG = logging.getLogger(__name__)
GONE = "the backup store does not hold it any more"


class KnownPoints:
    """What the backup store holds counts, also when the database has never heard of it."""

    def __init__(
        self, restore_points: RestorePointRepository, manifests: ManifestStore, epochs: EpochStore
    ) -> None:
        self._restore_points, self._manifests, self._epochs = restore_points, manifests, epochs

    def known(
        self, project_id: str | None, application: str | None = None, page: Page = ALL
    ) -> list[RestorePoint]:
        """Newest first, of one application (name or id) when given; without the store as the database remembers."""
        return self.with_store(lambda: self._restore_points.list(project_id, named=application, page=page))

    def certain(self, application_id: str) -> list[RestorePoint]:
        """All of an application, newest first.  Raises StoreUnavailable: what the database remembers is not enough."""
        return self._as_stored(lambda: self._restore_points.list(application_id=application_id))

    def newest(self, applications: Collection[str]) -> dict[str, list[RestorePoint]]:
        """Of each of these applications (ids) the newest usable one and the newest failed one, if there are.

        Where the newest is not usable any more, all of the application.  Raises StoreUnavailable.
        """
        found: dict[str, list[RestorePoint]] = {}
        for point in self._as_stored(lambda: self._restore_points.newest(applications)):
            found.setdefault(point.application_id, []).append(point)
        gone = (RestorePointState.MISSING, RestorePointState.SUPERSEDED)
        for id, points in found.items():
            if any(point.state in gone for point in points):
                found[id] = self.certain(id)
        return found

    def carrying(self, applications: Collection[str], most: int) -> dict[str, list[RestorePoint]]:
        """Of each of these applications (ids) the newest ones that tell how much had changed; by the database alone."""
        found: dict[str, list[RestorePoint]] = {}
        for point in self._restore_points.carrying(applications, most):
            found.setdefault(point.application_id, []).append(point)
        return found

    def with_store(self, read: Callable[[], Sequence[RestorePoint]]) -> list[RestorePoint]:
        """What is ``read`` of the database, as the store has it; as it is when the store cannot be asked."""
        try:
            return self._as_stored(read)
        except StoreUnavailable as error:
            LOG.warning("restore points are shown from the database alone: %s", error)
            return [*read()]

    def adopted(self, held: Iterable[str]) -> frozenset[str]:
        """All of them; the usable ones that the database has never heard of are in it from now on."""
        ids = frozenset(held)
        for id in ids - self._restore_points.ids():
            manifest = self.manifest_or_none(id)
            if manifest is not None:
                self._restore_points.save(as_restore_point(manifest))
        return ids

    def manifest_or_none(self, id: str) -> Manifest | None:
        try:
            return self._manifests.read(id)
        except (NotFound, ManifestError):
            return None

    def _as_stored(self, read: Callable[[], Sequence[RestorePoint]]) -> list[RestorePoint]:
        held = self.adopted(self._manifests.ids())
        rows = read()
        epochs = self._epochs.numbers(row.application_id for row in rows)
        return [_as_stored(row, held, epochs[row.application_id]) for row in rows]


def _as_stored(point: RestorePoint, held: frozenset[str], epoch: int | Conflict) -> RestorePoint:
    """``held``: ids of the restore points in the store; ``epoch``: the current one of its application, if known."""
    if point.state != RestorePointState.AVAILABLE:
        return point
    if point.id not in held:
        return replace(point, state=RestorePointState.MISSING, error=GONE)
    if isinstance(epoch, Conflict):
        return replace(point, state=RestorePointState.UNKNOWN, error=str(epoch))
    if point.epoch != epoch:
        return replace(point, state=RestorePointState.SUPERSEDED)
    return point
