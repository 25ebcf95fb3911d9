"""Flavors of a site as one project may use them: found, or made private for it (Compute API reference, flavors).

Names are unique in a site, also among private flavors, which only administrators and the projects of their access
list are shown.

One that a recovery made may serve others: each has its token on it, whoever made it in the description at first,
the others among the extra specs.  Who goes takes its own token off, and the last one deletes the flavor.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import FLAVORS, administrator
from multisite.clouds.call import call, post, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, NotFoundInSite
from multisite.clouds.resources import tokens
from multisite.domain.manifest import FlavorRecord

_VERSION = "2.61"
MADE, HELD = "made by this step", "used by this step"
"""Values of extra specs that are tokens."""


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
            description=row.get("description") or "",
        )
        for row in resources.list_all(site, "flavor")
        if row.get("os-flavor-access:is_public", True) or _may_use(site, row["id"])
    )


def ensure_flavor(
    site: CloudSite, token: str, record: FlavorRecord, name: str, *, fresh: bool = False
) -> str:
    """Find or make a flavor like the record that the project may use; returns its id.

    Making one is for administrators.  It is private, with access for the project.  The name may be taken since the
    plan was made: by one that is the same, which is used then (and held, if a recovery made it), or by one that
    differs or that the project is not shown: then ours gets a suffix.
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
                if made_by_recovery(there):
                    hold_flavor(site, token, there.id)
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


def made_by_recovery(flavor: FlavorRecord) -> bool:
    """Whether one of ``usable_flavors`` may vanish when a recovery is undone."""
    places = (flavor.description, *flavor.extra_specs)
    return tokens.LEFT_KEY in flavor.extra_specs or any(map(tokens.is_token, places))


def hold_flavor(site: CloudSite, token: str, flavor_id: str) -> None:
    """Let a flavor that another recovery made stay until ``leave_flavor`` with this token; idempotent.

    Raises NotFoundInSite when it is gone, also when it went right after.  One that goes in the moment after that look
    is missed by the boot, which says so.
    """
    admin = administrator(site, FLAVORS)
    _post(admin, "hold a flavor", f"{flavor_id}/os-extra_specs", {"extra_specs": {token: HELD}})
    resources.read(admin, "flavor", flavor_id)


def describe_flavor(site: CloudSite, token: str, flavor_id: str, description: str) -> None:
    """Give a flavor that carries the token its own description, the token a key of its extra specs; idempotent.

    Another's is left as it is.  Nova's scheduler and drivers pass over specs of a scope they do not know.
    """
    admin = administrator(site, FLAVORS)
    row = resources.read(admin, "flavor", flavor_id)
    if row["description"] != token:
        return
    _post(admin, "move the token", f"{flavor_id}/os-extra_specs", {"extra_specs": {token: MADE}})
    _describe(admin, row, description)


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


def leave_flavor(site: CloudSite, token: str, description: str, *, late: bool) -> dict[str, list[str]]:
    """Take the token off what carries it, and delete what neither another's token nor a server of others needs.

    Returns what stays: names of flavors, and of the servers that have it, none when another recovery holds it.
    ``description``: that one gets whose description was the token; ``late`` as in ``resources.remove``.  Two that go
    at the same time see each other; so each looks again afterwards, and either deletes what is nobody's then.
    """
    admin, stay = administrator(site, FLAVORS), dict[str, list[str]]()
    own = tokens.prefix_of(token)  # its servers are deleted by now, whatever a list says

    def leave() -> None:
        for row in resources.list_all(admin, "flavor"):
            if not tokens.carries("flavor", row, token):
                continue
            if set(tokens.read("flavor", row)) != {token}:
                stay[row["name"]] = []
                _take_off(admin, row, token, description)
            elif users := flavor_users(admin, row["id"], besides=own):
                stay[row["name"]] = users
            else:
                resources.delete_one(admin, "flavor", row["id"])
        _delete_nobodys(admin)

    resources.twice_if_late(leave, late=late)
    return stay


def _take_off(admin: CloudSite, row: dict[str, Any], token: str, description: str) -> None:
    """First the mark by which it is found if nobody has a token on it in the end."""
    path, name = f"{row['id']}/os-extra_specs", row["name"]
    with suppress(NotFoundInSite):  # another deletes it, or has taken the same off
        _post(
            admin, f"leave flavor {name}", path, {"extra_specs": {tokens.LEFT_KEY: "by its maker, or a user"}}
        )
        if row["description"] == token:
            _describe(admin, row, description)
        if token in row["extra_specs"]:
            what, whole = f"take the token off flavor {name}", f"/flavors/{path}/{token}"
            call(admin, what, lambda: admin.compute.delete(whole, microversion=_VERSION), idempotent=True)


def _delete_nobodys(admin: CloudSite) -> None:
    """Delete what was left and carries no token, unless servers that no recovery made have it."""
    for row in resources.list_all(admin, "flavor"):
        nobodys = tokens.LEFT_KEY in row["extra_specs"] and not tokens.read("flavor", row)
        if nobodys and not flavor_users(admin, row["id"], besides=tokens.PREFIX):
            resources.delete_one(admin, "flavor", row["id"])


def _describe(admin: CloudSite, row: dict[str, Any], description: str) -> None:
    what, path = f"describe flavor {row['name']}", f"/flavors/{row['id']}"
    body = {"flavor": {"description": description}}
    call(admin, what, lambda: admin.compute.put(path, json=body, microversion=_VERSION), idempotent=True)


def _may_use(site: CloudSite, flavor_id: str) -> bool:
    """Whether a private flavor is for the project: to members Nova lists no other, administrators ask for each."""
    if "admin" not in site.roles:
        return True
    what, path = "list the projects of a private flavor", f"/flavors/{flavor_id}/os-flavor-access"
    rows = read_all(site, what, lambda: site.compute, path, "flavor_access")
    return site.project_id in {row["tenant_id"] for row in rows}


def _post(site: CloudSite, what: str, path: str, body: object) -> None:
    post(site, what, lambda: site.compute, f"/flavors/{path}", body, microversion=_VERSION, idempotent=True)
