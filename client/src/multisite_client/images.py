"""Images that are copied to other sites, as openstacksdk verbs of the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from multisite_client.acting import Acting
from multisite_client.resources import ImageReplication, Json
from multisite_client.urls import url


class ImageVerbs(Acting):
    """Part of ``conn.multisite``."""

    def image_replications(self, **query: Any) -> Iterator[ImageReplication]:
        """The project's image replications, newest first."""
        return self.pages(ImageReplication, **query)

    def get_image_replication(self, id: str) -> ImageReplication:
        return self.fetch(ImageReplication, id)

    def replicate_image(self, **attrs: Any) -> Json:
        """``image`` (its id), ``source_site``, ``target_sites``.  Returns ``job_id`` and ``image_replication``."""
        return self.act("/image-replications", attrs)

    def delete_image_replication(self, id: str) -> str | None:
        """Remove the copies it made; the job's id, None when nothing was left."""
        return self.remove(url("image-replications", id))
