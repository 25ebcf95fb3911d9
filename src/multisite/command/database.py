"""``multisite-manage db``: the schema, and a database that was restored from a backup."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from multisite.command import arguments as common
from multisite.command import options
from multisite.domain.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from multisite.domain.installation import Installation
    from multisite.jobs.restored import RestoredJobs
    from multisite.jobs.view import Job
    from multisite.recovery.service import StaleDatabaseCheck
    from multisite.store.database import Database

ALL = "all"
_ASKED = (
    "nothing was changed: --yes accepts the database; before, --set-aside <job> or --cancel <job> (or `all`) for those"
    " that shall not go on, and `multisite-manage schedule pause <task>` for periodic tasks\n"
)


def add(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    database = common.command(groups, "db", "the database").add_subparsers(required=True)
    common.command(database, "upgrade", "bring the schema to this release", _upgrade)
    common.command(database, "version", "print the schema's version", _version)
    help = (
        "show what would go on with a database that was restored from a backup, and let it go on with --yes"
    )
    accept = common.command(database, "accept-restored", help, _accept_restored)
    for option, verb in (("--set-aside", "pause"), ("--cancel", "cancel")):
        what = f"{verb} this job (repeatable; `{ALL}`: every one) instead of letting it go on"
        accept.add_argument(option, action="append", default=[], metavar="<job>", help=what)
    accept.add_argument("--yes", action="store_true", help="the database counts as it is")


def opened(arguments: argparse.Namespace) -> Database:
    """The configured one."""
    from multisite.store.database import Database

    return Database(options.database_url(common.configuration(arguments)))


def _upgrade(arguments: argparse.Namespace) -> int:
    database = opened(arguments)
    database.upgrade()
    sys.stdout.write(f"{database.version()}\n")
    return 0


def _version(arguments: argparse.Namespace) -> int:
    sys.stdout.write(f"{opened(arguments).version() or 'empty'}\n")
    return 0


def _accept_restored(arguments: argparse.Namespace) -> int:
    from multisite.command.backup_store import opened_store
    from multisite.jobs.restored import RestoredJobs
    from multisite.recovery.manifests import PATIENCE
    from multisite.recovery.service import StaleDatabaseCheck

    database, store = opened(arguments), opened_store(arguments)
    database.upgrade()
    staleness, jobs = StaleDatabaseCheck(database, store, patience=PATIENCE), RestoredJobs(database)
    staleness.check()
    why = staleness.why_rest()
    if why is None:
        if unknown := staleness.why_rest(uses_store=True):
            raise Unavailable(unknown)
        raise Conflict("database: it knows the mark in the backup store: there is nothing to accept")
    sys.stdout.write(f"{why}\n")
    found = jobs.at_work()
    set_aside = _chosen(found, arguments.set_aside)
    cancel = _chosen([job for job in found if job.state != "undoing"], arguments.cancel)
    for job in found:
        becomes = "is set aside" if job.id in set_aside else "is cancelled" if job.id in cancel else "goes on"
        sys.stdout.write(_shown(job, becomes))
    if not arguments.yes:
        sys.stdout.write(_ASKED)
        return common.EXIT_FAILED
    counter = _accept(database, staleness, jobs, set_aside, cancel)
    sys.stdout.write(f"accepted: its counter is {counter} now; the service goes on within seconds\n")
    return 0


def _chosen(found: Sequence[Job], ids: Sequence[str]) -> set[str]:
    known = {job.id for job in found}
    if missing := set(ids) - known - {ALL}:
        raise Conflict(f"job: {', '.join(sorted(missing))}: not among those that would go on")
    return known if ALL in ids else set(ids)


def _shown(job: Job, becomes: str) -> str:
    done = sum(step.state == "done" for step in job.steps)
    return (
        f"{job.id}  {becomes}  {job.kind} {job.state}, {done} of {len(job.steps)} steps done  {job.title}"
        f"  asked for by {job.requested_by} at {job.created_at.isoformat(timespec='seconds')}\n"
    )


def _accept(
    database: Database,
    staleness: StaleDatabaseCheck,
    jobs: RestoredJobs,
    set_aside: set[str],
    cancel: set[str],
) -> int:
    """In one transaction, with the record of who did it; the new counter."""
    from multisite.command.wiring import myself
    from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent
    from multisite.store.trail import AuditTrail

    by = myself().user_name

    def within(accepted: Installation) -> None:
        for job_id in sorted(cancel - set_aside):
            jobs.cancel(job_id, by)
        jobs.doubt_open_steps()
        for job_id in sorted(set_aside):
            jobs.set_aside(job_id, by)
        intent = Intent(
            AuditKind.APPROVAL, by, "POST", "/database", action="accept-restored", resource_id=accepted.id
        )
        AuditTrail(database).record(intent, Ending(intent.key, AuditOutcome.DONE))

    return staleness.accept(within).counter
