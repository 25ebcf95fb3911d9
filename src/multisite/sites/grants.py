"""Grants: an administrator says which projects of a site are for which of ours, and which of them is the default.

The site's own administrator grants the service's account a role in that project; both are needed.
"""

from __future__ import annotations

import builtins
import logging
import uuid
from datetime import UTC, datetime

from multisite.clouds.connect import Sites
from multisite.clouds.errors import LoginRefused
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict
from multisite.domain.model import ProjectGrant
from multisite.domain.page import ALL, Page
from multisite.store.grants import ProjectGrantRepository

LOG = logging.getLogger(__name__)


class ProjectGrantService:
    """The verbs.  Callers see the grants of their project, administrators all."""

    def __init__(self, repository: ProjectGrantRepository, clouds: Sites) -> None:
        self._repository, self._clouds = repository, clouds

    def create(
        self, caller: Caller, project_id: str, site: str, site_project_id: str, *, is_default: bool = False
    ) -> ProjectGrant:
        """Remember the pair, once the service's account has logged in to that project of the site.

        The first of a project in a site is the default without being said to be.

        Raises NotFound for the site, Conflict when that project has a grant there already, the account has no role in
        it, or another one has to stay the default, SiteError when the site cannot be asked.
        """
        cloud = self._clouds.open_project(site, site_project_id)
        try:
            name = cloud.project_name
        except LoginRefused as error:
            raise Conflict(f"site_project_id: {error}") from error
        made = self._repository.add(
            ProjectGrant(
                id=str(uuid.uuid4()),
                project_id=project_id,
                site=site,
                site_project_id=cloud.project_id,
                site_project_name=name,
                granted_by=caller.user_name,
                created_at=datetime.now(UTC),
                is_default=is_default,
            )
        )
        LOG.info(
            "project %s has project %s of site %s%s, granted by %s",
            project_id,
            made.site_project_id,
            site,
            " as the default" if made.is_default else "",
            caller.user_name,
        )
        return made

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[ProjectGrant]:
        """By site and project."""
        return self._repository.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> ProjectGrant:
        """By id; NotFound also for one of another project."""
        return self._repository.get(id, caller.scope)

    def set_default(self, caller: Caller, id: str) -> ProjectGrant:
        """Make it the default of its project in its site, where everything but chosen recoveries is done.

        NotFound; Conflict while the project has applications there.
        """
        grant = self._repository.set_default(self.get(caller, id).id)
        LOG.info(
            "project %s has project %s of site %s as the default, said by %s",
            grant.project_id,
            grant.site_project_id,
            grant.site,
            caller.user_name,
        )
        return grant

    def delete(self, caller: Caller, id: str) -> None:
        """Take it back: from now on nothing is done there for the project; what was made there stays.

        Others of the project are not the default in its place: ``set_default`` says which is.
        """
        grant = self.get(caller, id)
        self._repository.delete(grant.id)
        LOG.info(
            "grant %s of project %s in site %s, its project %s, deleted by %s",
            id,
            grant.project_id,
            grant.site,
            grant.site_project_id,
            caller.user_name,
        )
