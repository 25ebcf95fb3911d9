"""Neutron: QoS policies, which ports and networks refer to (neutron/services/qos, neutron/conf/policies/qos.py).

Rules of three types; of a type and direction a policy has one.  Left out: packet rates.
"""

from __future__ import annotations

from typing import Any

from multisite_lab.sim.model import Row, Sim, new_id
from multisite_lab.sim.neutron import policy
from multisite_lab.sim.neutron.ipam import new_row
from multisite_lab.sim.wire import Answer, Ask, Route, neutron_error, ok

EXTENSION = "qos"
LIMIT, MARK, LEAST = "bandwidth_limit", "dscp_marking", "minimum_bandwidth"
DEFAULTS: dict[str, dict[str, Any]] = {
    LIMIT: {"direction": "egress", "max_kbps": None, "max_burst_kbps": 0},
    MARK: {"dscp_mark": None},
    LEAST: {"direction": "egress", "min_kbps": None},
}
"""What each type of a rule says; None: it has to be said."""
MARKS = (0, *range(8, 41, 2), 44, 46, 48, 56)


def _refuse_unloaded(sim: Sim) -> None:
    if EXTENSION in sim.settings.lacks:
        raise neutron_error(404, "HTTPNotFound", "The resource could not be found.")


def policies(sim: Sim, ask: Ask) -> Answer:
    """Of the project and shared ones; all to administrators."""
    _refuse_unloaded(sim)
    rows = [row for row in sim.state.qos_policies.values() if policy.visible(ask, row)]
    for name in ("id", "name", "project_id"):
        if name in ask.query:
            rows = [row for row in rows if row[name] in ask.query[name]]
    return ok({"policies": rows})


def find(sim: Sim, ask: Ask, policy_id: str) -> Row:
    _refuse_unloaded(sim)
    row = sim.state.qos_policies.get(policy_id)
    if row is None or not policy.visible(ask, row):
        raise neutron_error(404, "QosPolicyNotFound", f"QoS policy {policy_id} could not be found.")
    return row


def one(sim: Sim, ask: Ask) -> Answer:
    return ok({"policy": find(sim, ask, ask.ids["id"])})


def _admins_only(ask: Ask, rule: str) -> None:
    if not ask.account.is_admin:
        raise neutron_error(403, "PolicyNotAuthorized", f"(rule:{rule} is disallowed by policy)")


def create(sim: Sim, ask: Ask) -> Answer:
    """For administrators."""
    _refuse_unloaded(sim)
    _admins_only(ask, "create_policy")
    fields = ask.body["policy"]
    project = str(fields.get("project_id") or ask.account.project_id)
    row = {**new_row(sim, project, fields), "shared": bool(fields.get("shared", False))}
    row |= {"is_default": bool(fields.get("is_default", False)), "rules": []}
    sim.state.qos_policies[row["id"]] = row
    return ok({"policy": row}, 201)


def update(sim: Sim, ask: Ask) -> Answer:
    """For administrators."""
    row = find(sim, ask, ask.ids["id"])
    _admins_only(ask, "update_policy")
    allowed = ("name", "description", "shared", "is_default")
    if unknown := sorted(set(ask.body["policy"]) - set(allowed)):
        raise neutron_error(400, "HTTPBadRequest", f"Cannot update read-only attribute {', '.join(unknown)}")
    row |= ask.body["policy"]
    return ok({"policy": row})


def delete(sim: Sim, ask: Ask) -> Answer:
    """409 while something has it."""
    row = find(sim, ask, ask.ids["id"])
    _admins_only(ask, "delete_policy")
    users = [*sim.state.ports.values(), *sim.state.networks.values()]
    if any(user.get("qos_policy_id") == row["id"] for user in users):
        raise neutron_error(409, "QosPolicyInUse", f"QoS Policy {row['id']} is used by a port or network.")
    del sim.state.qos_policies[row["id"]]
    return Answer(204)


def refuse_unknown(sim: Sim, ask: Ask, fields: Row) -> None:
    """404 for a port or network with a policy that the caller does not see."""
    if fields.get("qos_policy_id"):
        find(sim, ask, str(fields["qos_policy_id"]))


def _type_of(ask: Ask) -> str:
    kind = ask.ids["rules"].removesuffix("_rules")
    if kind not in DEFAULTS:
        raise neutron_error(404, "HTTPNotFound", "The resource could not be found.")
    return kind


def _checked(kind: str, fields: Row) -> None:
    """400 for what is missing, unknown or no number of its kind."""
    for name, value in fields.items():
        right = value in ("egress", "ingress") if name == "direction" else type(value) is int and value >= 0
        if name not in DEFAULTS[kind] or not right or (name == "dscp_mark" and value not in MARKS):
            said = f"Invalid input for {name}. Reason: '{value}' is not in valid_values."
            raise neutron_error(400, "HTTPBadRequest", said)


def refuse_conflict(found: Row, rule: Row) -> None:
    """409 for a second rule of a type and direction, and for a minimum above the limit."""
    for other in found["rules"]:
        if other["id"] == rule["id"]:
            continue
        alike = other.get("direction") == rule.get("direction")
        if other["type"] == rule["type"] and alike:
            said = f"Rule {rule['type']} conflicts with rule {other['id']} which already exists in QoS Policy"
            raise neutron_error(409, "QoSRulesConflict", f"{said} {found['id']}.")
        least, limit = (rule, other) if rule["type"] == LEAST else (other, rule)
        if (
            (least["type"], limit["type"]) == (LEAST, LIMIT)
            and alike
            and least["min_kbps"] > limit["max_kbps"]
        ):
            said = "Unable to add the rule with value: the minimum is greater than the maximum"
            raise neutron_error(409, "QoSRuleParameterConflict", f"{said} of QoS Policy {found['id']}.")


def add_rule(sim: Sim, ask: Ask) -> Answer:
    """For administrators."""
    found, kind = find(sim, ask, ask.ids["id"]), _type_of(ask)
    _admins_only(ask, f"create_policy_{kind}_rule")
    fields = ask.body[f"{kind}_rule"]
    _checked(kind, fields)
    rule = {"id": new_id(), "qos_policy_id": found["id"], "type": kind} | DEFAULTS[kind] | fields
    if missing := [name for name, value in rule.items() if value is None]:
        said = f"Failed to parse request. Required attribute '{missing[0]}' not specified."
        raise neutron_error(400, "HTTPBadRequest", said)
    refuse_conflict(found, rule)
    found["rules"].append(rule)
    return ok({f"{kind}_rule": {k: v for k, v in rule.items() if k not in ("qos_policy_id", "type")}}, 201)


def _rule(found: Row, ask: Ask, kind: str) -> Row:
    for rule in found["rules"]:
        if (rule["id"], rule["type"]) == (ask.ids["rule"], kind):
            return dict(rule)
    said = f"QoS rule {ask.ids['rule']} for policy {found['id']} could not be found."
    raise neutron_error(404, "QosRuleNotFound", said)


def change_rule(sim: Sim, ask: Ask) -> Answer:
    """For administrators."""
    found, kind = find(sim, ask, ask.ids["id"]), _type_of(ask)
    _admins_only(ask, f"update_policy_{kind}_rule")
    fields = ask.body[f"{kind}_rule"]
    _checked(kind, fields)
    rule = _rule(found, ask, kind) | fields
    refuse_conflict(found, rule)
    found["rules"] = [rule if other["id"] == rule["id"] else other for other in found["rules"]]
    return ok({f"{kind}_rule": {k: v for k, v in rule.items() if k not in ("qos_policy_id", "type")}})


def delete_rule(sim: Sim, ask: Ask) -> Answer:
    """For administrators."""
    found, kind = find(sim, ask, ask.ids["id"]), _type_of(ask)
    _admins_only(ask, f"delete_policy_{kind}_rule")
    gone = _rule(found, ask, kind)
    found["rules"] = [other for other in found["rules"] if other["id"] != gone["id"]]
    return Answer(204)


ROUTES = (
    Route("GET", "/qos/policies", policies),
    Route("POST", "/qos/policies", create),
    Route("GET", "/qos/policies/{id}", one),
    Route("PUT", "/qos/policies/{id}", update),
    Route("DELETE", "/qos/policies/{id}", delete),
    Route("POST", "/qos/policies/{id}/{rules}", add_rule),
    Route("PUT", "/qos/policies/{id}/{rules}/{rule}", change_rule),
    Route("DELETE", "/qos/policies/{id}/{rules}/{rule}", delete_rule),
)
