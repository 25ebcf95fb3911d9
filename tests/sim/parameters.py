"""The parameters of the API's document, and those that name nothing of anybody's; the others: ``rights_table.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.sim.tenants import SITE, TARGET

_RULES = (
    "network_names security_group_names keypair_names router_names volume_types volume_zones "
    "availability_zones accept_loss[] create_missing_flavors keep_addresses source_is_fenced parallel_boot "
    "ready_console ready_timeout boot_timeout one_by_one accept_split pause_between ask_between"
)
_MAPPING = "body.target_site " + " ".join(f"body.mapping.{rule}" for rule in _RULES.split())
_TARGETS = (
    "projects networks flavors keypairs security_groups server_groups qos_policies routers floating_ips "
    "external_networks"
)


def _fields(place: str, names: str) -> str:
    return " ".join(
        f"{place}.{name}"
        for name in names.split()
        if name not in ("accept_loss[]", "accept_split", "source_is_fenced")
    )


_KEPT = (
    f"{_fields('body.mapping', f'{_RULES} {_TARGETS}')} {_fields('body.groups[]', 'name members[]')} "
    f"{_fields('body.groups[].gates[]', 'kind timeout members[] port network floating match on_failure')} "
    f"{_fields('body.hooks[]', 'name kind when group timeout on_failure in_drills url method body expect[]')} "
    f"{_fields('body.hooks[]', 'retries command question action members[] metadata tags[]')} "
    f"{_fields('body.dns[]', 'name members[] zone driver type ttl network floating timeout on_failure')}"
)
"""What a plan keeps: what it names is looked for, and refused, where it is used; members and networks are those of the
restore point; what may be asked and run is the administrator's to say, for all."""
_RECOVERY = f"body.supersede {_MAPPING}"
_POLICY = (
    "body.description body.jitter_seconds body.rpo_seconds body.history_days body.paused body.drill_cron "
    "body.schedules[].cron body.schedules[].interval_seconds body.schedules[].backup "
) + " ".join(
    f"body.retention.{rule}" for rule in ("last", "days", "hourly", "daily", "weekly", "monthly", "yearly")
)
NOUNS = (
    "applications", "protections", "restore-points", "recoveries", "jobs", "addresses", "paths",
    "project-grants", "stretched-networks", "drills", "policies", "recovery-plans", "image-replications",
    "resource-syncs", "quotas",
)  # fmt: skip
"""``{id}`` in a path names one of these; ``{name}`` of a plane one of the application's, of a site what all may see."""
PLAIN: Mapping[str, str] = {
    **{f"GET /v1/{noun}": "query:limit" for noun in NOUNS},
    "GET /v1/sites": "query:limit query:marker",
    "GET /v1/jobs": "query:state query:limit",
    "GET /v1/audit": "query:site query:since query:limit query:marker",
    "POST /v1/applications": "body.name body.site body.servers[].quiesce body.servers[].role",
    "PUT /v1/applications/{id}/planes": "body.planes[].cidr body.planes[].name body.planes[].realized "
    "body.planes[].role body.planes[].sites[] body.sites[]",
    "POST /v1/applications/{id}/planes/{name}/forget": "body.sites[]",
    "DELETE /v1/applications/{id}/planes/{name}/realization": "query:without query:left",
    "POST /v1/protections": "body.method body.options body.target_site body.target_sites[] body.standby",
    "POST /v1/protections/preview": "body.options body.target_site body.target_sites[]",
    "POST /v1/protections/{id}/run": "body.incremental",
    "POST /v1/recoveries/preview": f"{_RECOVERY} body.purpose",
    "POST /v1/recoveries": f"{_RECOVERY} body.confirm body.preview body.purpose",
    "POST /v1/recoveries/{id}/stop-source": "body.confirm",
    "POST /v1/recoveries/{id}/reprotect": "body.target_site body.source_is_fenced",
    "POST /v1/recoveries/{id}/commit": "body.remove_source body.confirm",
    "POST /v1/drills": f"{_MAPPING} body.preview body.options.keep body.options.rpo_target "
    "body.options.rto_target body.options.verify",
    "POST /v1/recoveries/{id}/answer": "body.text",
    "PATCH /v1/protections/{id}": "body.paused body.standby body.target_site body.target_sites[]",
    "GET /v1/protections/{id}/rpo": "query:hours",
    "POST /v1/policies": f"body.name {_POLICY}",
    "PATCH /v1/policies/{id}": _POLICY,
    "POST /v1/recovery-plans": f"body.name body.target_site body.description {_KEPT}",
    "PATCH /v1/recovery-plans/{id}": f"body.description {_KEPT}",
    "POST /v1/addresses": "body.name body.active body.probe body.members[].site",
    "POST /v1/addresses/{id}/move": "body.to body.fenced[] body.why",
    "POST /v1/resource-syncs": "body.name body.source_site body.document body.target_sites[] body.kinds[] "
    "body.on_conflict body.deletes body.interval_seconds body.only_tag",
    "POST /v1/resource-syncs/export": "body.source_site body.kinds[] body.only_tag",
    "PATCH /v1/resource-syncs/{id}": "body.document body.target_sites[] body.kinds[] body.on_conflict body.deletes "
    "body.interval_seconds body.paused body.only_tag",
    "GET /v1/resource-syncs/{id}/items": "query:limit query:marker",
    "POST /v1/resource-syncs/{id}/apply": "body.delete_many",
    "POST /v1/image-replications": "body.source_site body.target_sites[]",
    "POST /v1/paths": "body.name body.protocol body.port body.ends[].site",
}
"""What names nothing that could be somebody's: numbers and words, names to be given, sites, zones and volume types
(everybody sees them), times and positions in a list, a preview's digest."""
BODIES: Mapping[str, Any] = {
    "POST /v1/addresses/{id}/move": {"to": TARGET},
    "POST /v1/recoveries/{id}/stop-source": {"confirm": "n"},
    "POST /v1/recoveries/{id}/answer": {"text": "yes"},
    "PUT /v1/applications/{id}/planes": {"planes": []},
    "POST /v1/applications/{id}/planes/{name}/forget": {"sites": [SITE]},
}
"""Valid bodies of routes whose path names a thing; {} else."""


def parameters(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Operation and parameter (``path:id``, ``query:limit``, ``body.servers[].id``), as the document describes them."""
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            asked = f"{method.upper()} {path}"
            for one in operation.get("parameters", ()):
                if one["in"] != "header":
                    yield asked, f"{one['in']}:{one['name']}"
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for pointer in sorted(set(_leaves(content["schema"], schemas, "body"))):
                    yield asked, pointer


def _leaves(schema: Mapping[str, Any], schemas: Mapping[str, Any], at: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    for several in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(several, ()):
            if one.get("type") != "null":
                yield from _leaves(one, schemas, at)
        if several in schema:
            return
    if "properties" in schema:
        for name, inner in schema["properties"].items():
            yield from _leaves(inner, schemas, f"{at}.{name}")
    elif schema.get("type") == "array":
        yield from _leaves(schema.get("items", {}), schemas, f"{at}[]")
    else:
        yield at
