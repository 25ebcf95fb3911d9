"""Every route declares who may use it; one that does not cannot be served."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from api.conftest import ADMIN
from api.setup import Services
from multisite.api import trail
from multisite.api.app import create_app, refuse_undeclared
from multisite.api.policy import MEMBER, PUBLIC
from multisite.api.resources import MODULES, ROUTES
from multisite.api.routing import Resource
from multisite.api.state import Service
from multisite.command import wiring

READ_ONLY_POSTS = {
    "network:check",
    "network:preview",
    "path:check",
    "plane:check",
    "plane:preview",
    "protection:preview",
    "recovery:preview",
    "recovery:preview_commit",
    "resource_sync:export",
    "resource_sync:plan",
    "site:check",
}


def test_a_route_past_the_registrar_is_refused(services: Services, conf: cfg.ConfigOpts) -> None:
    app = create_app(services, conf, auth=False)
    refuse_undeclared(app)
    app.get("/v1/secrets")(lambda: {})
    with pytest.raises(RuntimeError, match=r"/v1/secrets: this route has no policy rule"):
        refuse_undeclared(app)


@pytest.mark.parametrize(
    "declared", [("GET",), ("GET", "secret:list"), ("GET", "", MEMBER), ("GET", "secret:list", "role:x")]
)
def test_a_route_without_rule_or_default_cannot_be_declared(declared: tuple[Any, ...]) -> None:
    resource = Resource("secrets", "/v1/secrets", tag="Secrets")
    with pytest.raises(TypeError):
        resource.route(*declared)
    assert resource.routes == []
    resource.route("GET", "secret:list", MEMBER)(list)


def test_one_route_is_public_and_each_is_described() -> None:
    assert [route.path for route in ROUTES if route.default == PUBLIC] == ["/"]
    assert [route.rule for route in ROUTES if not route.description] == []


def test_every_change_is_recorded() -> None:
    changes = {route.rule for route in ROUTES if route.method != "GET"}
    recorded = {route.rule for route in ROUTES if route.recorded}
    assert changes - recorded == READ_ONLY_POSTS
    assert recorded <= changes


def test_every_service_of_the_api_is_built_and_of_its_kind() -> None:
    built = get_type_hints(wiring.Services)
    asked = {found.name: found.kind for module in (*MODULES, trail) for found in vars(module).values()
             if isinstance(found, Service)}  # fmt: skip
    assert len(asked) == 18
    assert {name: built.get(name) for name in asked} == asked


def test_asking_which_methods_there_are_is_not_recorded(client: FlaskClient, services: Services) -> None:
    before = len(services.audit.list())
    assert client.options("/v1/applications", headers=ADMIN).status_code == 200
    assert len(services.audit.list()) == before
