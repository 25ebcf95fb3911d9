"""Which projects of a site are granted to which of ours, as administrators said, and which of them is the default."""

from __future__ import annotations

import builtins
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.model import ProjectGrant
from multisite.domain.page import ALL, Page
from multisite.store.models import ApplicationRow, ProjectGrantRow, SiteRow
from multisite.store.repository import Repository


class ProjectGrantRepository(Repository[ProjectGrant, ProjectGrantRow]):
    """The first grant of a project in a site is its default, until another one is said to be.

    When the default is deleted the others do not become it by themselves: what was made there would be looked for in
    another project.
    """

    row_type, item_type, noun = ProjectGrantRow, ProjectGrant, "project grant"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[ProjectGrant]:
        """By site and project."""
        order = [ProjectGrantRow.site, ProjectGrantRow.project_id]
        return self._select(order_by=order, project_id=project_id, page=page)

    def granted(self, project_id: str, site: str) -> builtins.list[ProjectGrant]:
        """Those of one of our projects in a site, by the names there."""
        order = [ProjectGrantRow.site_project_name]
        return self._select(ProjectGrantRow.site == site, order_by=order, project_id=project_id)

    def add(self, item: ProjectGrant) -> ProjectGrant:
        """Store a new one: the default if it is the first, or says so.  Conflict when it may not be."""
        with self._database.session() as session:
            self._lock(item)
            known = self.granted(item.project_id, item.site)
            if item.is_default:
                self._refuse_taken(session, item)
                self._clear_default(session, known)
            return super().add(replace(item, is_default=item.is_default or not known))

    def set_default(self, id: str) -> ProjectGrant:
        """Make it the default of its project and site, in place of the one that is; once more does no harm.

        NotFound; Conflict while the project has applications there: their servers are in the present default.
        """
        with self._database.session() as session:
            self._lock(self.get(id))
            item = self.get(id)
            if item.is_default:
                return item
            self._clear_default(session, self.granted(item.project_id, item.site))
            return self.update(replace(item, is_default=True))

    def project_in(self, project_id: str, site: str) -> str:
        """Id, in the site, of the project things of ours are in: the default, or the same where none is granted.

        Also the same where none of those granted is the default: ``why_not`` refuses it then.
        """
        found = self._select(
            ProjectGrantRow.site == site, ProjectGrantRow.is_default.is_(True), project_id=project_id
        )
        return found[0].site_project_id if found else project_id

    def why_not(self, project_id: str, site: str, site_project_id: str) -> str | None:
        """Why nothing may be done there for our project now, with what to do; None: it is granted."""
        known = self.granted(project_id, site)
        if any(grant.site_project_id == site_project_id for grant in known):
            return None
        if known and site_project_id == project_id:
            return (
                f"none of the projects that are granted to project {project_id} is the default: choose one: "
                f"openstack multisite project grant set --default {known[0].id}"
            )
        if site_project_id == project_id:
            return None
        return (
            f"that project is not granted to project {project_id}, or not any more: "
            f"openstack multisite project grant create {project_id} {site} {site_project_id}"
        )

    def _lock(self, item: ProjectGrant) -> None:
        self._database.advisory_lock(f"project grants of {item.project_id} in {item.site}")

    def _clear_default(self, session: Session, known: builtins.list[ProjectGrant]) -> None:
        """Within the transaction that makes another one the default."""
        for grant in known:
            if not grant.is_default:
                continue
            theirs = select(ApplicationRow.name).where(
                ApplicationRow.site == grant.site, ApplicationRow.project_id == grant.project_id
            )
            if names := ", ".join(sorted(session.scalars(theirs))):
                raise Conflict(
                    f"default: the servers of {names} are in {grant.site_project_name} "
                    f"({grant.site_project_id}), the default in site {grant.site}, and would be looked for in "
                    "another project: delete these applications there first, or recover with --map project:"
                )
            session.execute(
                update(ProjectGrantRow).where(ProjectGrantRow.id == grant.id).values(is_default=False)
            )

    def _refuse_taken(self, session: Session, item: ProjectGrant) -> None:
        if session.scalar(select(SiteRow.id).where(SiteRow.name == item.site)) is None:
            raise Conflict(f"site: no site {item.site!r} is registered")
        taken = select(ProjectGrantRow.id).where(
            ProjectGrantRow.site == item.site,
            ProjectGrantRow.site_project_id == item.site_project_id,
            ProjectGrantRow.id != item.id,
        )
        if other := session.scalar(taken):
            raise Conflict(
                f"site_project_id: {item.site_project_id} has a grant for site {item.site} already, {other}: "
                "delete that first"
            )
