"""Registered sites.  Names are unique in the whole installation."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.model import Site
from multisite.domain.page import ALL, Page
from multisite.store.models import ProtectionRow, SiteRow
from multisite.store.protections import TARGETS
from multisite.store.repository import Repository


class SiteRepository(Repository[Site, SiteRow]):
    row_type, item_type, noun, used_by = SiteRow, Site, "site", "applications"

    def by_name(self, name: str) -> Site:
        return self._one(name, SiteRow.name == name)

    def list(self, page: Page = ALL) -> list[Site]:
        """By name."""
        return self._select(order_by=[SiteRow.name], page=page)

    def delete(self, id: str) -> None:
        """Conflict while an application is in it, or a protection names it as its target."""
        with self._database.session() as session:
            self._database.advisory_lock(TARGETS)
            name = self._row(session, id).name
            rows = session.execute(
                select(
                    ProtectionRow.application, ProtectionRow.id, ProtectionRow.target_site,
                    ProtectionRow.other_target_sites,
                ).order_by(ProtectionRow.application, ProtectionRow.id)
            )  # fmt: skip
            if held := [f"{row[0]} ({row[1]})" for row in rows if name in (row[2], *row[3])]:
                raise Conflict(
                    f"site: {name!r} is a target site of the protection of {', '.join(held)}: give it others first "
                    "(openstack multisite protection set --target-site), or delete it"
                )
            super().delete(id)

    def _refuse_taken(self, session: Session, item: Site) -> None:
        taken = select(SiteRow.id).where(SiteRow.name == item.name, SiteRow.id != item.id)
        if session.scalar(taken) is not None:
            raise Conflict(f"name: a site {item.name!r} is already registered; choose another name")
