"""Resources kept in sync over several sites, as openstacksdk verbs of the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openstack import exceptions

from multisite_client.acting import Acting
from multisite_client.resources import Json, ResourceSync
from multisite_client.urls import url


class ResourceSyncVerbs(Acting):
    """Part of ``conn.multisite``."""

    def resource_syncs(self, **query: Any) -> Iterator[ResourceSync]:
        """The project's resource syncs."""
        return self.pages(ResourceSync, **query)

    def get_resource_sync(self, id: str) -> ResourceSync:
        return self.fetch(ResourceSync, id)

    def create_resource_sync(self, **attrs: Any) -> ResourceSync:
        """``name``, ``target_sites``, ``on_conflict``, ``deletes``, ``interval_seconds``; and ``source_site`` with
        ``kinds``, or ``document``: a text of YAML.
        """
        return self._create(ResourceSync, **attrs)

    def change_resource_sync(self, id: str, changes: Mapping[str, Any]) -> Json:
        """What is not given stays as it is."""
        return self.change(url("resource-syncs", id), changes)

    def delete_resource_sync(self, id: str) -> None:
        """Forget it; what it made stays."""
        self.delete_one(ResourceSync, id)

    def export_resources(self, **asked: Any) -> Json:
        """``source_site``, ``kinds``, ``only_tag``: the ``document`` of what it has, ``notes``: what is not carried."""
        return self.act("/resource-syncs/export", asked)

    def sync_items(self, id: str) -> list[Json]:
        """Every pair that it keeps in sync, asked for page by page."""
        found: list[Json] = []
        query: dict[str, str] = {}
        while True:
            answer = self.get(url("resource-syncs", id, "items"), params=query)
            exceptions.raise_from_response(answer)
            page = answer.json()
            found += page["items"]
            if not page["items_links"]:
                return found
            query = {"marker": str(page["items"][-1]["id"])}

    def plan_resource_sync(self, id: str) -> list[Json]:
        """What a pass would do now, and what it would not and why."""
        found: list[Json] = self.act(url("resource-syncs", id, "plan"))["changes"]
        return found

    def apply_resource_sync(self, id: str, *, delete_many: bool = False) -> str:
        """One pass; returns the id of its job."""
        return str(self.act(url("resource-syncs", id, "apply"), {"delete_many": delete_many})["job_id"])
