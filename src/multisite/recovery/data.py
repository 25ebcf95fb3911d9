"""Whether the data of a restore point are there: looked for in the backup store, and remembered in the database.

Whoever finds that data are gone (a preview, a rescan, who looks at the restore point) makes it "missing".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from multisite.domain.errors import NotFound
from multisite.domain.findings import Finding, describe
from multisite.domain.manifest import Manifest, ManifestError
from multisite.domain.model import RestorePoint, RestorePointState
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import DATA_GONE, ProtectionMethod, StoreAnswer
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository

_WORDS = "its data are gone: "
_ABOUT = (RestorePointState.AVAILABLE, RestorePointState.MISSING)


def look(methods: Mapping[str, ProtectionMethod], store: ManifestStore, manifest: Manifest) -> StoreAnswer:
    """What the store says of a restore point's data, whichever methods its volumes are of.

    Raises ManifestError for a payload its method cannot read.
    """
    used = {volume.payload.method for volume in manifest.volumes if volume.payload}
    answers = [methods[name].check_store(store, manifest) for name in sorted(used & methods.keys())]
    return StoreAnswer(
        tuple(finding for answer in answers for finding in answer.gone),
        frozenset().union(*(answer.seen for answer in answers)),
        next((answer.unknown for answer in answers if answer.unknown), None),
    )


def looked_at(
    point: RestorePoint,
    methods: Mapping[str, ProtectionMethod],
    store: ManifestStore,
    manifest: Manifest | None,
) -> RestorePoint:
    """The restore point as it is when its data were looked for in the store."""
    if manifest is None:
        return point
    try:
        found = look(methods, store, manifest)
    except ManifestError:  # who recovers from it is told
        return point
    return _as_found(point, found.gone, all_there=found.unknown is None)


def remembered(point: RestorePoint, known: RestorePoint | None) -> RestorePoint:
    """What is made of the manifest, with what was found of its data before."""
    if known is None or not _lacks_data(known):
        return point
    return replace(point, state=known.state, error=known.error)


def _lacks_data(point: RestorePoint) -> bool:
    return point.state is RestorePointState.MISSING and (point.error or "").startswith(_WORDS)


def _as_found(point: RestorePoint, gone: Iterable[Finding], *, all_there: bool) -> RestorePoint:
    """``all_there``: nothing of it is unknown."""
    if point.state not in _ABOUT:
        return point
    if said := describe(gone):
        return replace(point, state=RestorePointState.MISSING, error=f"{_WORDS}{said}")
    if all_there and _lacks_data(point):
        return replace(point, state=RestorePointState.AVAILABLE, error=None)
    return point


def remember(
    points: RestorePointRepository,
    recoveries: RecoveryRepository,
    manifest: Manifest,
    problems: Iterable[Finding],
    *,
    all_there: bool,
) -> None:
    """Keep what a preview found of the restore point; harmless for one that the database does not know."""
    gone = [finding for finding in problems if finding.kind == DATA_GONE]
    try:
        with recoveries.claim(manifest.application_id):
            known = points.get(manifest.id)
            found = _as_found(known, gone, all_there=all_there)
            if found != known:
                points.save(found)
    except NotFound:
        return
