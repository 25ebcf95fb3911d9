"""Grants: an administrator says which project of a site stands for which of ours.

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

    def create(self, caller: Caller, project_id: str, site: str, site_project_id: str) -> ProjectGrant:
        """Remember the pair, once the service's account has logged in to that project of the site.

        Raises NotFound for the site, Conflict when one of both has a grant there already or the account has no role in
        the project, SiteError when the site cannot be asked.
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
            )
        )
        LOG.info(
            "project %s is %s in site %s, granted by %s",
            project_id,
            made.site_project_id,
            site,
            caller.user_name,
        )
        return made

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[ProjectGrant]:
        """By site and project."""
        return self._repository.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> ProjectGrant:
        """By id; NotFound also for one of another project."""
        return self._repository.get(id, caller.scope)

    def delete(self, caller: Caller, id: str) -> None:
        """Take it back: from now on nothing is done there for the project; what was made there stays."""
        grant = self.get(caller, id)
        self._repository.delete(grant.id)
        LOG.info(
            "grant %s of project %s in site %s deleted by %s",
            id,
            grant.project_id,
            grant.site,
            caller.user_name,
        )
