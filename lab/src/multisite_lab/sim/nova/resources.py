"""Nova: flavors, key pairs, server groups, zones and services (Compute API reference)."""

from __future__ import annotations

import hashlib
from typing import Any

from multisite_lab.sim import quotas
from multisite_lab.sim.model import Row, Sim, new_id
from multisite_lab.sim.wire import Answer, Ask, Route, fault, ok, page, required


def _admins_only(ask: Ask, rule: str) -> None:
    if not ask.account.is_admin:
        raise fault(403, f"Policy doesn't allow os_compute_api:{rule} to be performed.")


ACCESS = "_access"
"""Of a flavor, not shown: the projects that may use a private one (os-flavor-access)."""


def make_flavor(sim: Sim, fields: Row) -> Row:
    row: Row = {
        "id": str(fields.get("id") or new_id()),
        "name": str(fields["name"]),
        "vcpus": int(fields["vcpus"]),
        "ram": int(fields["ram"]),
        "disk": int(fields["disk"]),
        "OS-FLV-EXT-DATA:ephemeral": int(fields.get("OS-FLV-EXT-DATA:ephemeral") or 0),
        "swap": int(fields.get("swap") or 0),
        "rxtx_factor": 1.0,
        "os-flavor-access:is_public": fields.get("os-flavor-access:is_public", True),
        "OS-FLV-DISABLED:disabled": False,
        "description": fields.get("description"),
        "extra_specs": {},
        "links": [],
    }
    sim.state.flavors[row["id"]] = row
    return row


def _flavor(row: Row, ask: Ask) -> Row:
    """Description from 2.55, extra specs from 2.61; no swap is "" before 2.75."""
    shown = {k: v for k, v in row.items() if k != ACCESS}
    if ask.version < (2, 55):
        del shown["description"]
    if ask.version < (2, 61):
        del shown["extra_specs"]
    if ask.version < (2, 75) and not shown["swap"]:
        shown["swap"] = ""
    return shown


def usable(ask: Ask, row: Row) -> bool:
    """Private ones are for administrators and the projects they name."""
    return ask.account.is_admin or _for_project(ask, row)


def _for_project(ask: Ask, row: Row) -> bool:
    return bool(row["os-flavor-access:is_public"]) or ask.account.project_id in row.get(ACCESS, ())


def flavors(sim: Sim, ask: Ask) -> Answer:
    """``is_public`` is for administrators (None: all of both); without it they are shown what their project may use."""
    everything = (
        ask.account.is_admin and str(ask.one("is_public")).lower() == "none" and "is_public" in ask.query
    )
    rows = [_flavor(row, ask) for row in sim.state.flavors.values() if everything or _for_project(ask, row)]
    return page(ask, "flavors", rows, sim.settings.page)


def flavor(sim: Sim, ask: Ask) -> Answer:
    return ok({"flavor": _flavor(_known_flavor(sim, ask), ask)})


def _known_flavor(sim: Sim, ask: Ask) -> Row:
    row = sim.state.flavors.get(ask.ids["id"])
    if row is None or not usable(ask, row):
        raise fault(404, f"Flavor {ask.ids['id']} could not be found.")
    return row


def create_flavor(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "os-flavor-manage:create")
    wanted = required(ask.body, "flavor")
    for name in ("name", "vcpus", "ram", "disk"):
        if name not in wanted:
            raise fault(400, f"Invalid input for field/attribute flavor. '{name}' is a required property")
    if int(wanted["ram"]) < 1 or int(wanted["vcpus"]) < 1:
        raise fault(400, "Invalid input for field/attribute ram or vcpus. 0 is less than the minimum of 1")
    if any(row["name"] == wanted["name"] for row in sim.state.flavors.values()):
        raise fault(409, f"Flavor with name {wanted['name']} already exists.")
    return ok({"flavor": _flavor(make_flavor(sim, wanted), ask)})


def add_specs(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "os-flavor-extra-specs:create")
    row = _known_flavor(sim, ask)
    row["extra_specs"] = {**row["extra_specs"], **required(ask.body, "extra_specs")}
    return ok({"extra_specs": row["extra_specs"]})


def delete_spec(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "os-flavor-extra-specs:delete")
    row, key = _known_flavor(sim, ask), ask.ids["key"]
    if key not in row["extra_specs"]:
        raise fault(404, f"Flavor {row['id']} has no extra specs with key {key}.")
    row["extra_specs"] = {k: v for k, v in row["extra_specs"].items() if k != key}
    return ok({})


def update_flavor(sim: Sim, ask: Ask) -> Answer:
    """Its description, and nothing else (from 2.55)."""
    _admins_only(ask, "os-flavor-manage:update")
    if ask.version < (2, 55):
        raise fault(404, "The resource could not be found.")
    row, wanted = _known_flavor(sim, ask), required(ask.body, "flavor")
    if set(wanted) != {"description"}:
        raise fault(400, "Invalid input for field/attribute flavor. Additional properties are not allowed")
    row["description"] = wanted["description"]
    return ok({"flavor": _flavor(row, ask)})


def access(sim: Sim, ask: Ask) -> Answer:
    """Of a private flavor; Nova answers 404 for a public one."""
    _admins_only(ask, "os-flavor-access")
    row = _known_flavor(sim, ask)
    if row["os-flavor-access:is_public"]:
        raise fault(404, "Access list not available for public flavors.")
    rows = [{"flavor_id": row["id"], "tenant_id": project} for project in row.get(ACCESS, ())]
    return ok({"flavor_access": rows})


def flavor_action(sim: Sim, ask: Ask) -> Answer:
    """Access to a private flavor, given and taken (nova/api/openstack/compute/flavor_access.py)."""
    name = next(iter(ask.body), "")
    if name not in ("addTenantAccess", "removeTenantAccess"):
        raise fault(400, f"There is no such action: {name}")
    adds = name == "addTenantAccess"
    _admins_only(ask, f"os-flavor-access:{'add' if adds else 'remove'}_tenant_access")
    project = str(required(ask.body, name).get("tenant"))
    if project not in {account.project_id for account in sim.accounts}:
        raise fault(400, f"Project ID {project} is not a valid project.")
    row = _known_flavor(sim, ask)
    known = tuple(row.get(ACCESS, ()))
    if adds and row["os-flavor-access:is_public"]:
        raise fault(409, "Can not add access to a public flavor.")
    if adds and project in known:
        raise fault(
            409, f"Flavor access already exists for flavor {row['id']} and project {project} combination."
        )
    if not adds and project not in known:
        raise fault(404, f"Flavor access not found for {row['id']} / {project} combination.")
    row[ACCESS] = (*known, project) if adds else tuple(one for one in known if one != project)
    return ok({"flavor_access": [{"flavor_id": row["id"], "tenant_id": one} for one in row[ACCESS]]})


def delete_flavor(sim: Sim, ask: Ask) -> Answer:
    """Also one that servers have: they keep theirs."""
    _admins_only(ask, "os-flavor-manage:delete")
    del sim.state.flavors[_known_flavor(sim, ask)["id"]]
    return Answer(202)


# Key pairs belong to users


def _owner(ask: Ask) -> str:
    asked = ask.one("user_id")
    if asked not in (None, ask.account.user_id):
        _admins_only(ask, "os-keypairs:index")
    return asked or ask.account.user_id


def keypairs(sim: Sim, ask: Ask) -> Answer:
    owner = _owner(ask)
    rows = [row for (user, _), row in sim.state.keypairs.items() if user == owner]
    shown = page(ask, "keypairs", rows, sim.settings.page, identity="name").body
    shown["keypairs"] = [{"keypair": row} for row in shown["keypairs"]]
    return ok(shown)


def keypair(sim: Sim, ask: Ask) -> Answer:
    owner, name = _owner(ask), ask.ids["name"]
    row = sim.state.keypairs.get((owner, name))
    if row is None:
        raise fault(404, f"Keypair {name} not found for user {owner}")
    return ok({"keypair": {**row, "user_id": owner, "deleted": False, "id": 1}})


def create_keypair(sim: Sim, ask: Ask) -> Answer:
    """201 from 2.2 on; from 2.10 on administrators make those of others."""
    wanted = required(ask.body, "keypair")
    owner = str(wanted.get("user_id") or ask.account.user_id)
    if owner != ask.account.user_id:
        _admins_only(ask, "os-keypairs:create")
    name, key = str(wanted.get("name")), str(wanted.get("public_key") or "")
    if len(key.split()) < 2 or not key.startswith(("ssh-", "ecdsa-")):
        raise fault(400, "Keypair data is invalid: failed to generate fingerprint")
    if (owner, name) in sim.state.keypairs:
        raise fault(409, f"Key pair '{name}' already exists.")
    own = sum(user == owner for user, _ in sim.state.keypairs)
    quotas.refuse_beyond(sim, "key_pairs", own + 1)
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    fingerprint = ":".join(digest[i : i + 2] for i in range(0, 32, 2))
    row = {"name": name, "public_key": key, "fingerprint": fingerprint, "type": wanted.get("type") or "ssh"}
    sim.state.keypairs[owner, name] = row
    return ok({"keypair": {**row, "user_id": owner}}, 201)


def delete_keypair(sim: Sim, ask: Ask) -> Answer:
    keypair(sim, ask)
    del sim.state.keypairs[_owner(ask), ask.ids["name"]]
    return Answer(204)


# Server groups


def server_groups(sim: Sim, ask: Ask) -> Answer:
    every = ask.account.is_admin and "all_projects" in ask.query
    rows = sim.state.server_groups.values()
    return ok({"server_groups": [r for r in rows if every or r["project_id"] == ask.account.project_id]})


def _known_group(sim: Sim, ask: Ask) -> Row:
    row = sim.state.server_groups.get(ask.ids["id"])
    if row is None:
        raise fault(404, f"Instance group {ask.ids['id']} could not be found.")
    if row["project_id"] != ask.account.project_id:
        _admins_only(ask, "os-server-groups:show")
    return row


def server_group(sim: Sim, ask: Ask) -> Answer:
    return ok({"server_group": _known_group(sim, ask)})


def create_server_group(sim: Sim, ask: Ask) -> Answer:
    """From 2.64 one ``policy``; before, a list of them."""
    wanted = required(ask.body, "server_group")
    policy: Any = wanted.get("policy") if ask.version >= (2, 64) else (wanted.get("policies") or [None])[0]
    if policy not in ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"):
        raise fault(400, f"Invalid input for field/attribute policy. Value: {policy}.")
    quotas.refuse_nova(sim, ask, server_groups=1)
    row: Row = {
        "id": new_id(),
        "name": str(wanted["name"]),
        "policy": policy,
        "rules": {},
        "members": [],
        "project_id": ask.account.project_id,
        "user_id": ask.account.user_id,
    }
    sim.state.server_groups[row["id"]] = row
    return ok({"server_group": row})


def delete_server_group(sim: Sim, ask: Ask) -> Answer:
    del sim.state.server_groups[_known_group(sim, ask)["id"]]
    return Answer(204)


def hosts(sim: Sim) -> dict[str, str]:
    """Zone of each compute host."""
    return sim.settings.hosts or {sim.name: "nova"}


def zones(sim: Sim, _ask: Ask) -> Answer:
    names = dict.fromkeys(hosts(sim).values())
    rows = [{"zoneName": name, "zoneState": {"available": True}, "hosts": None} for name in names]
    return ok({"availabilityZoneInfo": rows})


def services(sim: Sim, ask: Ask) -> Answer:
    _admins_only(ask, "os-services:list")
    found = [("nova-conductor", sim.name, "internal"), ("nova-scheduler", sim.name, "internal")]
    found += [("nova-compute", host, zone) for host, zone in hosts(sim).items()]
    rows = [
        {"id": n, "binary": binary, "host": host, "zone": zone, "status": "enabled", "state": "up"}
        for n, (binary, host, zone) in enumerate(found, start=1)
        if ask.one("binary") in (None, binary)
    ]
    return ok({"services": rows})


ROUTES = (
    Route("GET", "/flavors/detail", flavors),
    Route("GET", "/flavors", flavors),
    Route("POST", "/flavors", create_flavor),
    Route("GET", "/flavors/{id}", flavor),
    Route("PUT", "/flavors/{id}", update_flavor),
    Route("DELETE", "/flavors/{id}", delete_flavor),
    Route("POST", "/flavors/{id}/os-extra_specs", add_specs),
    Route("DELETE", "/flavors/{id}/os-extra_specs/{key}", delete_spec),
    Route("POST", "/flavors/{id}/action", flavor_action),
    Route("GET", "/flavors/{id}/os-flavor-access", access),
    Route("GET", "/os-keypairs", keypairs),
    Route("POST", "/os-keypairs", create_keypair),
    Route("GET", "/os-keypairs/{name}", keypair),
    Route("DELETE", "/os-keypairs/{name}", delete_keypair),
    Route("GET", "/os-server-groups", server_groups),
    Route("POST", "/os-server-groups", create_server_group),
    Route("GET", "/os-server-groups/{id}", server_group),
    Route("DELETE", "/os-server-groups/{id}", delete_server_group),
    Route("GET", "/os-availability-zone", zones),
    Route("GET", "/os-services", services),
)
