"""How much more a project may have in a site: a recovery can be refused before it has changed anything.

Sources: Nova ``GET /os-quota-sets/{project}/detail``, Cinder ``GET /os-quota-sets/{project}?usage=True``, Neutron ``GET
/quotas/{project}/details.json`` (extension quota_details).  Administrators may read those of other projects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds.call import read_one
from multisite.clouds.connect import CloudSite

COMPUTE = ("instances", "cores", "ram", "server_groups")
VOLUME = ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes")
NETWORK = (
    *("network", "subnet", "port", "security_group", "security_group_rule", "router", "floatingip", "trunk"),
)
LIMITS = ("key_pairs", "metadata_items", "server_group_members", "per_volume_gigabytes")
"""Of one user, server, group or volume: ``used`` is always 0 (``_get_usages`` in Nova's ``quota.py``)."""
# Cinder also limits by volume type: "gigabytes_rbd".
_BY_TYPE = ("volumes_", "gigabytes_", "snapshots_")


@dataclass(frozen=True)
class Quota:
    """A limit of one service.

    ``limit`` -1 is "unlimited", as the services write it.  ``used`` counts what is reserved for work under
    way.  ``ram`` is in MiB, gigabytes are GiB as everywhere in Cinder; the rest are numbers of things.
    """

    service: str
    resource: str
    limit: int
    used: int

    @property
    def free(self) -> int | None:
        """What may still be taken; None for "unlimited"."""
        return None if self.limit < 0 else max(0, self.limit - self.used)


def headroom(site: CloudSite, project: str | None = None) -> dict[str, dict[str, Quota]]:
    """By service ("compute", "block-storage", "network") and resource, as ``COMPUTE`` ... name them.

    ``project`` is an id, by default our own.  A resource a service does not count is left out: absent is not
    zero.  Raises what ``call`` raises; nothing is guessed.
    """
    found: dict[str, dict[str, Quota]] = {}
    for quota in read_quotas(site, project):
        found.setdefault(quota.service, {})[quota.resource] = quota
    return found


def read_quotas(site: CloudSite, project: str | None = None) -> tuple[Quota, ...]:
    """The same as a list; no two services use the same name for a resource."""
    project = project or site.project_id
    sets, what = f"/os-quota-sets/{project}", "read the quota"
    compute = read_one(site, what, lambda: site.compute, f"{sets}/detail", "quota_set", microversion="2.57")
    volume = read_one(site, what, lambda: site.volume, sets, "quota_set", usage="True")
    by_type = [name for name in volume if name.startswith(_BY_TYPE)]
    return (
        *_chosen("compute", compute, (*COMPUTE, *LIMITS), "in_use"),
        *_chosen("block-storage", volume, (*VOLUME, *by_type, *LIMITS), "in_use"),
        *_of_neutron(site, project, NETWORK),
    )


def network_headroom(site: CloudSite, project: str, names: Iterable[str]) -> dict[str, int | None]:
    """How many more of these the project may have in Neutron; None is unlimited, absent not counted."""
    return {quota.resource: quota.free for quota in _of_neutron(site, project, names)}


def _of_neutron(site: CloudSite, project: str, names: Iterable[str]) -> list[Quota]:
    path = f"/quotas/{project}/details.json"
    return _chosen(
        "network", read_one(site, "read the quota", lambda: site.network, path, "quota"), names, "used"
    )


def _chosen(service: str, quota: Mapping[str, Any], names: Iterable[str], used: str) -> list[Quota]:
    rows = [(name, quota[name]) for name in names if isinstance(quota.get(name), dict)]
    return [Quota(service, name, row["limit"], row[used] + row.get("reserved", 0)) for name, row in rows]
