"""Describing a recovered application where it runs now, with what protects it, and taking that back.

All rows are written in one transaction, or none.  What they were is kept with the recovery, until it is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.model import (
    Application,
    DescribedBefore,
    Member,
    ProtectedFrom,
    Protection,
    Purpose,
    Recovery,
    RecoveryState,
)
from multisite.jobs.engine import JobEngine
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import RecoveryRepository


def recovered_members(application: Application, recovery: Recovery) -> tuple[Member, ...]:
    """The members as the recovery made them: order, quiesce setting and role are those of the old ones.

    Members the restore point did not have (active ones of pairs, protected through standbys) are none any more; what
    it had and the application had no more comes last.
    """
    made = {str(server["source_id"]): server for server in recovery.servers}
    known = [m for m in sorted(application.members, key=lambda m: m.order) if m.server_id in made]
    others = [id for id in made if id not in {m.server_id for m in known}]
    old = [*known, *(Member(id, str(made[id]["name"]), 0) for id in others)]
    return tuple(
        replace(
            m, server_id=str(made[m.server_id]["id"]), server_name=str(made[m.server_id]["name"]), order=order
        )
        for order, m in enumerate(old, start=1)
    )


def turned(protection: Protection, recovery: Recovery, old_site: str, target_site: str | None) -> Protection:
    """From the recovered site to ``target_site``; by default back to the old one, if it was to the recovered one.

    Its other target sites stay, after that; those of a protection that was not to the recovered site stay as they are.
    """
    here, before = recovery.target_site, protection.target_sites
    if target_site is not None:
        wanted = [target_site, *(site for site in before if site not in (target_site, here))]
    elif here in before:
        wanted = [old_site, *(site for site in before if site not in (old_site, here))]
    else:
        wanted = [*before]
    return replace(protection.aimed_at(wanted), site=here)


class Reprotection:
    """``jobs``: nothing may be at work on the application."""

    def __init__(self, database: Database, jobs: JobEngine, now: Callable[[], datetime]) -> None:
        self._database, self._jobs, self._now = database, jobs, now
        self._recoveries = RecoveryRepository(database)
        self._applications = ApplicationRepository(database)
        self._protections = ProtectionRepository(database)

    def write(
        self,
        recovery: Recovery,
        before: Application,
        members: tuple[Member, ...],
        protections: Sequence[Protection],
    ) -> Recovery:
        """In an open session, in a claim of the application: ``before`` becomes the one that was recovered."""
        self._jobs.claim(before.id, f"application {before.name}")
        self._refuse_newer(recovery)
        known = self._applications.get(before.id)
        if (known.site, known.members) != (before.site, before.members):
            raise Conflict(f"application {before.name}: it was changed meanwhile: reprotect again")
        self._refuse_taken(known, recovery.target_site, members)
        was = tuple(_as_it_is(p) for p in self.protections_of(before))
        if {p.id for p in was} != {p.id for p in protections}:
            raise Conflict(
                f"application {before.name}: its protections were changed meanwhile: reprotect again"
            )
        self._applications.update(replace(known, site=recovery.target_site, members=members))
        for wanted in protections:
            self._turn(_as_it_is(wanted), recovery.application_id)
        kept = DescribedBefore(before.site, before.members, was)
        at = self._now()
        return self._recoveries.change(
            recovery.id, lambda row: replace(row, reprotected_at=at, described_before=kept)
        )

    def before_undo(self, job_id: str) -> None:
        """A recovery is being undone, by whatever verb: Conflict when it is committed; its rows are as before."""
        with suppress(NotFound):  # of an earlier release
            recovery = self._recoveries.get(self._jobs.get(job_id).subject or "")
            with self._recoveries.claim(recovery.application_id):
                self.take_back(self._recoveries.get(recovery.id))

    def take_back(self, recovery: Recovery) -> Recovery:
        """In a claim of the application.  What was changed or deleted since is left as it is."""
        if recovery.committed_at is not None:
            raise Conflict(
                f"recovery: {recovery.id} of {recovery.application} is committed since {recovery.committed_at:%F %T}, "
                "and is not undone any more: to go back, openstack multisite recovery reprotect, protection run, and "
                "recover from the new restore point in the old site"
            )
        before = recovery.described_before
        if before is None:
            return recovery
        self._jobs.claim(recovery.application_id, f"application {recovery.application}")
        self._refuse_newer(recovery)
        with suppress(NotFound):
            known = self._applications.get(recovery.application_id)
            if known.site == recovery.target_site:
                self._applications.update(replace(known, site=before.site, members=before.members))
        for was in before.protections:
            self._turn(was, recovery.application_id, recovery.target_site)
        return self._recoveries.change(
            recovery.id, lambda row: replace(row, reprotected_at=None, described_before=None)
        )

    def protections_of(self, application: Application) -> list[Protection]:
        return self._protections.list(application_id=application.id)

    def _turn(self, wanted: ProtectedFrom, application_id: str, only_at: str | None = None) -> None:
        with suppress(NotFound):
            known = self._protections.get(wanted.id)
            if known.application_id == application_id and only_at in (None, known.site):
                self._protections.update(
                    replace(
                        known, site=wanted.site, target_site=wanted.target_site,
                        other_target_sites=wanted.other_target_sites,
                    )
                )  # fmt: skip

    def _refuse_newer(self, recovery: Recovery) -> None:
        for other in self._recoveries.list(application_id=recovery.application_id):
            newer = other.epoch > recovery.epoch and other.purpose is not Purpose.DRILL
            if newer and other.state is not RecoveryState.UNDONE:
                raise Conflict(
                    f"recovery: {other.id} of {recovery.application} in {other.target_site} is newer, and is "
                    f"{other.state}: undo that first, or name it"
                )

    def _refuse_taken(self, application: Application, site: str, members: Sequence[Member]) -> None:
        wanted = {member.server_id for member in members}
        for other in self._applications.list(site=site):
            if other.id != application.id and wanted & {m.server_id for m in other.members}:
                ours = other.project_id == application.project_id
                name = f"application {other.name!r}" if ours else "an application of another project"
                raise Conflict(
                    f"application {application.name}: its recovered servers in {site} belong to {name} already: "
                    "delete that first (openstack multisite application delete)"
                )


def _as_it_is(protection: Protection) -> ProtectedFrom:
    """From where to where it protects."""
    return ProtectedFrom(
        protection.id, protection.site, protection.target_site, protection.other_target_sites
    )
