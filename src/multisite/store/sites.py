"""Registered sites.  Names are unique in the whole installation."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.model import Site
from multisite.domain.page import ALL, Page
from multisite.store.models import SiteRow
from multisite.store.repository import Repository


class SiteRepository(Repository[Site, SiteRow]):
    row_type, item_type, noun, used_by = SiteRow, Site, "site", "applications"

    def by_name(self, name: str) -> Site:
        return self._one(name, SiteRow.name == name)

    def list(self, page: Page = ALL) -> list[Site]:
        """By name."""
        return self._select(order_by=[SiteRow.name], page=page)

    def _refuse_taken(self, session: Session, item: Site) -> None:
        taken = select(SiteRow.id).where(SiteRow.name == item.name, SiteRow.id != item.id)
        if session.scalar(taken) is not None:
            raise Conflict(f"name: a site {item.name!r} is already registered; choose another name")
