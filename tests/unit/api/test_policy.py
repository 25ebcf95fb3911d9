"""Who may do what: every rule against every persona, and things of other projects."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from api import networks
from api.conftest import ADMIN, MEMBER, NOBODY, READER, persona
from api.jobs import job
from api.setup import FOREIGN, MINE, Services, operator
from multisite.api.app import create_app
from multisite.api.resources import list_rules
from multisite.jobs.model import JobState

READ, WRITE, ADMIN_ONLY = "read", "write", "admin"
SITE: dict[str, Any] = {"name": "oslo", "cloud": "oslo"}
GRANT: dict[str, Any] = {"project_id": "p-new", "site": "paris", "site_project_id": "p-free"}
APPLICATION: dict[str, Any] = {"name": "hss", "site": "paris", "metadata_tag": "vnf=hss"}
STRETCH: dict[str, Any] = {"name": "core", "sites": ["paris", "lyon"], "cidr": "10.30.0.0/24"}
MEMBERS = [{"site": "paris", "port": "p-1"}, {"site": "lyon", "port": "p-2"}]
ADDRESS: dict[str, Any] = {"name": "sgw", "address": "203.0.113.9", "members": MEMBERS, "active": "paris"}
IMAGE: dict[str, Any] = {"image": "{free images}", "source_site": "paris", "target_sites": ["lyon"]}
SYNC: dict[str, Any] = {
    "name": "mine", "source_site": "paris", "target_sites": ["lyon"], "kinds": ["security-group"]
}  # fmt: skip
EXPORT: dict[str, Any] = {"source_site": "paris", "kinds": ["security-group"]}
QUOTA: dict[str, Any] = {"project_id": "p-new", "sites": ["paris"], "limits": {"cores": 4}}
PATH: dict[str, Any] = {"name": "sync", "ends": MEMBERS, "protocol": "udp", "port": 5000}

PLANES: dict[str, Any] = {"planes": networks.PLANES[:2], "sites": ["paris", "lyon"]}

RECOVERY: dict[str, Any] = {
    "restore_point": "{restore_points}", "target_site": "lyon",
    "mapping": {"source_is_fenced": True, "create_missing_flavors": True},
}  # fmt: skip

PLAN: dict[str, Any] = {"name": "by-night", "application": "mme", "target_site": "lyon"}

# rule -> who, method, path, body; {x} is replaced by the id of the project's thing
ROUTES: dict[str, tuple[str, str, str, dict[str, Any] | None]] = {
    "site:list": (READ, "GET", "/v1/sites", None),
    "site:show": (READ, "GET", "/v1/sites/paris", None),
    "site:register": (ADMIN_ONLY, "POST", "/v1/sites", SITE),
    "site:unregister": (ADMIN_ONLY, "DELETE", "/v1/sites/oslo1", None),
    "project_grant:list": (READ, "GET", "/v1/project-grants", None),
    "project_grant:show": (READ, "GET", "/v1/project-grants/{project_grants}", None),
    "project_grant:create": (ADMIN_ONLY, "POST", "/v1/project-grants", GRANT),
    "project_grant:set_default": (
        ADMIN_ONLY,
        "POST",
        "/v1/project-grants/{project_grants}/set-default",
        None,
    ),
    "project_grant:delete": (ADMIN_ONLY, "DELETE", "/v1/project-grants/{project_grants}", None),
    "site:check": (ADMIN_ONLY, "POST", "/v1/sites/paris/check", None),
    "application:list": (READ, "GET", "/v1/applications", None),
    "application:show": (READ, "GET", "/v1/applications/{applications}", None),
    "application:create": (WRITE, "POST", "/v1/applications", APPLICATION),
    "application:delete": (WRITE, "DELETE", "/v1/applications/{unused applications}", None),
    "plane:list": (READ, "GET", "/v1/applications/{applications}/planes", None),
    "plane:show": (READ, "GET", "/v1/applications/{applications}/planes/mgmt", None),
    "plane:describe": (WRITE, "PUT", "/v1/applications/{applications}/planes", PLANES),
    "plane:preview": (WRITE, "POST", "/v1/applications/{applications}/planes/mgmt/preview", None),
    "plane:realize": (WRITE, "POST", "/v1/applications/{applications}/planes/oam/realize", None),
    "plane:check": (WRITE, "POST", "/v1/applications/{applications}/planes/mgmt/check", None),
    "plane:repair": (WRITE, "POST", "/v1/applications/{applications}/planes/mgmt/repair", None),
    "plane:forget": (
        WRITE,
        "POST",
        "/v1/applications/{applications}/planes/{left planes}/forget",
        {"sites": ["lyon"]},
    ),
    "plane:remove": (WRITE, "DELETE", "/v1/applications/{applications}/planes/mgmt/realization", None),
    "protection:list": (READ, "GET", "/v1/protections", None),
    "protection:show": (READ, "GET", "/v1/protections/{protections}", None),
    "protection:create": (WRITE, "POST", "/v1/protections", {"application": "mme"}),
    "protection:preview": (WRITE, "POST", "/v1/protections/preview", {"application": "mme"}),
    "protection:delete": (WRITE, "DELETE", "/v1/protections/{protections}", None),
    "protection:update": (WRITE, "PATCH", "/v1/protections/{protections}", {"policy": "gold"}),
    "protection:rpo": (READ, "GET", "/v1/protections/{protections}/rpo", None),
    "protection:recoverability": (READ, "GET", "/v1/protections/{protections}/recoverability", None),
    "protection:check": (WRITE, "POST", "/v1/protections/{protections}/recoverability", None),
    "protection:retention": (READ, "GET", "/v1/protections/{protections}/retention", None),
    "policy:list": (READ, "GET", "/v1/policies", None),
    "policy:show": (READ, "GET", "/v1/policies/{policies}", None),
    "policy:create": (WRITE, "POST", "/v1/policies", {"name": "silver"}),
    "policy:update": (WRITE, "PATCH", "/v1/policies/{policies}", {"paused": True}),
    "policy:delete": (WRITE, "DELETE", "/v1/policies/{policies}", None),
    "protection:run": (WRITE, "POST", "/v1/protections/{protections}/run", {}),
    "restore_point:list": (READ, "GET", "/v1/restore-points", None),
    "restore_point:show": (READ, "GET", "/v1/restore-points/{restore_points}", None),
    "restore_point:delete": (WRITE, "DELETE", "/v1/restore-points/{restore_points}", None),
    "restore_point:rescan": (ADMIN_ONLY, "POST", "/v1/restore-points/rescan", None),
    "recovery:list": (READ, "GET", "/v1/recoveries", None),
    "recovery:show": (READ, "GET", "/v1/recoveries/{recoveries}", None),
    "recovery:preview": (
        WRITE,
        "POST",
        "/v1/recoveries/preview",
        RECOVERY,
    ),
    "recovery:start": (
        WRITE,
        "POST",
        "/v1/recoveries",
        RECOVERY | {"confirm": "{names}"},
    ),
    "recovery:resume": (WRITE, "POST", "/v1/recoveries/{paused recoveries}/resume", None),
    "recovery:answer": (WRITE, "POST", "/v1/recoveries/{asking recoveries}/answer", {"text": "yes"}),
    "recovery:undo": (WRITE, "POST", "/v1/recoveries/{paused recoveries}/undo", None),
    "recovery_plan:list": (READ, "GET", "/v1/recovery-plans", None),
    "recovery_plan:show": (READ, "GET", "/v1/recovery-plans/{recovery_plans}", None),
    "recovery_plan:create": (WRITE, "POST", "/v1/recovery-plans", PLAN),
    "recovery_plan:update": (WRITE, "PATCH", "/v1/recovery-plans/{recovery_plans}", {"description": "new"}),
    "recovery_plan:delete": (WRITE, "DELETE", "/v1/recovery-plans/{recovery_plans}", None),
    "recovery:stop_source": (
        WRITE,
        "POST",
        "/v1/recoveries/{current recoveries}/stop-source",
        {"confirm": "{names}"},
    ),
    "recovery:reprotect": (WRITE, "POST", "/v1/recoveries/{stopped recoveries}/reprotect", {}),
    "recovery:undo_reprotect": (
        WRITE,
        "POST",
        "/v1/recoveries/{reprotected recoveries}/undo-reprotect",
        None,
    ),
    "recovery:preview_commit": (
        WRITE,
        "POST",
        "/v1/recoveries/{stopped recoveries}/commit/preview",
        None,
    ),
    "recovery:commit": (WRITE, "POST", "/v1/recoveries/{stopped recoveries}/commit", {}),
    "drill:list": (READ, "GET", "/v1/drills", None),
    "drill:show": (READ, "GET", "/v1/drills/{kept drills}", None),
    "drill:start": (WRITE, "POST", "/v1/drills", RECOVERY),
    "drill:end": (WRITE, "POST", "/v1/drills/{kept drills}/end", None),
    "drill:report": (READ, "GET", "/v1/drills/{kept drills}/report", None),
    "job:list": (READ, "GET", "/v1/jobs", None),
    "job:show": (READ, "GET", "/v1/jobs/{jobs}", None),
    "job:cancel": (WRITE, "POST", "/v1/jobs/{running jobs}/cancel", None),
    "job:resume": (WRITE, "POST", "/v1/jobs/{paused jobs}/resume", None),
    "job:undo": (WRITE, "POST", "/v1/jobs/{jobs}/undo", None),
    "network:list": (READ, "GET", "/v1/stretched-networks", None),
    "network:show": (READ, "GET", "/v1/stretched-networks/{networks}", None),
    "network:preview": (ADMIN_ONLY, "POST", "/v1/stretched-networks/preview", STRETCH),
    "network:stretch": (ADMIN_ONLY, "POST", "/v1/stretched-networks", STRETCH),
    "network:check": (WRITE, "POST", "/v1/stretched-networks/{networks}/check", None),
    "network:reconcile": (ADMIN_ONLY, "POST", "/v1/stretched-networks/{networks}/reconcile", None),
    "network:unstretch": (ADMIN_ONLY, "POST", "/v1/stretched-networks/{networks}/unstretch", {}),
    "audit:list": (READ, "GET", "/v1/audit", None),
    "address:list": (READ, "GET", "/v1/addresses", None),
    "address:show": (READ, "GET", "/v1/addresses/{addresses}", None),
    "address:create": (WRITE, "POST", "/v1/addresses", ADDRESS),
    "address:move": (WRITE, "POST", "/v1/addresses/{addresses}/move", {"to": "lyon"}),
    "address:undo": (WRITE, "POST", "/v1/addresses/{moved addresses}/undo", None),
    "address:delete": (WRITE, "DELETE", "/v1/addresses/{addresses}", None),
    "address:check": (WRITE, "POST", "/v1/addresses/{addresses}/check", None),
    "image_replication:list": (READ, "GET", "/v1/image-replications", None),
    "image_replication:show": (READ, "GET", "/v1/image-replications/{image_replications}", None),
    "image_replication:create": (WRITE, "POST", "/v1/image-replications", IMAGE),
    "image_replication:delete": (WRITE, "DELETE", "/v1/image-replications/{image_replications}", None),
    "resource_sync:list": (READ, "GET", "/v1/resource-syncs", None),
    "resource_sync:show": (READ, "GET", "/v1/resource-syncs/{resource_syncs}", None),
    "resource_sync:show_items": (READ, "GET", "/v1/resource-syncs/{resource_syncs}/items", None),
    "resource_sync:create": (WRITE, "POST", "/v1/resource-syncs", SYNC),
    "resource_sync:export": (WRITE, "POST", "/v1/resource-syncs/export", EXPORT),
    "resource_sync:update": (WRITE, "PATCH", "/v1/resource-syncs/{resource_syncs}", {"paused": True}),
    "resource_sync:plan": (WRITE, "POST", "/v1/resource-syncs/{resource_syncs}/plan", None),
    "resource_sync:apply": (WRITE, "POST", "/v1/resource-syncs/{resource_syncs}/apply", {}),
    "resource_sync:delete": (WRITE, "DELETE", "/v1/resource-syncs/{resource_syncs}", None),
    "quota:list": (READ, "GET", "/v1/quotas", None),
    "quota:show": (READ, "GET", "/v1/quotas/{quotas}", None),
    "quota:create": (ADMIN_ONLY, "POST", "/v1/quotas", QUOTA),
    "quota:update": (ADMIN_ONLY, "PATCH", "/v1/quotas/{quotas}", {"paused": True}),
    "quota:apply": (ADMIN_ONLY, "POST", "/v1/quotas/{quotas}/apply", None),
    "quota:delete": (ADMIN_ONLY, "DELETE", "/v1/quotas/{quotas}", None),
    "path:list": (READ, "GET", "/v1/paths", None),
    "path:show": (READ, "GET", "/v1/paths/{paths}", None),
    "path:create": (WRITE, "POST", "/v1/paths", PATH),
    "path:delete": (WRITE, "DELETE", "/v1/paths/{paths}", None),
    "path:check": (WRITE, "POST", "/v1/paths/{paths}/check", None),
    "probe:run": (ADMIN_ONLY, "POST", "/v1/probes", {"address": "203.0.113.5", "count": 1}),
}
PERSONAS = {"admin": ADMIN, "member": MEMBER, "reader": READER, "nobody": NOBODY}
MAY = {
    READ: {"admin", "member", "reader"},
    WRITE: {"admin", "member"},
    ADMIN_ONLY: {"admin"},
}


def filled(text: str, services: Services, project: str) -> str:
    kinds = (
        "applications",
        "unused applications",
        "protections",
        "restore_points",
        "recoveries",
        "paused recoveries",
        "current recoveries",
        "stopped recoveries",
        "reprotected recoveries",
        "asking recoveries",
        "networks",
        "jobs",
        "running jobs",
        "paused jobs",
        "addresses",
        "moved addresses",
        "paths",
        "image_replications",
        "resource_syncs",
        "quotas",
        "free images",
        "project_grants",
        "policies",
        "recovery_plans",
        "kept drills",
    )
    for kind in kinds:
        if f"{{{kind}}}" in text:
            text = text.replace(f"{{{kind}}}", services.of(kind, project).id)
    for name, kind in (("names", "applications"), ("left planes", "left planes")):
        if f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", services.of(kind, project).name)
    return text


def ask(
    client: FlaskClient, services: Services, rule: str, headers: dict[str, str], project: str = MINE
) -> Any:
    _, method, path, _ = ROUTES[rule]
    if rule == "site:unregister":  # the others are targets of protections
        services.sites.register(operator(MINE), "oslo1", "oslo1")
    body = body_of(services, rule, project)
    return client.open(filled(path, services, project), method=method, headers=headers, json=body)


def body_of(services: Services, rule: str, project: str) -> dict[str, Any] | None:
    body = ROUTES[rule][3]
    if body is None:
        return None
    return {k: filled(v, services, project) if isinstance(v, str) else v for k, v in body.items()}


def test_every_rule_is_in_the_matrix() -> None:
    named = {rule.name.removeprefix("multisite:") for rule in list_rules() if rule.name.count(":") == 2}
    assert named == set(ROUTES)


@pytest.mark.parametrize("who", PERSONAS)
@pytest.mark.parametrize("rule", ROUTES)
def test_matrix(client: FlaskClient, services: Services, rule: str, who: str) -> None:
    answer = ask(client, services, rule, PERSONAS[who])
    if who in MAY[ROUTES[rule][0]]:
        assert answer.status_code < 300, answer.text
    else:
        assert answer.status_code == 403
        assert "policy" in answer.json["error"]["message"]


OWNED = [rule for rule, (_, _, path, _) in ROUTES.items() if "{" in path]


@pytest.mark.parametrize("headers", [MEMBER, READER], ids=["member", "reader"])
@pytest.mark.parametrize("rule", OWNED)
def test_what_another_project_has_does_not_exist(
    client: FlaskClient, services: Services, rule: str, headers: dict[str, str]
) -> None:
    answer = ask(client, services, rule, headers, FOREIGN)
    assert answer.status_code == 404
    invented = client.open(
        filled(ROUTES[rule][2], services, FOREIGN).replace(_foreign_id(services, rule), "x-y-z"),
        method=ROUTES[rule][1],
        headers=headers,
        json=body_of(services, rule, FOREIGN),
    )
    assert invented.status_code == 404
    told = answer.json["error"]["message"].replace(_foreign_id(services, rule), "x-y-z")
    assert told == invented.json["error"]["message"], "the answer must not tell that it exists"


def _foreign_id(services: Services, rule: str) -> str:
    kind = ROUTES[rule][2].split("{")[1].split("}")[0]
    found: str = services.of(kind, FOREIGN).id
    return found


@pytest.mark.parametrize("rule", OWNED)
def test_administrators_reach_every_project(client: FlaskClient, services: Services, rule: str) -> None:
    assert ask(client, services, rule, ADMIN, FOREIGN).status_code < 300


@pytest.mark.parametrize("verb", ["POST preview", "POST realize", "DELETE realization"])
def test_a_stretched_plane_is_for_who_may_stretch(client: FlaskClient, services: Services, verb: str) -> None:
    method, _, last = verb.partition(" ")
    path = filled(f"/v1/applications/{{applications}}/planes/hb/{last}", services, MINE)
    refused = client.open(path, method=method, headers=MEMBER)
    assert refused.status_code == 403
    assert "policy" in refused.json["error"]["message"]
    kept = services.planes.get(operator(MINE), services.of("applications").id, "hb")
    assert (kept.state, kept.stretched_network_id) == ("described", None)
    assert client.open(path, method=method, headers=ADMIN).status_code < 300


def test_a_token_without_a_project_owns_nothing(client: FlaskClient, services: Services) -> None:
    unscoped = persona("member,reader", project=None)
    assert client.get("/v1/applications", headers=MEMBER).status_code == 200
    assert client.get("/v1/applications", headers=unscoped).status_code == 403
    assert client.get(filled("/v1/jobs/{jobs}", services, MINE), headers=unscoped).status_code in (403, 404)


def tightened(services: Services, tmp_path: Any, rule: str) -> FlaskClient:
    """A client of a service with a policy file."""
    file = tmp_path / "policy.yaml"
    file.write_text(rule)
    settings = tmp_path / "multisite.conf"
    settings.write_text(f"[oslo_policy]\npolicy_file = {file}\n")
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(settings)])
    return create_app(services, conf, auth=False).test_client()


def test_a_policy_file_may_tighten(services: Services, tmp_path: Any) -> None:
    client = tightened(services, tmp_path, '"multisite:recovery:start": "role:recoverer"\n')
    assert ask(client, services, "recovery:start", MEMBER).status_code == 403
    assert ask(client, services, "recovery:start", persona("member,recoverer")).status_code == 202


def test_a_move_needs_the_right_to_run_a_protection(services: Services, tmp_path: Any) -> None:
    client = tightened(services, tmp_path, '"multisite:protection:run": "role:protector"\n')
    who, method, path, body = ROUTES["recovery:start"]
    words = {"confirm": "nobodys", "purpose": "move"}
    asked = {
        k: filled(v, services, MINE) if isinstance(v, str) else v for k, v in (body or {}).items()
    } | words
    assert client.open(path, method=method, headers=MEMBER, json=asked).status_code == 403
    allowed = persona("member,protector")
    assert client.open(path, method=method, headers=allowed, json=asked).status_code == 400, (
        "beyond the right"
    )
    asked["purpose"] = "disaster"
    assert client.open(path, method=method, headers=MEMBER, json=asked).status_code == 400
    assert who == WRITE


VERBS_OF_JOBS = {"cancel": JobState.RUNNING, "resume": JobState.PAUSED, "undo": JobState.DONE}


def verb_of_job(client: FlaskClient, services: Services, kind: str, verb: str, who: dict[str, str]) -> Any:
    put = services.put_job(job(kind=kind, state=VERBS_OF_JOBS[verb], steps=()))
    return client.post(f"/v1/jobs/{put.id}/{verb}", headers=who), put


@pytest.mark.parametrize("verb", VERBS_OF_JOBS)
@pytest.mark.parametrize("kind", ["stretch", "unstretch", "of-another-release"])
def test_a_job_is_for_who_may_start_it(client: FlaskClient, services: Services, kind: str, verb: str) -> None:
    refused, put = verb_of_job(client, services, kind, verb, MEMBER)
    assert refused.status_code == 403
    assert services.jobs.get(put.id) == put, "nothing was written"
    assert verb_of_job(client, services, kind, verb, ADMIN)[0].status_code == 202
    assert verb_of_job(client, services, "protect", verb, MEMBER)[0].status_code == 202


def test_every_kind_of_job_names_a_rule(services: Services) -> None:
    rules = {rule.name for rule in list_rules()}
    kinds = services.jobs._kinds
    assert len(kinds) >= 10
    assert {name for name, kind in kinds.items() if f"multisite:{kind.rule}" not in rules} == set()


def test_a_tightened_rule_holds_for_its_jobs(services: Services, tmp_path: Any) -> None:
    client = tightened(services, tmp_path, '"multisite:protection:run": "role:protector"\n')
    assert verb_of_job(client, services, "protect", "undo", MEMBER)[0].status_code == 403
    assert verb_of_job(client, services, "protect", "undo", persona("member,protector"))[0].status_code == 202
