"""Stretched networks, as openstacksdk resource and verbs of the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from multisite_client.acting import Acting
from multisite_client.resources import Json, StretchedNetwork
from multisite_client.urls import url


class NetworkVerbs(Acting):
    """Part of ``conn.multisite``."""

    def stretched_networks(self, **query: Any) -> Iterator[StretchedNetwork]:
        """The project's stretched networks."""
        return self.pages(StretchedNetwork, **query)

    def get_stretched_network(self, id: str) -> Json:
        """``network``, ``sites``, ``ports`` and ``counts``, looked at now; by id or name."""
        return self.read(url("stretched-networks", id))

    def preview_stretch(self, **order: Any) -> Json:
        """What stretching would do; changes nothing."""
        return self.act("/stretched-networks/preview", order)

    def stretch_network(self, **order: Any) -> Json:
        """Returns ``job_id`` and ``network``."""
        return self.act("/stretched-networks", order)

    def check_stretched_network(self, id: str) -> Json:
        """``in_sync`` (None: unknown) and ``findings``: what of the sites' parts is not as it has to be."""
        return self.act(url("stretched-networks", id, "check"))

    def reconcile_network(self, id: str) -> Json:
        """Repair now; the drift afterwards."""
        return self.act(url("stretched-networks", id, "reconcile"))

    def unstretch_network(
        self, id: str, *, keep_networks: bool = False, without: tuple[str, ...] = ()
    ) -> str | None:
        """Returns the id of the job, None when nothing was left."""
        body = {"keep_networks": keep_networks, "without": list(without)}
        job_id: str | None = self.act(url("stretched-networks", id, "unstretch"), body)["job_id"]
        return job_id
