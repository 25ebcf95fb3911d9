"""Protections: how applications are to be protected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import NotFound
from multisite.domain.model import Protection
from multisite.domain.page import ALL, Page
from multisite.store.models import ApplicationRow, ProtectionRow
from multisite.store.repository import Repository, equal

TARGETS = "target sites"
"""Held while protections get targets, and while a site is forgotten."""


class ProtectionRepository(Repository[Protection, ProtectionRow]):
    row_type, item_type, noun = ProtectionRow, Protection, "protection"

    def list(
        self, project_id: str | None = None, application_id: str | None = None, *, page: Page = ALL
    ) -> list[Protection]:
        """By application, oldest first."""
        where = equal((ProtectionRow.application_id, application_id))
        order = [ProtectionRow.application, ProtectionRow.created_at]
        return self._select(*where, order_by=order, project_id=project_id, page=page)

    @contextmanager
    def session_of_targets(self) -> Iterator[None]:
        """To look at sites and give them to protections as one: meanwhile no site is forgotten."""
        with self._database.session():
            self._database.advisory_lock(TARGETS)
            yield

    def _refuse_taken(self, session: Session, item: Protection) -> None:
        if session.get(ApplicationRow, item.application_id) is None:
            known = session.scalar(select(ApplicationRow.id).where(ApplicationRow.name == item.application))
            hint = f" (an application of that name has id {known!r})" if known else ""
            raise NotFound(f"application: there is no application {item.application_id!r}{hint}")
