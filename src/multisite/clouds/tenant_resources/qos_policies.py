"""QoS policies of the project with their rules (Networking API v2.0, extension qos); written by administrators.

A rule is a text of JSON, so that rules compare as a set; a policy has at most one of a type and direction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from multisite.clouds.administrator import QOS_POLICIES, administrator
from multisite.clouds.call import call, network_extensions, post, read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError, Unsupported
from multisite.domain.resource_sync import Record

Row = Mapping[str, Any]
LIMIT, MARK, LEAST = "bandwidth_limit", "dscp_marking", "minimum_bandwidth"
RULES: Mapping[str, tuple[str, ...]] = {
    LIMIT: ("direction", "max_kbps", "max_burst_kbps"),
    MARK: ("dscp_mark",),
    LEAST: ("direction", "min_kbps"),
}
"""The types that are carried, and what each says."""
_PATH, EXTENSION = "/qos/policies", "qos"


def read(site: CloudSite) -> dict[str, Record]:
    """The project's own, by id.  Unsupported when Neutron has not loaded the extension."""
    what = "list QoS policies"
    try:
        rows = read_all(site, what, lambda: site.network, _PATH, "policies", project_id=site.project_id)
    except SiteError as error:  # Neutron answers a path it does not know as one that is just starting
        if EXTENSION in network_extensions(site):
            raise
        said = "Neutron has no extension qos: leave out the kind qos-policy, or load it there"
        raise Unsupported(site.name, what, said) from error
    return {row["id"]: _record(row) for row in rows if row["project_id"] == site.project_id}


def is_there(site: CloudSite, id: str) -> bool:
    with suppress(NotFoundInSite):
        _one(site, id)
        return True
    return False


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    """Without its rules: they come after."""
    admin = administrator(site, QOS_POLICIES)
    body = {"policy": {**_plain(fields), "project_id": site.project_id}}
    what = f"create QoS policy {fields['name']}"
    return str(post(admin, what, lambda: admin.network, _PATH, body)["policy"]["id"])


def update(site: CloudSite, id: str, fields: Mapping[str, Any]) -> None:
    """``rules``: those of a type and direction that is there are changed, others made; the rest is deleted."""
    admin = administrator(site, QOS_POLICIES)
    if changed := _plain(fields):
        _put(admin, f"change QoS policy {id}", f"{_PATH}/{id}", {"policy": changed})
    if "rules" in fields:
        _set_rules(admin, id, _one(site, id), fields["rules"])


def delete(site: CloudSite, id: str) -> None:
    """ConflictInSite while ports or networks have it."""
    _delete(administrator(site, QOS_POLICIES), f"delete QoS policy {id}", f"{_PATH}/{id}")


def text_of_rule(rule: Row) -> str:
    """What compares equal when two rules are; of a row of Neutron, or of what a document says."""
    told = {"direction": "egress", "max_burst_kbps": 0} | {n: v for n, v in rule.items() if v is not None}
    return json.dumps({"type": rule["type"]} | {n: told.get(n) for n in RULES[rule["type"]]}, sort_keys=True)


def _record(row: Row) -> Record:
    rules = [text_of_rule(rule) for rule in row["rules"] if rule["type"] in RULES]
    others = sorted({rule["type"] for rule in row["rules"]} - set(RULES))
    fields = {
        "name": row["name"], "description": row.get("description") or "", "shared": bool(row.get("shared")),
        "is_default": bool(row.get("is_default")), "rules": sorted(rules),
    }  # fmt: skip
    return Record(
        row["id"], row["name"], fields, tuple(f"a rule of type {other} is not carried" for other in others)
    )


def _one(site: CloudSite, id: str) -> Row:
    what = f"read QoS policy {id}"
    found: Row = read_one(site, what, lambda: site.network, f"{_PATH}/{id}", "policy")
    return found


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "rules"}


def _set_rules(admin: CloudSite, id: str, row: Row, wanted: list[str]) -> None:
    there = {_place(rule): rule for rule in row["rules"] if rule["type"] in RULES}
    new = {_place(rule): rule for rule in map(json.loads, wanted)}
    for place in sorted(set(there) - set(new)):
        _delete(admin, f"remove a rule of QoS policy {id}", _path(id, place[0], there[place]["id"]))
    for place in sorted(new, key=lambda place: _turn(there.get(place), new[place])):
        rule, old = new[place], there.get(place)
        body = {f"{place[0]}_rule": {name: value for name, value in rule.items() if name != "type"}}
        if old is None:
            # Not repeated after a lost answer: Neutron refuses a second one, and the next pass finds the first.
            post(admin, f"add a rule to QoS policy {id}", lambda: admin.network, _path(id, place[0]), body)
        elif text_of_rule(old) != text_of_rule(rule):
            _put(admin, f"change a rule of QoS policy {id}", _path(id, place[0], old["id"]), body)


def _turn(old: Row | None, new: Row) -> tuple[int, str]:
    """A minimum above the limit is refused: minimums are lowered before limits change, and raised after."""
    if new["type"] != LEAST:
        return 1, str(new["type"])
    lowered = old is not None and old["min_kbps"] > new["min_kbps"]
    return (0 if lowered else 2), LEAST


def _place(rule: Row) -> tuple[str, str]:
    return rule["type"], str(rule.get("direction") or ("" if rule["type"] == MARK else "egress"))


def _path(id: str, type: str, rule_id: str = "") -> str:
    return f"{_PATH}/{id}/{type}_rules" + (f"/{rule_id}" if rule_id else "")


def _put(admin: CloudSite, what: str, path: str, body: object) -> None:
    call(admin, what, lambda: admin.network.put(path, json=body), idempotent=True)


def _delete(admin: CloudSite, what: str, path: str) -> None:
    with suppress(NotFoundInSite):
        call(admin, what, lambda: admin.network.delete(path), idempotent=True)
