"""Stretched networks, and the ports their sites had when they were last read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.page import ALL, Page
from multisite.domain.stretched import SitePorts, StretchedNetwork, StretchState
from multisite.store.database import Database
from multisite.store.models import SitePortsRow, StretchedRow
from multisite.store.repository import Repository, equal

_PORTS: TypeAdapter[SitePorts] = TypeAdapter(SitePorts)


class StretchedRepository(Repository[StretchedNetwork, StretchedRow]):
    row_type, item_type, noun = StretchedRow, StretchedNetwork, "network"

    def list(
        self, project_id: str | None = None, state: StretchState | None = None, *, page: Page = ALL
    ) -> list[StretchedNetwork]:
        """By name."""
        where = equal((StretchedRow.state, state))
        return self._select(*where, order_by=[StretchedRow.name], project_id=project_id, page=page)

    def by_name(self, name: str) -> StretchedNetwork:
        """NotFound when there is none."""
        found = self._select(StretchedRow.name == name, page=Page(1))
        if not found:
            raise NotFound(f"network: there is no stretched network {name!r}")
        return found[0]

    def _refuse_taken(self, session: Session, item: StretchedNetwork) -> None:
        same = select(StretchedRow.id).where(StretchedRow.name == item.name, StretchedRow.id != item.id)
        if session.scalar(same) is not None:
            raise Conflict(f"name: there is a stretched network {item.name!r} already; choose another name")


@dataclass(frozen=True)
class Kept:
    """A site's ports when they were last read (None: they never were), and the last try."""

    ports: SitePorts | None
    tried_at: datetime
    error: str | None


class SitePortsStore:
    """What was last read of every network, so that a dead site's part is known after a restart too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, network_id: str) -> dict[str, Kept]:
        """By site."""
        with self._database.session(read_only=True) as session:
            rows = session.scalars(select(SitePortsRow).where(SitePortsRow.network_id == network_id)).all()
            return {row.site: _kept(row) for row in rows}

    def save(self, network_id: str, kept: Mapping[str, Kept]) -> None:
        """Replace those of these sites; ports that are None leave the last ones.

        Does nothing when the network is gone.
        """
        with self._database.session() as session:
            if session.get(StretchedRow, network_id) is None:
                return
            for site, one in kept.items():
                row = session.get(SitePortsRow, (network_id, site))
                if row is None:
                    row = SitePortsRow(network_id=network_id, site=site, ports={}, seen_at=None)
                    session.add(row)
                row.tried_at, row.error = one.tried_at, one.error
                if one.ports is not None:
                    row.seen_at = one.ports.seen_at
                    row.ports = _PORTS.dump_python(one.ports, mode="json")


def _kept(row: SitePortsRow) -> Kept:
    ports = _PORTS.validate_python(row.ports) if row.seen_at is not None else None
    return Kept(ports, row.tried_at, row.error)
