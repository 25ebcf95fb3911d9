"""Limits of projects over several sites, as openstacksdk verbs of the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from multisite_client.acting import Acting
from multisite_client.resources import GlobalQuota, Json
from multisite_client.urls import url


class QuotaVerbs(Acting):
    """Part of ``conn.multisite``."""

    def quotas(self, **query: Any) -> Iterator[GlobalQuota]:
        """Limits of projects over several sites: one's own, for administrators all."""
        return self.pages(GlobalQuota, **query)

    def get_quota(self, id: str) -> GlobalQuota:
        return self.fetch(GlobalQuota, id)

    def create_quota(self, **attrs: Any) -> GlobalQuota:
        """``project_id``, ``sites``, ``limits``."""
        return self._create(GlobalQuota, **attrs)

    def change_quota(self, id: str, changes: Mapping[str, Any]) -> Json:
        """``sites``, ``limits``, ``paused``; what is not given stays."""
        return self.change(url("quotas", id), changes)

    def apply_quota(self, id: str) -> str:
        """One pass now; returns the id of its job."""
        return str(self.act(url("quotas", id, "apply"))["job_id"])

    def delete_quota(self, id: str) -> None:
        """Forget it; every site keeps what it has."""
        self.delete_one(GlobalQuota, id)
