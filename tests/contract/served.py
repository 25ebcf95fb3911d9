"""The API over simulated sites, in-process, and schemathesis' reading of its document; two suites use it."""

from __future__ import annotations

from typing import Any

import schemathesis
from api.setup import Services
from oslo_config import cfg

from multisite.api.app import create_app

SHORT = {"count": 1, "interval": 0.02, "timeout": 0.05}
"""A measurement that takes as long as it is asked to is tried with the shortest that is allowed."""
KINDS = ("applications", "protections", "policies", "recoveries", "jobs", "addresses", "paths")


def _app() -> tuple[Any, Services]:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    services = Services()
    return create_app(services, conf, auth=False), services


@schemathesis.hook
def before_load_schema(context: object, raw_schema: dict[str, Any]) -> None:
    """Tokens are the unit tests' business; here identity headers are always there."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)


APP, SERVICES = _app()
schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", APP)


def begin_anew() -> None:
    """What was deleted is there again, and what was made is gone."""
    SERVICES.close()
    SERVICES.__init__()  # type: ignore[misc]


def prepare(case: schemathesis.Case) -> None:
    """Let every second request lead somewhere, and none measure for long."""
    _lead_somewhere(case)
    if case.path == "/v1/probes" and isinstance(case.body, dict):
        case.body |= {name: least for name, least in SHORT.items() if _allowed(case.body.get(name, least))}


def _allowed(pace: object) -> bool:
    """Whether it may be replaced: what is wrong stays wrong."""
    return isinstance(pace, int | float) and not isinstance(pace, bool) and 0.05 <= pace <= 10


def _lead_somewhere(case: schemathesis.Case) -> None:
    """Ids of things that are there, for every second example."""
    if not case.path_parameters or sum(map(ord, str(case.path_parameters))) % 2:
        return
    for kind in KINDS:
        if f"/v1/{kind}/{{id}}" in case.path:
            case.path_parameters["id"] = SERVICES.of(kind).id
    for noun in ("restore-points", "recovery-plans", "image-replications", "resource-syncs", "quotas"):
        if f"/{noun}/{{id}}" in case.path:
            case.path_parameters["id"] = SERVICES.of(noun.replace("-", "_")).id
    if "/stretched-networks/{id}" in case.path:
        case.path_parameters["id"] = "hb"
    if "/planes/{name}" in case.path:
        case.path_parameters["name"] = "mgmt"
    if "/v1/sites/{name}" in case.path:
        case.path_parameters["name"] = "paris"
