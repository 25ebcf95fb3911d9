"""What this method could do for an application: a pure function of what both sites were seen to have."""

from __future__ import annotations

from collections.abc import Iterable

from multisite.domain.findings import Finding, blocking
from multisite.recovery.methods.cinder_backups.offer import backup_gaps, outcome
from multisite.recovery.methods.cinder_backups.payload import CONSISTENT_BACKUP
from multisite.recovery.methods.cinder_backups.state import ServerNow, standbys
from multisite.recovery.methods.consistent_backup.options import options_of
from multisite.recovery.methods.consistent_backup.plan import make_plan
from multisite.recovery.methods.needs import BACKUPS, freezing
from multisite.recovery.methods.offers import Candidate, Consistency, Offer, as_notes, assemble, refuse


def offer(candidate: Candidate) -> Offer:
    """Possible where a run would not be refused now, and the target could restore."""
    if CONSISTENT_BACKUP in candidate.refused:
        return refuse(CONSISTENT_BACKUP, candidate)
    options = options_of(candidate.options[CONSISTENT_BACKUP])
    found = [*backup_gaps(candidate, {**freezing(BACKUPS, quiesce=options.quiesce)})]
    if candidate.state is None:
        return assemble(CONSISTENT_BACKUP, candidate, found, None)
    servers = list(_protected(candidate, standby_only=options.standby_only))
    plan = make_plan(servers, candidate.state.volumes, (), None, options, incremental=False)
    found += _no_standby(servers) if options.standby_only else ()
    found += [*plan.problems, *as_notes("freeze", plan.notes)]
    consistency = Consistency.APPLICATION if plan.quiesced else Consistency.CRASH
    sizes = [volume.size_gib for volume in plan.volumes]
    result = outcome(candidate, CONSISTENT_BACKUP, consistency, servers, sizes)
    return assemble(CONSISTENT_BACKUP, candidate, found, result)


def _protected(candidate: Candidate, *, standby_only: bool) -> Iterable[ServerNow]:
    wanted = {member.server_id for member in standbys(candidate.application)}
    servers = candidate.state.servers if candidate.state else ()
    return (server for server in servers if not standby_only or server.id in wanted)


def _no_standby(servers: list[ServerNow]) -> tuple[Finding, ...]:
    if servers:
        return ()
    remedy = (
        "give a member the role standby (application create --server <id>,standby), or protect all members"
    )
    return (blocking("", "application", "none of its members is a standby (standby_only)", remedy),)
