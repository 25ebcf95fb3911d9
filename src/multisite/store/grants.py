"""Which project of a site stands for which of ours, as administrators said."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.model import ProjectGrant
from multisite.domain.page import ALL, Page
from multisite.store.models import ProjectGrantRow, SiteRow
from multisite.store.repository import Repository


class ProjectGrantRepository(Repository[ProjectGrant, ProjectGrantRow]):
    row_type, item_type, noun = ProjectGrantRow, ProjectGrant, "project grant"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[ProjectGrant]:
        """By site and project."""
        order = [ProjectGrantRow.site, ProjectGrantRow.project_id]
        return self._select(order_by=order, project_id=project_id, page=page)

    def project_in(self, project_id: str, site: str) -> str:
        """Id, in the site, of the project that stands for ours: the granted one, or the same where none is granted."""
        found = self._select(ProjectGrantRow.site == site, project_id=project_id)
        return found[0].site_project_id if found else project_id

    def _refuse_taken(self, session: Session, item: ProjectGrant) -> None:
        if session.scalar(select(SiteRow.id).where(SiteRow.name == item.site)) is None:
            raise Conflict(f"site: no site {item.site!r} is registered")
        for column, value, field in (
            (ProjectGrantRow.project_id, item.project_id, "project_id"),
            (ProjectGrantRow.site_project_id, item.site_project_id, "site_project_id"),
        ):
            taken = select(ProjectGrantRow.id).where(
                ProjectGrantRow.site == item.site, column == value, ProjectGrantRow.id != item.id
            )
            if other := session.scalar(taken):
                raise Conflict(
                    f"{field}: {value} has a grant for site {item.site} already, {other}: delete that first"
                )
