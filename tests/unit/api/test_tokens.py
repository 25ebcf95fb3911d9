"""Nothing without a token: the real keystonemiddleware in front, every route there is."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from api.conftest import ADMIN
from api.setup import Services
from multisite.api.app import create_app
from multisite.api.middleware import drop_none

PUBLIC = {"/", "/v1/openapi.json"}


@pytest.fixture
def guarded(services: Services, keystone_conf: cfg.ConfigOpts) -> FlaskClient:
    return create_app(services, keystone_conf).test_client()


def routes() -> list[tuple[str, str]]:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    rules = create_app(Services(), conf, auth=False).url_map.iter_rules()
    found = [
        (method, rule.build(dict.fromkeys(rule.arguments, "x"))[1])  # type: ignore[index]
        for rule in rules
        if rule.endpoint != "static"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    return [(method, path) for method, path in found if path not in PUBLIC]


def test_there_are_routes_to_check() -> None:
    assert len(routes()) >= 27


@pytest.mark.parametrize(("method", "path"), routes())
def test_a_route_needs_a_token(guarded: FlaskClient, method: str, path: str) -> None:
    answer = guarded.open(path, method=method, json={} if method == "POST" else None)
    assert answer.status_code == 401
    assert answer.json["error"]["code"] == 401
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")
    assert answer.headers["x-openstack-request-id"].startswith("req-")


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/sites/", "//", "/v1/openapi.json/"])
def test_unknown_paths_tell_nothing_without_a_token(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path).status_code == 401


def test_identity_headers_of_a_client_are_not_believed(guarded: FlaskClient) -> None:
    forged = ADMIN | {"X-Identity-Status": "Confirmed"}
    assert guarded.get("/v1/sites", headers=forged).status_code == 401


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_public_documents_need_none(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_health_needs_none_and_gets_no_request_id(guarded: FlaskClient) -> None:
    answer = guarded.get("/healthcheck")
    assert answer.status_code == 200
    assert "x-openstack-request-id" not in answer.headers


def test_keystone_that_does_not_answer_is_503_in_our_format(guarded: FlaskClient) -> None:
    answer = guarded.get("/v1/sites", headers={"X-Auth-Token": "gAAAA"})
    assert answer.status_code == 503
    assert "Keystone" in answer.json["error"]["message"]


def test_none_in_the_environment_is_dropped() -> None:
    seen: dict[str, object] = {}

    def application(environ: dict[str, object], _start: object) -> list[bytes]:
        seen.update(environ)
        return []

    drop_none(application)({"HTTP_X_DOMAIN_ID": None, "HTTP_X_USER_ID": "u", "wsgi.input": None}, None)
    assert seen == {"HTTP_X_USER_ID": "u", "wsgi.input": None}
