"""The series of each protection's RPO: samples by moment, removed by age."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, func, select

from multisite.domain.rpo import RpoSample, RpoState
from multisite.store.database import Database
from multisite.store.models import RpoSampleRow


class RpoSamples:
    def __init__(self, database: Database) -> None:
        self._database = database

    def last_states(self) -> dict[str, RpoState]:
        """Of each protection that has a sample, by its id."""
        row = RpoSampleRow
        newest = (
            select(row.protection_id, func.max(row.at).label("at")).group_by(row.protection_id).subquery()
        )
        wanted = select(row.protection_id, row.state).join(
            newest, (newest.c.protection_id == row.protection_id) & (newest.c.at == row.at)
        )
        with self._database.session(read_only=True) as session:
            return {id: RpoState(state) for id, state in session.execute(wanted)}

    def add(self, samples: Mapping[str, RpoSample]) -> None:
        """One of each protection, by its id."""
        with self._database.session() as session:
            session.add_all(
                RpoSampleRow(
                    protection_id=id, at=one.at, state=one.state, lost_seconds=one.lost_seconds,
                    lost_bytes=one.lost_bytes, target_seconds=one.target_seconds, reason=one.reason,
                    changed=one.changed,
                )
                for id, one in samples.items()
            )  # fmt: skip

    def list(self, protection_id: str, since: datetime) -> list[RpoSample]:
        """Oldest first."""
        row = RpoSampleRow
        wanted = select(row).where(row.protection_id == protection_id, row.at >= since).order_by(row.at)
        with self._database.session(read_only=True) as session:
            return [
                RpoSample(
                    r.at,
                    RpoState(r.state),
                    r.lost_seconds,
                    r.lost_bytes,
                    r.target_seconds,
                    r.reason,
                    r.changed,
                )
                for r in session.scalars(wanted)
            ]

    def prune(self, protection_id: str, before: datetime) -> None:
        """Remove what is older."""
        row = RpoSampleRow
        with self._database.session() as session:
            session.execute(delete(row).where(row.protection_id == protection_id, row.at < before))
