"""Flavors of a site as one project may use them: found, or made private for it (Compute API reference, flavors).

Names are unique in a site, also among private flavors, which only administrators and the projects of their access
list are shown.
"""

from __future__ import annotations

from contextlib import suppress

from multisite.clouds import resources
from multisite.clouds.administrator import FLAVORS, administrator
from multisite.clouds.call import call, post, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite
from multisite.clouds.resources import tokens
from multisite.domain.manifest import FlavorRecord

_VERSION = "2.61"
MADE = "made by this step"
"""The value of an extra spec that is a token."""


def usable_flavors(site: CloudSite) -> tuple[FlavorRecord, ...]:
    """Those the project may use: public ones, and private ones that are for it."""
    return tuple(
        FlavorRecord(
            id=row["id"],
            name=row["name"],
            vcpus=row["vcpus"],
            memory_mib=row["ram"],
            disk_gib=row["disk"],
            ephemeral_gib=row.get("OS-FLV-EXT-DATA:ephemeral") or 0,
            swap_mib=row.get("swap") or 0,
            extra_specs=row.get("extra_specs") or {},
        )
        for row in resources.list_all(site, "flavor")
        if row.get("os-flavor-access:is_public", True) or _may_use(site, row["id"])
    )


def ensure_flavor(
    site: CloudSite, token: str, record: FlavorRecord, name: str, *, fresh: bool = False
) -> str:
    """Find or make a flavor like the record that the project may use; returns its id.

    Making one is for administrators.  It is private, with access for the project.  The name may be taken since the
    plan was made: by one that is the same, which is used then, or by one that differs or that the project is not
    shown: then ours gets a suffix.
    """
    admin = administrator(site, FLAVORS)
    fields = {
        "name": name,
        "vcpus": record.vcpus,
        "ram": record.memory_mib,
        "disk": record.disk_gib,
        "OS-FLV-EXT-DATA:ephemeral": record.ephemeral_gib,
        "swap": record.swap_mib,
        "os-flavor-access:is_public": False,
    }
    try:
        made = resources.ensure(admin, "flavor", token, fields, fresh=fresh)
    except ConflictInSite:
        for there in usable_flavors(site):
            if (there.name, there.size, there.own_specs) == (name, record.size, record.own_specs):
                return there.id
        made = resources.ensure(admin, "flavor", token, fields | {"name": tokens.named(name, token)})
    flavor_id = str(made["id"])
    if record.own_specs:
        specs = {"extra_specs": record.own_specs}
        _post(admin, f"set the extra specs of flavor {name}", f"{flavor_id}/os-extra_specs", specs)
    with suppress(ConflictInSite):  # it has access already
        access = {"addTenantAccess": {"tenant": site.project_id}}
        _post(admin, f"let the project use flavor {name}", f"{flavor_id}/action", access)
    return flavor_id


def describe_flavor(site: CloudSite, token: str, flavor_id: str, description: str) -> None:
    """Give a flavor that carries the token its own description, the token a key of its extra specs; idempotent.

    Another's is left as it is.  Nova's scheduler and drivers pass over specs of a scope they do not know.
    """
    admin = administrator(site, FLAVORS)
    row = resources.read(admin, "flavor", flavor_id)
    if not tokens.carries("flavor", row, token):
        return
    _post(admin, "move the token", f"{flavor_id}/os-extra_specs", {"extra_specs": {token: MADE}})
    what, path = f"describe flavor {row['name']}", f"/flavors/{flavor_id}"
    body = {"flavor": {"description": description}}
    call(site, what, lambda: admin.compute.put(path, json=body, microversion=_VERSION), idempotent=True)


def flavor_users(site: CloudSite, flavor_id: str, *, besides: str | None = None) -> list[str]:
    """Names of the servers of all projects that have this flavor (for administrators).

    ``besides``: without those whose token begins with this: a job that has deleted its servers still finds
    them in the list of a busy Nova.
    """
    # Later microversions do not show a flavor's id.
    admin = administrator(site, FLAVORS)
    rows = resources.list_all(admin, "server", "2.46", all_tenants="1", flavor=flavor_id)
    return [
        row["name"]
        for row in rows
        if row["flavor"]["id"] == flavor_id
        and not (besides and row["metadata"].get(tokens.KEY, "").startswith(besides))
    ]


def remove_flavor(site: CloudSite, token: str, *, late: bool) -> None:
    """As ``resources.remove``, by the token alone: the one that was used may be another's."""
    resources.remove(administrator(site, FLAVORS), "flavor", token, late=late)


def _may_use(site: CloudSite, flavor_id: str) -> bool:
    """Whether a private flavor is for the project: to members Nova lists no other, administrators ask for each."""
    if "admin" not in site.roles:
        return True
    what, path = "list the projects of a private flavor", f"/flavors/{flavor_id}/os-flavor-access"
    rows = read_all(site, what, lambda: site.compute, path, "flavor_access")
    return site.project_id in {row["tenant_id"] for row in rows}


def _post(site: CloudSite, what: str, path: str, body: object) -> None:
    post(site, what, lambda: site.compute, f"/flavors/{path}", body, microversion=_VERSION, idempotent=True)
