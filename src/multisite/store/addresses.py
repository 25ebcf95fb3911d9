"""Moving addresses: the record, whose it is now, and the history of its epochs.

Every change of a record happens in one transaction with the question whether the job that asks still has it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.moving_address import AddressState, EpochRecord, MovingAddress
from multisite.domain.page import ALL, Page
from multisite.store.codec import Codec
from multisite.store.models import AddressEpochRow, JobRow, MovingAddressRow
from multisite.store.repository import Repository

_EPOCH = Codec(EpochRecord)


class NotOwner(Conflict):
    """Another job has the address, or had it later."""


class AddressRepository(Repository[MovingAddress, MovingAddressRow]):
    row_type, item_type, noun = MovingAddressRow, MovingAddress, "address"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[MovingAddress]:
        """By name."""
        return self._select(order_by=[MovingAddressRow.name], project_id=project_id, page=page)

    def advisory_lock(self, id: str) -> None:
        """Within a session: nobody else decides about this address until it ends."""
        self._database.advisory_lock(f"address {id}")

    def change_owned(
        self, id: str, job_id: str, how: Callable[[MovingAddress], MovingAddress]
    ) -> MovingAddress:
        """Let the job that has the address change its record.  NotOwner when it has it no more.

        The last move has it again (to be undone) when whoever had it since has come to rest.
        """
        with self._database.session() as session:
            self.advisory_lock(id)
            known = self.get(id)
            if known.job_id != job_id:
                if known.move_job_id != job_id:
                    raise NotOwner(
                        f"address {known.name}: job {known.job_id} has had it since: this job is over for it; "
                        "move it instead"
                    )
                self._refuse_busy(session, known)
                known = replace(known, job_id=job_id)
            return self.update(how(known))

    def get_owned(self, id: str, job_id: str) -> MovingAddress:
        """The record, for the job that has it.  NotOwner otherwise."""
        return self.change_owned(id, job_id, lambda known: known)

    def hand_over(self, id: str, job_id: str, state: AddressState, *, moves: bool) -> MovingAddress:
        """Within a session that has claimed it (``JobEngine.claim``): give it to a job about to start."""
        with self._database.session():
            self.advisory_lock(id)
            known = self.get(id)
            move_job = job_id if moves else known.move_job_id
            return self.update(replace(known, job_id=job_id, move_job_id=move_job, state=state, error=None))

    def _refuse_busy(self, session: Session, known: MovingAddress) -> None:
        job = session.get(JobRow, known.job_id)
        if job is not None and not job.settled:
            raise Conflict(
                f"address {known.name}: job {job.id} ({job.title}) is at work on it, asked for by "
                f"{job.requested_by}: wait for it, or cancel it"
            )

    def raise_epoch(self, id: str, job_id: str, site: str, at: datetime, by: str, why: str) -> MovingAddress:
        """The next epoch is ``site``'s, written down before anything is bound there; with its line of history.

        Once per job and reason: repeated, it changes nothing.  NotOwner as ``change_owned``.
        """

        def raised(known: MovingAddress) -> MovingAddress:
            last = self.history(id)[-1:]
            if last and (last[0].job_id, last[0].site, last[0].why) == (job_id, site, why):
                return known
            epoch = known.epoch + 1
            self._note(EpochRecord(id, epoch, site, at, by, why, job_id))
            member = replace(known.member(site), bound_epoch=epoch)
            return replace(known.with_member(member), epoch=epoch, active_site=site)

        return self.change_owned(id, job_id, raised)

    def released(self, id: str, job_id: str, site: str, witnessed: int | None) -> MovingAddress:
        """The site was seen to have let go, now; ``witnessed`` as in the member."""

        def change(known: MovingAddress) -> MovingAddress:
            member = replace(known.member(site), released_epoch=known.epoch, witnessed=witnessed)
            return known.with_member(member)

        return self.change_owned(id, job_id, change)

    def history(self, id: str) -> builtins.list[EpochRecord]:
        """Oldest first."""
        order = AddressEpochRow.epoch
        with self._database.session(read_only=True) as session:
            rows = session.scalars(
                select(AddressEpochRow).where(AddressEpochRow.address_id == id).order_by(order)
            )
            return [_EPOCH.item(_EPOCH.values(row)) for row in rows]

    def _note(self, line: EpochRecord) -> None:
        with self._database.session() as session:
            session.add(AddressEpochRow(**_EPOCH.columns(line)))
            session.flush()

    def _refuse_taken(self, session: Session, item: MovingAddress) -> None:
        """By the project itself.  Between projects the sites decide: what others have is not ours to tell."""
        for field, column in (("address", MovingAddressRow.address), ("name", MovingAddressRow.name)):
            taken = select(MovingAddressRow.id).where(
                column == getattr(item, field),
                MovingAddressRow.project_id == item.project_id,
                MovingAddressRow.id != item.id,
            )
            if session.scalar(taken) is not None:
                raise Conflict(
                    f"{field}: a moving address with {field} {getattr(item, field)!r} exists already"
                )
