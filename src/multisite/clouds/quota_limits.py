"""Setting a project's limits in a site, for administrators, all of one service in one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite.clouds.administrator import QUOTAS, administrator
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.quotas import COMPUTE, NETWORK, VOLUME, read_quotas

RESOURCES = (*COMPUTE, *VOLUME, *NETWORK)
"""Those whose limits can be lent: of the whole project, and counted."""


def read(site: CloudSite) -> dict[str, tuple[int, int]]:
    """By resource the limit (-1: unlimited) and what is used; one that no service counts is left out."""
    admin = administrator(site, QUOTAS)
    return {
        q.resource: (q.limit, q.used) for q in read_quotas(admin, site.project_id) if q.resource in RESOURCES
    }


def write(site: CloudSite, limits: Mapping[str, int]) -> None:
    """Raises what ``call`` raises; a limit below what is used is refused by Nova and Cinder."""
    admin, project = administrator(site, QUOTAS), site.project_id
    services: tuple[tuple[Any, tuple[str, ...], str, str], ...] = (
        (lambda: admin.compute, COMPUTE, "quota_set", f"/os-quota-sets/{project}"),
        (lambda: admin.volume, VOLUME, "quota_set", f"/os-quota-sets/{project}"),
        (lambda: admin.network, NETWORK, "quota", f"/quotas/{project}"),
    )
    for proxy, names, key, path in services:
        wanted = {name: limits[name] for name in names if name in limits}
        if wanted:
            what = f"set the limits {', '.join(wanted)} of project {project}"
            call(site, what, _putting(proxy, path, {key: wanted}), idempotent=True)


def _putting(proxy: Any, path: str, body: Mapping[str, Any]) -> Any:
    return lambda: proxy().put(path, json=body)
