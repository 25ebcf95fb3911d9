"""The key pairs servers were made with."""

from __future__ import annotations

from collections.abc import Mapping

from multisite.clouds import resources
from multisite.clouds.administrator import KEYPAIRS, administrator
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused
from multisite.clouds.facts.network import Row
from multisite.clouds.ledger import compute
from multisite.clouds.ledger.notes import Notes
from multisite.domain.manifest import KeypairRecord


def read(site: CloudSite, servers: list[Row], notes: Notes) -> tuple[KeypairRecord, ...]:
    """Key pairs by name.  They belong to users: those of others are readable for administrators only."""
    wanted = {(server["user_id"], server["key_name"]) for server in servers if server["key_name"]}
    found: dict[str, KeypairRecord] = {}
    for user in sorted({user for user, _ in wanted}):
        owner = {} if user == site.conn.session.get_user_id() else {"user_id": user}
        reader, readable = administrator(site, KEYPAIRS) if owner else site, True
        try:
            rows = resources.list_all(reader, "keypair", **owner)
        except Refused as error:
            if error.site_status != 403:
                raise
            rows, readable = [], False
        known = {row["name"]: row for row in rows}
        for name in sorted(name for whose, name in wanted if whose == user):
            pair = known.get(name) or (_keypair(reader, name, owner) if readable else None)
            if pair is None:
                notes.add(f"key pair {name} is gone or belongs to another user: it is not carried over")
            elif name in found and found[name].public_key != pair["public_key"]:
                notes.add(f"two users have a key pair {name} with different keys: only one is carried over")
            else:
                notes.compare(compute.KEYPAIR, pair)
                found[name] = KeypairRecord(name, pair["public_key"], pair["type"])
    return tuple(found.values())


def _keypair(site: CloudSite, name: str, owner: Mapping[str, str]) -> Row | None:
    """One that a list did not show; None when it is really gone."""
    try:
        return resources.read(site, "keypair", name, **owner)
    except NotFoundInSite:
        return None
