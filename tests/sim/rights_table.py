"""Every parameter of the API: what it names, and how it is asked with a thing that is another project's.

The test derives the parameters from the API's document; one without a row here, or in ``parameters.py``, fails it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multisite_lab.sim.model import Row
from multisite_lab.sim.neutron.policy import GRANTED
from multisite_lab.sim.nova.resources import ACCESS, make_flavor
from tests.sim import deploy
from tests.sim.parameters import NOUNS
from tests.sim.tenants import ADDRESSES, ALICE, SITE, SITES, TARGET, Tenants

Request = tuple[str, str, Any, Any]
"""Method, path, body, query."""


@dataclass(frozen=True)
class Case:
    """A parameter that names a thing.  ``asks``: the request of bob with ``x`` in it.

    ``things``: what ``x`` may be: ``own``, ``shared`` and ``granted`` are accepted, ``another's`` is as ``nowhere``.
    ``chooses``: who may choose such a thing anywhere (an administrator's account) learns that it is taken.
    """

    asks: Callable[[Tenants, str], Request]
    things: Callable[[Tenants], Mapping[str, str]]
    chooses: bool = False


def nowhere() -> str:
    return str(uuid.uuid4())


def _members(made: Tenants, use: str) -> list[Row]:
    return [{"site": s, "port": made.bob.made[f"{use}-port", s]} for s in SITES]


def _address(made: Tenants, **fields: Any) -> Request:
    """Of the free ports; ``port`` or ``network`` of the second member, or another ``address``."""
    members = _members(made, "free")
    members[1] |= {k: v for k, v in fields.items() if k in ("port", "network")}
    body = {"name": f"n{uuid.uuid4().hex[:8]}", "address": fields.get("address", "203.0.113.81")}
    return "POST", "/v1/addresses", body | {"members": members, "active": SITE, "probe": "none"}, None


def _image(_made: Tenants, image: str) -> Request:
    return (
        "POST",
        "/v1/image-replications",
        {"image": image, "source_site": SITE, "target_sites": [TARGET]},
        None,
    )


def _path(made: Tenants, **fields: Any) -> Request:
    ends = _members(made, "free")
    ends[1] |= fields
    body = {"name": f"n{uuid.uuid4().hex[:8]}", "ends": ends, "protocol": "udp", "port": 6000}
    return "POST", "/v1/paths", body, None


def _recovery(verb: str, rule: str) -> Callable[[Tenants, str], Request]:
    source = {"networks": "bob-app-data", "security_groups": "bob-app-data", "flavors": "t128",
              "keypairs": "bob-app", "server_groups": "bob-app", "qos_policies": "bob-policy",
              "projects": "project-of-bob"}  # fmt: skip

    def asks(made: Tenants, x: str) -> Request:
        mapping = {
            "create_missing_flavors": rule != "flavors", "source_is_fenced": True, "keep_addresses": rule != "networks",
            rule: {source[rule]: x},
        }  # fmt: skip
        body = {"restore_point": made.bob.made["restore-points"], "target_site": TARGET, "mapping": mapping}
        # A recovery of an earlier case is done: its copy is given up.
        started = {"confirm": "bob-app", "supersede": True}
        return "POST", f"/v1/recoveries{verb}", body if verb else body | started, None

    return asks


def _routing(verb: str, rule: str) -> Callable[[Tenants, str], Request]:
    """Of its router and floating IP, whose address the site has chosen."""

    def asks(made: Tenants, x: str) -> Request:
        names = {"routers": "bob-router", "external_networks": "public"}
        source = names.get(rule) or made.bob.made["floating-address"]
        mapping = {"create_missing_flavors": True, "source_is_fenced": True, rule: {source: x}}
        body = {"restore_point": made.bob.made["restore-points"], "target_site": TARGET, "mapping": mapping}
        started = {"confirm": "bob-app", "supersede": True}
        return "POST", f"/v1/recoveries{verb}", body if verb else body | started, None

    return asks


def _drill(rule: str) -> Callable[[Tenants, str], Request]:
    """The mapping of a recovery, in a drill."""
    of_routers = rule in ("routers", "external_networks", "floating_ips")
    recovery = (_routing if of_routers else _recovery)("/preview", rule)

    def asks(made: Tenants, x: str) -> Request:
        return "POST", "/v1/drills", recovery(made, x)[2], None

    return asks


def _others(things: Callable[[Tenants], Mapping[str, str]]) -> Callable[[Tenants], Mapping[str, str]]:
    """What is another's and what is not there: a drill makes networks and groups of its own."""
    return lambda made: {what: x for what, x in things(made).items() if what in ("another's", "nowhere")}


def _policies(made: Tenants) -> Mapping[str, str]:
    """A new one of each."""
    things = {"nowhere": nowhere()}
    for what, who in (("own", made.bob), ("another's", made.alice)):
        status, answer = made.ask(who, "POST", "/v1/policies", {"name": f"n{uuid.uuid4().hex[:8]}"})
        assert status == 201, answer
        things[what] = answer["id"]
    return things


def _plans(made: Tenants) -> Mapping[str, str]:
    """A new one of each tenant, for its application."""
    things = {"nowhere": nowhere()}
    for what, who in (("own", made.bob), ("another's", made.alice)):
        mapping = {"create_missing_flavors": True}
        wanted = {"name": f"n{uuid.uuid4().hex[:8]}", "target_site": TARGET, "mapping": mapping}
        body = wanted | {"application": who.made["applications"]}
        status, answer = made.ask(who, "POST", "/v1/recovery-plans", body)
        assert status == 201, answer
        things[what] = answer["id"]
    return things


def _by_plan(path: str) -> Callable[[Tenants, str], Request]:
    """By a plan alone, with nothing vouched for."""

    def asks(made: Tenants, x: str) -> Request:
        body = {"restore_point": made.bob.made["restore-points"], "plan": x}
        started = {"confirm": "bob-app", "supersede": True} if path == "/v1/recoveries" else {}
        return "POST", path, body | started, None

    return asks


def _plan_of(field: str) -> Callable[[Tenants, str], Request]:
    """A plan for another application."""

    def asks(_made: Tenants, x: str) -> Request:
        body = {"name": f"n{uuid.uuid4().hex[:8]}", "target_site": TARGET, field: x}
        return "POST", "/v1/recovery-plans", body, None

    return asks


def _point(verb: str) -> Callable[[Tenants, str], Request]:
    def asks(_made: Tenants, x: str) -> Request:
        body = {"restore_point": x, "target_site": TARGET, "mapping": {"source_is_fenced": True}}
        return "POST", f"/v1/recoveries{verb}", body if verb else body | {"confirm": "n"}, None

    return asks


def _application(_made: Tenants, x: str) -> Request:
    return "POST", "/v1/applications", {"name": "n", "site": SITE, "servers": [{"id": x}]}, None


def _second_server(made: Tenants, x: str) -> Request:
    servers = [{"id": made.bob.made["server"]}, {"id": x}]
    return "POST", "/v1/applications", {"name": "n", "site": SITE, "servers": servers}, None


def _ids(key: Any) -> Callable[[Tenants], Mapping[str, str]]:
    def things(made: Tenants) -> Mapping[str, str]:
        return {"own": made.bob.made[key], "another's": made.alice.made[key], "nowhere": nowhere()}

    return things


def _names(text: str) -> Callable[[Tenants], Mapping[str, str]]:
    return lambda _made: {
        w: text.format(n) for w, n in (("own", "bob"), ("another's", "alice"), ("nowhere", "nobo"))
    }


def _networks(made: Tenants) -> Mapping[str, str]:
    """At the target: an administrator's for all, and alice's for bob alone."""
    rows = made.world.sites[TARGET].sim.state.networks
    cloud = made.services.paths._clouds.open_for_service(TARGET)
    shared = deploy.network(cloud, "for-all", "10.8.0.0/24")
    granted = deploy.network(cloud, "for-bob", "10.7.0.0/24")
    rows[shared]["shared"], rows[granted][GRANTED] = True, (made.there("bob", TARGET),)
    return {**_ids(("network", TARGET))(made), "shared": shared, "granted": granted}


def _groups(made: Tenants) -> Mapping[str, str]:
    cloud = made.services.paths._clouds.open_for_service(TARGET)
    body = {"security_group": {"name": "for-bob"}}
    granted = deploy.ask(cloud.network, "POST", "/security-groups", body)["security_group"]["id"]
    made.world.sites[TARGET].sim.state.security_groups[granted][GRANTED] = (made.there("bob", TARGET),)
    return {**_ids(("group", TARGET))(made), "granted": granted}


def _flavors(made: Tenants) -> Mapping[str, str]:
    sim = made.world.sites[TARGET].sim

    def flavor(name: str, *projects: str) -> str:
        fields = {"name": f"{name}-{uuid.uuid4().hex[:4]}", "vcpus": 1, "ram": 128, "disk": 1}
        row = make_flavor(sim, fields | {"os-flavor-access:is_public": name == "for-all"})
        row[ACCESS] = projects
        return str(row["id"])

    alices, bobs = made.there("alice", TARGET), made.there("bob", TARGET)
    return {"shared": flavor("for-all"), "granted": flavor("for-bob", bobs),
            "another's": flavor("alice-only", alices), "nowhere": nowhere()}  # fmt: skip


def _server_groups(made: Tenants) -> Mapping[str, str]:
    rows = made.world.sites[TARGET].sim.state.server_groups
    found = {"nowhere": nowhere()}
    for what, name in (("own", "bob"), ("another's", "alice")):
        row: Row = {"id": nowhere(), "name": f"{name}-apart", "policy": "soft-affinity"}
        row |= {"rules": {}, "members": [], "project_id": made.there(name, TARGET)}
        rows[row["id"]] = row | {"user_id": _user(made, name)}
        found[what] = row["id"]
    return found


def _qos_policies(made: Tenants) -> Mapping[str, str]:
    cloud = made.services.paths._clouds.open_for_service(TARGET)
    found = {"nowhere": nowhere()}
    for what, fields in (
        ("own", {"project_id": made.there("bob", TARGET)}),
        ("another's", {"project_id": made.there("alice", TARGET)}),
        ("shared", {"shared": True}),
    ):
        body = {"policy": {"name": "alice-policy" if what == "another's" else "bob-policy", **fields}}
        found[what] = deploy.ask(cloud.network, "POST", "/qos/policies", body)["policy"]["id"]
    return found


def _projects(made: Tenants) -> Mapping[str, str]:
    return {"own": made.there("bob", TARGET), "another's": made.there("alice", TARGET),
            "nowhere": uuid.uuid4().hex}  # fmt: skip


def _keypairs(made: Tenants) -> Mapping[str, str]:
    """Those of the service's account are for all it works for; alice's own user has one, too."""
    sim = made.world.sites[TARGET].sim
    ours = next(a for a in sim.accounts if a.user_name == "operator")
    for user, name in ((ours.user_id, "for-all"), (_user(made, "alice"), "alice-key")):
        sim.state.keypairs[user, name] = {
            "name": name, "public_key": deploy.PUBLIC_KEY, "fingerprint": "0", "type": "ssh"
        }  # fmt: skip
    return {"shared": "for-all", "another's": "alice-key", "nowhere": "nowhere-key"}


def _user(made: Tenants, name: str) -> str:
    return next(a.user_id for a in made.world.sites[TARGET].sim.accounts if a.user_name == name)


def _externals(made: Tenants) -> Mapping[str, str]:
    shared = made.bob.made["external", TARGET]
    return {"shared": shared, "another's": made.alice.made["network", TARGET], "nowhere": nowhere()}


def _addresses(_made: Tenants) -> Mapping[str, str]:
    return {"own": "203.0.113.81", "another's": "203.0.113.71", "nowhere": "203.0.113.99"}


def _moving_addresses(_made: Tenants) -> Mapping[str, str]:
    """Alice's moving address, which is bound."""
    return {"another's": ADDRESSES[ALICE], "nowhere": "203.0.113.98"}


def _query(path: str, name: str, key: str) -> tuple[str, Case]:
    return f"GET {path} query:{name}", Case(lambda _made, x: ("GET", path, None, {name: x}), _ids(key))


CASES: Mapping[str, Case] = {
    "POST /v1/applications body.servers[].id": Case(_application, _ids("server")),
    "POST /v1/applications body.servers[].id (second)": Case(_second_server, _ids("server")),
    "POST /v1/applications body.metadata_tag": Case(
        lambda _made, x: ("POST", "/v1/applications", {"name": "n", "site": SITE, "metadata_tag": x}, None),
        _names("vnf={}-app"),
    ),
    "POST /v1/protections body.application": Case(
        lambda _made, x: ("POST", "/v1/protections", {"application": x, "target_site": TARGET}, None),
        _ids("applications"),
    ),
    "POST /v1/protections body.application (name)": Case(
        lambda _made, x: ("POST", "/v1/protections", {"application": x, "target_site": TARGET}, None),
        _names("{}-app"),
    ),
    "POST /v1/protections/preview body.application": Case(
        lambda _made, x: ("POST", "/v1/protections/preview", {"application": x, "target_site": TARGET}, None),
        _ids("applications"),
    ),
    "POST /v1/protections/preview body.policy": Case(
        lambda made, x: (
            "POST", "/v1/protections/preview", {"application": made.bob.made["applications"], "policy": x}, None
        ),
        _policies,
    ),
    "POST /v1/addresses body.members[].port": Case(
        lambda made, x: _address(made, port=x), _ids(("free-port", TARGET))
    ),
    "POST /v1/addresses body.members[].network": Case(lambda made, x: _address(made, network=x), _externals),
    "POST /v1/addresses body.address": Case(lambda made, x: _address(made, address=x), _addresses, chooses=True),
    "POST /v1/addresses body.address (moving)": Case(
        lambda made, x: _address(made, address=x), _moving_addresses, chooses=True
    ),
    "POST /v1/image-replications body.image": Case(_image, _ids(("free-image", SITE))),
    "POST /v1/image-replications body.image (name)": Case(_image, _names("{}-free-image")),
    "POST /v1/paths body.ends[].port": Case(lambda made, x: _path(made, port=x), _ids(("free-port", TARGET))),
    "POST /v1/paths body.ends[].network": Case(lambda made, x: _path(made, network=x), _externals),
    **{
        f"POST /v1/recoveries{verb} body.mapping.{rule}": Case(_recovery(verb, rule), things)
        for verb in ("/preview", "")
        for rule, things in (
            ("networks", _networks), ("security_groups", _groups), ("flavors", _flavors), ("keypairs", _keypairs),
            ("server_groups", _server_groups), ("qos_policies", _qos_policies), ("projects", _projects),
        )
    },
    **{
        f"POST /v1/recoveries/preview body.mapping.{rule} (name)": Case(_recovery("/preview", rule), _names(name))
        for rule, name in (("networks", "{}-net"), ("security_groups", "{}-group"), ("projects", "{}s"))
    },
    **{
        f"POST /v1/recoveries{verb} body.mapping.{rule}": Case(_routing(verb, rule), things)
        for verb in ("/preview", "")
        for rule, things in (
            ("routers", _ids(("router", TARGET))), ("external_networks", _externals),
            ("floating_ips", _ids(("floating_ip", TARGET, "spare"))),
        )
    },
    **{
        f"POST /v1/drills body.mapping.{rule}": Case(_drill(rule), things)
        for rule, things in (
            ("flavors", _flavors), ("keypairs", _keypairs), ("projects", _projects),
            ("security_groups", _others(_groups)), ("server_groups", _others(_server_groups)),
            ("networks", _others(_networks)),
            ("qos_policies", _others(_qos_policies)),
            ("routers", _others(_ids(("router", TARGET)))), ("external_networks", _others(_externals)),
            ("floating_ips", _others(_ids(("floating_ip", TARGET, "spare")))),
        )
    },
    "POST /v1/drills body.restore_point": Case(
        lambda _made, x: ("POST", "/v1/drills", {"restore_point": x, "target_site": TARGET}, None),
        _ids("restore-points"),
    ),
    "PATCH /v1/protections/{id} body.policy": Case(
        lambda made, x: ("PATCH", f"/v1/protections/{made.bob.made['protections']}", {"policy": x}, None), _policies
    ),
    **{
        f"POST {path} body.plan": Case(_by_plan(path), _plans)
        for path in ("/v1/recoveries/preview", "/v1/recoveries", "/v1/drills")
    },
    "POST /v1/recovery-plans body.application": Case(_plan_of("application"), _ids("applications")),
    "POST /v1/recovery-plans body.application (name)": Case(_plan_of("application"), _names("{}-app")),
    **{
        f"POST /v1/recoveries{verb} body.restore_point": Case(_point(verb), _ids("restore-points"))
        for verb in ("/preview", "")
    },
    **dict(
        _query(f"/v1/{noun}", "marker", noun)
        for noun in NOUNS
        if noun not in ("drills", "policies", "recovery-plans")
    ),
    "GET /v1/drills query:marker": Case(
        lambda _made, x: ("GET", "/v1/drills", None, {"marker": x}), _others(_ids("recoveries"))
    ),
    "GET /v1/recovery-plans query:marker": Case(
        lambda _made, x: ("GET", "/v1/recovery-plans", None, {"marker": x}), _others(_plans)
    ),
    "GET /v1/policies query:marker": Case(
        lambda _made, x: ("GET", "/v1/policies", None, {"marker": x}), _others(_policies)
    ),
    **dict(
        (
            _query("/v1/restore-points", "application", "applications"),
            _query("/v1/jobs", "subject", "applications"),
            _query("/v1/audit", "job", "jobs"),
            _query("/v1/audit", "subject", "protections"),
        )
    ),
}  # fmt: skip
