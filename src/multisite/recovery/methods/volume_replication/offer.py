"""What this method could do for an application: a pure function of what both sites were seen to have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from multisite.domain.findings import Finding, blocking
from multisite.recovery.methods.cinder_backups.state import ApplicationState
from multisite.recovery.methods.consistent_backup.options import BackupOptions
from multisite.recovery.methods.consistent_backup.plan import make_plan
from multisite.recovery.methods.estimates import rto, usable_after
from multisite.recovery.methods.needs import SERVERS, SNAPSHOTS, freezing
from multisite.recovery.methods.offers import (
    Candidate,
    Consistency,
    Offer,
    Result,
    as_notes,
    assemble,
    refuse,
    site_gaps,
)
from multisite.recovery.methods.storages import StorageSeen
from multisite.recovery.methods.volume_replication.options import ReplicationOptions, options_of
from multisite.recovery.methods.volume_replication.payload import NAME
from multisite.recovery.methods.volume_replication.plan import encrypted, no_backend, storage_problems

NO_TARGET = blocking(
    "", "target_site", "is missing: the storage copies to a site that is named", "name it (--target-site)"
)


def refuse_several(targets: Sequence[str]) -> Iterable[Finding]:
    """Of more than one target: a storage copies to one."""
    if len(targets) > 1:
        yield blocking(
            "", "target_sites",
            f"the storage copies to one site, and {', '.join(targets)} are named",
            "name only the one that it replicates to, or protect to several sites by consistent-backup",
        )  # fmt: skip


def offer(candidate: Candidate) -> Offer:
    """Possible where both storages replicate to each other and a run would not be refused now."""
    if NAME in candidate.refused:
        return refuse(NAME, candidate)
    options = options_of(candidate.options[NAME])
    found = [*site_gaps(candidate, freezing(SNAPSHOTS, quiesce=options.quiesce), SERVERS)]
    found += _unusable(candidate)
    if candidate.state is None:
        return assemble(NAME, candidate, found, None)
    result = _result(candidate, candidate.state, options, found)
    return assemble(NAME, candidate, found, result)


def _result(
    candidate: Candidate, state: ApplicationState, options: ReplicationOptions, found: list[Finding]
) -> Result:
    """Adds to ``found`` what the servers, the volumes and the storage that has them forbid."""
    wanted = BackupOptions(freeze_timeout=options.freeze_timeout, quiesce=options.quiesce)
    capture = make_plan(state.servers, state.volumes, (), None, wanted, incremental=False)
    found += [*capture.problems, *encrypted(state), *as_notes("freeze", capture.notes)]
    here = candidate.storages.get(candidate.source.name)
    if isinstance(here, StorageSeen):
        found += storage_problems(here, capture, options.mirror_mode)
    boots = len({server.order for server in state.servers})
    return Result(
        Consistency.APPLICATION if capture.quiesced else Consistency.CRASH,
        usable_after(candidate.figures, NAME, None),
        rto(candidate.figures, NAME, None, boots),
    )


def _unusable(candidate: Candidate) -> Iterable[Finding]:
    """Of the two storages: which is not known to Multisite, and which does not answer."""
    yield from refuse_several(candidate.targets)
    if candidate.target is None:
        yield NO_TARGET
    for site in (candidate.source, *((candidate.target,) if candidate.target else ())):
        seen = candidate.storages.get(site.name)
        if seen is None:
            yield no_backend(site.name)
        elif isinstance(seen, Finding):
            yield seen
