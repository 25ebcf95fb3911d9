"""Server groups of the project: name, policy and its rules (Compute API, 2.64).  Nothing of one can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.resources import tokens
from multisite.domain.resource_sync import Record


def read(site: CloudSite) -> dict[str, Record]:
    """By id."""
    return {row["id"]: _record(row) for row in resources.list_all(site, "server_group")}


def is_there(site: CloudSite, id: str) -> bool:
    return resources.read_or_none(site, "server_group", id) is not None


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    wanted = {name: value for name, value in fields.items() if value not in ({}, None)}
    return str(resources.create(site, "server_group", {"server_group": wanted})["id"])


def update(site: CloudSite, id: str, fields: Mapping[str, Any]) -> None:
    """Never asked for: all fields are fixed."""
    raise AssertionError(f"server group {id} of {site.name} cannot be changed: {sorted(fields)}")


def delete(site: CloudSite, id: str) -> None:
    resources.delete_one(site, "server_group", id)


def _record(row: Mapping[str, Any]) -> Record:
    fields = {"name": row["name"], "policy": row["policy"], "rules": row.get("rules") or {}}
    ours = tokens.unnamed(row["name"]) != row["name"]
    return Record(row["id"], row["name"], fields, ours=ours)
