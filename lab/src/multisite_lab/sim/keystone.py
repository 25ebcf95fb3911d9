"""Keystone: versions, tokens by password, the catalog (Identity API reference v3)."""

from __future__ import annotations

import uuid
from typing import Any

from multisite_lab.sim.clock import nova_time
from multisite_lab.sim.model import Account, Row, Sim
from multisite_lab.sim.wire import Answer, Ask, Route, keystone_error, ok, unauthorized

DOMAIN = {"id": "default", "name": "Default"}
CATALOG = {
    "identity": "identity",
    "compute": "compute/v2.1",
    "block-storage": "volume/v3",
    "network": "network",
    "image": "image",
    "placement": "placement",
}


def versions(_sim: Sim, ask: Ask) -> Answer:
    """``GET /``: 300 with all versions."""
    return ok({"versions": {"values": [_v3(ask)]}}, 300)


def version(_sim: Sim, ask: Ask) -> Answer:
    return ok({"version": _v3(ask)})


def _v3(ask: Ask) -> Row:
    link = {"rel": "self", "href": f"{ask.base}/v3/"}
    media = {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}
    return {"id": "v3.14", "status": "stable", "links": [link], "media-types": [media]}


def log_in(sim: Sim, ask: Ask) -> Answer:
    """``POST /v3/auth/tokens`` by password, scoped to a project."""
    account = _account(sim, ask.body)
    token = uuid.uuid4().hex
    expires = sim.now + sim.settings.token_hours * 3600
    sim.state.tokens[token] = (account, expires)
    root = ask.base.rpartition("/")[0]
    body = {
        "token": {
            "methods": ["password"],
            "issued_at": nova_time(sim.now),
            "expires_at": nova_time(expires),
            "user": {"id": account.user_id, "name": account.user_name, "domain": DOMAIN},
            "project": {"id": account.project_id, "name": account.project_name, "domain": DOMAIN},
            "roles": [{"id": role, "name": role} for role in account.roles],
            "catalog": [_entry(sim, kind, f"{root}/{path}") for kind, path in _catalog(sim).items()],
        }
    }
    return Answer(201, body, {"X-Subject-Token": token})


def _catalog(sim: Sim) -> dict[str, str]:
    return CATALOG | ({"dns": "dns"} if sim.settings.dns else {})


def _account(sim: Sim, body: Any) -> Account:
    try:
        user = body["auth"]["identity"]["password"]["user"]
        project = body["auth"].get("scope", {}).get("project", {})
    except (KeyError, TypeError, AttributeError):
        raise keystone_error(400, "Bad Request", "Invalid input for field 'auth'") from None
    for account in sim.accounts:
        named = user.get("name") == account.user_name or user.get("id") == account.user_id
        scoped = project.get("name") == account.project_name or project.get("id") == account.project_id
        if named and scoped and user.get("password") == account.password:
            return account
    raise unauthorized()


def _entry(sim: Sim, kind: str, url: str) -> Row:
    """Of all regions; those beside the site's own have no identity, and nobody answers for them."""
    elsewhere = () if kind == "identity" else sim.settings.other_regions
    urls = {sim.region: url} | dict.fromkeys(elsewhere, "http://127.0.0.1:9/")
    endpoints = [
        {"id": f"{kind}-{region}", "interface": "public", "region": region, "region_id": region, "url": url}
        for region, url in urls.items()
    ]
    return {"id": kind, "type": kind, "name": kind, "endpoints": endpoints}


def who(sim: Sim, token: str | None) -> Account:
    """The account of a token; 401 as keystonemiddleware says it when it is unknown or over."""
    known = sim.state.tokens.get(token or "")
    if known is None or known[1] <= sim.now:
        raise unauthorized()
    return known[0]


def role_assignments(sim: Sim, ask: Ask) -> Answer:
    """Of a project, with names; for administrators."""
    if not ask.account.is_admin:
        raise keystone_error(403, "Forbidden", "You are not authorized to perform the requested action.")
    project = ask.one("scope.project.id")
    rows = [
        {
            "role": {"id": role, "name": role},
            "user": {"id": account.user_id, "name": account.user_name, "domain": DOMAIN},
            "scope": {"project": {"id": account.project_id, "name": account.project_name, "domain": DOMAIN}},
        }
        for account in sim.accounts
        if account.project_id == project
        for role in account.roles
    ]
    return ok({"role_assignments": rows})


WITHOUT_TOKEN = frozenset({"/", "/v3", "/v3/auth/tokens"})
ROUTES = (
    Route("GET", "/v3/role_assignments", role_assignments),
    Route("GET", "/", versions),
    Route("GET", "/v3", version),
    Route("POST", "/v3/auth/tokens", log_in),
)
