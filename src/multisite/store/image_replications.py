"""Images that are replicated to other sites."""

from __future__ import annotations

import builtins

from multisite.domain.image_copy import ImageReplication
from multisite.domain.page import ALL, Page
from multisite.store.models import ImageReplicationRow
from multisite.store.repository import Repository


class ImageReplicationRepository(Repository[ImageReplication, ImageReplicationRow]):
    row_type, item_type, noun = ImageReplicationRow, ImageReplication, "image replication"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[ImageReplication]:
        """Newest first."""
        order = [ImageReplicationRow.created_at]
        return self._select(order_by=order, project_id=project_id, page=page, newest_first=True)

    def of_image(self, project_id: str, source_site: str, image_id: str) -> builtins.list[ImageReplication]:
        """A project's replications of an image, newest first."""
        where = (
            ImageReplicationRow.project_id == project_id,
            ImageReplicationRow.source_site == source_site,
            ImageReplicationRow.image_id == image_id,
        )
        return self._select(*where, order_by=[ImageReplicationRow.created_at], newest_first=True)

    def of_job(self, job_id: str) -> ImageReplication | None:
        """The one a job is about."""
        return next(iter(self._select(ImageReplicationRow.job_id == job_id)), None)
