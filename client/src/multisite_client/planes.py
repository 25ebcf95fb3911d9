"""The planes of applications, as openstacksdk verbs of the proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openstack import exceptions

from multisite_client.acting import Acting
from multisite_client.resources import Json
from multisite_client.urls import url


class PlaneVerbs(Acting):
    """Part of ``conn.multisite``; applications by id."""

    def planes(self, application: str) -> list[Json]:
        """All planes of an application, with what is there of each."""
        found: list[Json] = self.read(url("applications", application, "planes"))["planes"]
        return found

    def get_plane(self, application: str, name: str) -> Json:
        return self.read(url("applications", application, "planes", name))

    def describe_planes(
        self, application: str, planes: Sequence[Mapping[str, Any]], sites: Sequence[str] = ()
    ) -> list[Json]:
        """Describe all planes anew; ``sites``: of those that name none."""
        body = {"planes": [dict(plane) for plane in planes], "sites": list(sites)}
        answer = self.put(url("applications", application, "planes"), json=body)
        exceptions.raise_from_response(answer)
        found: list[Json] = answer.json()["planes"]
        return found

    def preview_plane(self, application: str, name: str) -> Json:
        """What realizing it would make; changes nothing."""
        return self.act(url("applications", application, "planes", name, "preview"))

    def realize_plane(self, application: str, name: str) -> Json:
        """Returns ``job_id`` and ``plane``."""
        return self.act(url("applications", application, "planes", name, "realize"))

    def check_plane(self, application: str, name: str) -> Json:
        """``in_sync`` (None: unknown) and ``findings``; all its sites are asked."""
        return self.act(url("applications", application, "planes", name, "check"))

    def repair_plane(self, application: str, name: str) -> str | None:
        """Repair what can be repaired; the id of the job, None when there is nothing to do."""
        job_id: str | None = self.act(url("applications", application, "planes", name, "repair"))["job_id"]
        return job_id

    def remove_plane(
        self, application: str, name: str, *, without: Sequence[str] = (), left: bool = False
    ) -> str | None:
        """Take it away from its sites, but for the lost ones of ``without``; ``left``: only what is left of before.

        The id of the job, None when nothing of it was there.
        """
        query = {**({"without": ",".join(without)} if without else {}), **({"left": "true"} if left else {})}
        return self.remove(url("applications", application, "planes", name, "realization"), **query)

    def forget_plane_left(self, application: str, name: str, sites: Sequence[str]) -> Json:
        """Forget what is left of it in sites that will not come back; the plane."""
        return self.act(url("applications", application, "planes", name, "forget"), {"sites": list(sites)})
