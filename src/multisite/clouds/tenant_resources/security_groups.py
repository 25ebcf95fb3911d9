"""Security groups with their rules, as members of the project read and change them (Networking API v2.0).

A rule is a text of JSON, so that rules compare as a set; a group that it names is an id of the site.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from multisite.clouds import resources
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, NotFoundInSite
from multisite.clouds.resources import tokens
from multisite.domain.resource_sync import Record

Row = Mapping[str, Any]
_RULE = (
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
)
GROUP = "remote_group_id"


def read(site: CloudSite) -> dict[str, Record]:
    """The project's own, by id.  A rule that cannot be carried is left out, and told."""
    rows = [r for r in resources.list_all(site, "security_group") if r["project_id"] == site.project_id]
    own = {row["id"] for row in rows}
    return {row["id"]: _record(row, own) for row in rows}


def is_there(site: CloudSite, id: str) -> bool:
    return resources.read_or_none(site, "security_group", id) is not None


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    """Without its rules: they may name groups that are not there yet."""
    # A Neutron that has no stateless groups knows no such word; without it a group is stateful.
    wanted = {name: value for name, value in _plain(fields).items() if (name, value) != ("stateful", True)}
    body = {"security_group": wanted}
    return str(resources.create(site, "security_group", body)["id"])


def update(site: CloudSite, id: str, fields: Mapping[str, Any]) -> None:
    """``rules``: those missing are made, the others deleted."""
    if changed := _plain(fields):
        what, path = f"change security group {id}", f"/security-groups/{id}"
        body = {"security_group": changed}
        call(site, what, lambda: site.network.put(path, json=body), idempotent=True)
    if "rules" in fields:
        _set_rules(site, id, set(fields["rules"]))


def delete(site: CloudSite, id: str) -> None:
    """ConflictInSite while ports have it."""
    resources.delete_one(site, "security_group", id)


def translated(record: Record, ids: Mapping[str, str]) -> Record:
    """Its rules with the groups they name called by other ids; one without another id keeps its own."""
    rules = sorted(_with_group(rule, ids) for rule in record.fields.get("rules", ()))
    return replace(record, fields={**record.fields, "rules": rules})


def named(fields: Mapping[str, Any]) -> set[str]:
    """The ids of the groups that rules name."""
    return {group for rule in fields.get("rules", ()) if (group := json.loads(rule)[GROUP])}


def in_words(ids: Mapping[str, str], fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` with the groups that rules name called by other ids."""
    if "rules" not in fields:
        return dict(fields)
    return {**fields, "rules": sorted(_with_group(rule, ids) for rule in fields["rules"])}


def _record(row: Row, own: set[str]) -> Record:
    rules, notes = [], []
    for rule in row["security_group_rules"]:
        if rule.get("remote_address_group_id"):
            notes.append("a rule for an address group is not carried")
        elif rule.get(GROUP) and rule[GROUP] not in own:
            notes.append("a rule for another project's group is not carried")
        else:
            rules.append(text_of_rule(rule))
    fields = {
        "name": row["name"], "description": row.get("description") or "", "stateful": row.get("stateful", True),
        "rules": sorted(rules),
    }  # fmt: skip
    ours = bool(tokens.read("security_group", row))
    tags = tuple(row.get("tags") or ())
    return Record(row["id"], row["name"], fields, tuple(dict.fromkeys(notes)), ours, tags)


def text_of_rule(rule: Row) -> str:
    """What compares equal when two rules are; of a row of Neutron, or of some of its fields."""
    shown = {name: rule.get(name) for name in _RULE} | {"description": rule.get("description") or ""}
    return json.dumps(shown, sort_keys=True)


def _with_group(rule: str, ids: Mapping[str, str]) -> str:
    parsed = json.loads(rule)
    parsed[GROUP] = ids.get(parsed[GROUP], parsed[GROUP])
    return json.dumps(parsed, sort_keys=True)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "rules"}


def _set_rules(site: CloudSite, id: str, wanted: set[str]) -> None:
    row = resources.read(site, "security_group", id)
    there = {text_of_rule(rule): rule["id"] for rule in row["security_group_rules"]}
    for text in sorted(wanted - set(there)):
        rule = {name: value for name, value in json.loads(text).items() if value is not None}
        body = {"security_group_rule": {**rule, "security_group_id": id}}
        with suppress(ConflictInSite):  # made before, and its answer lost
            call(site, f"add a rule to security group {id}", _adding(site, body))
    for text in sorted(set(there) - wanted):
        path = f"/security-group-rules/{there[text]}"
        with suppress(NotFoundInSite):
            call(site, f"remove a rule of security group {id}", _removing(site, path), idempotent=True)


def _adding(site: CloudSite, body: Mapping[str, Any]) -> Any:
    return lambda: site.network.post("/security-group-rules", json=body)


def _removing(site: CloudSite, path: str) -> Any:
    return lambda: site.network.delete(path)
