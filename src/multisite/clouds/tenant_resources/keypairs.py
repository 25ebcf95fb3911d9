"""Key pairs of everybody who has a role in the project, for administrators (Compute API, 2.35; Identity API v3).

They belong to users, who are the same at another site when name and domain are.  Nothing of one can be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import USERS, USERS_KEYPAIRS, administrator
from multisite.clouds.call import call, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Unsupported
from multisite.clouds.resources import tokens
from multisite.domain.resource_sync import Record

FIXED = frozenset({"user", "key_name", "public_key", "type"})
_VERSION = "2.35"


def read(site: CloudSite) -> dict[str, Record]:
    """By ``<user id>/<key pair's name>``; one list per user."""
    admin, found = administrator(site, USERS_KEYPAIRS), {}
    for label, user_id in _users(site).items():
        for row in resources.list_all(admin, "keypair", user_id=user_id):
            fields = {
                "user": label, "key_name": row["name"], "public_key": row["public_key"], "type": row.get("type", "ssh"),
            }  # fmt: skip
            id, ours = f"{user_id}/{row['name']}", tokens.unnamed(row["name"]) != row["name"]
            found[id] = Record(id, f"{row['name']} of {label}", fields, ours=ours)
    return found


def is_there(site: CloudSite, id: str) -> bool:
    user_id, _, name = id.partition("/")
    with suppress(NotFoundInSite):
        resources.read(administrator(site, USERS_KEYPAIRS), "keypair", name, user_id=user_id)
        return True
    return False


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    """Unsupported when there is no such user with a role in the project there."""
    user_id = _users(site).get(fields["user"])
    if user_id is None:
        said = f"no user {fields['user']} has a role in project {site.project_id}: give one a role there"
        raise Unsupported(site.name, f"create key pair {fields['key_name']}", said)
    body = {
        "name": fields["key_name"], "public_key": fields["public_key"], "type": fields["type"], "user_id": user_id,
    }  # fmt: skip
    made = resources.create(administrator(site, USERS_KEYPAIRS), "keypair", {"keypair": body})
    return f"{user_id}/{made['name']}"


def update(site: CloudSite, id: str, fields: Mapping[str, Any]) -> None:
    """Never asked for: all fields are fixed."""
    raise AssertionError(f"key pair {id} of {site.name} cannot be changed: {sorted(fields)}")


def delete(site: CloudSite, id: str) -> None:
    user_id, _, name = id.partition("/")
    admin, path = administrator(site, USERS_KEYPAIRS), f"/os-keypairs/{name}?user_id={user_id}"
    with suppress(NotFoundInSite):
        what = f"delete key pair {name} of user {user_id}"
        call(site, what, lambda: admin.compute.delete(path, microversion=_VERSION), idempotent=True)


def _users(site: CloudSite) -> dict[str, str]:
    """Ids by ``<name>@<domain>``."""
    admin = administrator(site, USERS)
    rows = read_all(
        admin, "list who has a role in the project", lambda: admin.identity, "/role_assignments", "role_assignments",
        **{"scope.project.id": site.project_id, "include_names": "True"},
    )  # fmt: skip
    users = [row["user"] for row in rows if "user" in row]
    return {f"{user['name']}@{user['domain']['name']}": user["id"] for user in users}
