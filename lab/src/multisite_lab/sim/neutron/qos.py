"""Neutron: QoS policies, which ports and networks refer to (neutron/services/qos, neutron/conf/policies/qos.py).

Left out: their rules.
"""

from __future__ import annotations

from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.neutron import policy
from multisite_lab.sim.neutron.ipam import new_row
from multisite_lab.sim.wire import Answer, Ask, Route, neutron_error, ok

EXTENSION = "qos"


def _refuse_unloaded(sim: Sim) -> None:
    if EXTENSION in sim.settings.lacks:
        raise neutron_error(404, "HTTPNotFound", "The resource could not be found.")


def policies(sim: Sim, ask: Ask) -> Answer:
    """Of the project and shared ones; all to administrators."""
    _refuse_unloaded(sim)
    rows = [row for row in sim.state.qos_policies.values() if policy.visible(ask, row)]
    for name in ("id", "name"):
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


def create(sim: Sim, ask: Ask) -> Answer:
    """For administrators."""
    _refuse_unloaded(sim)
    if not ask.account.is_admin:
        said = "(rule:create_policy is disallowed by policy)"
        raise neutron_error(403, "PolicyNotAuthorized", said)
    fields = ask.body["policy"]
    project = str(fields.get("project_id") or ask.account.project_id)
    row = {**new_row(sim, project, fields), "shared": bool(fields.get("shared", False))}
    row |= {"is_default": bool(fields.get("is_default", False)), "rules": []}
    sim.state.qos_policies[row["id"]] = row
    return ok({"policy": row}, 201)


def delete(sim: Sim, ask: Ask) -> Answer:
    """409 while something has it."""
    row = find(sim, ask, ask.ids["id"])
    users = [*sim.state.ports.values(), *sim.state.networks.values()]
    if any(user.get("qos_policy_id") == row["id"] for user in users):
        raise neutron_error(409, "QosPolicyInUse", f"QoS Policy {row['id']} is used by a port or network.")
    del sim.state.qos_policies[row["id"]]
    return Answer(204)


def refuse_unknown(sim: Sim, ask: Ask, fields: Row) -> None:
    """404 for a port or network with a policy that the caller does not see."""
    if fields.get("qos_policy_id"):
        find(sim, ask, str(fields["qos_policy_id"]))


ROUTES = (
    Route("GET", "/qos/policies", policies),
    Route("POST", "/qos/policies", create),
    Route("GET", "/qos/policies/{id}", one),
    Route("DELETE", "/qos/policies/{id}", delete),
)
