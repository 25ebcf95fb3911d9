"""The API does what its OpenAPI document says: schemathesis calls every operation, with good and bad input.

In-process over simulated sites that hold something, so that ids in paths lead somewhere too.  A response that is not
described, does not fit its schema, or is a 5xx, fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import schemathesis
from api.conftest import ADMIN
from hypothesis import HealthCheck, settings
from pydantic import BaseModel
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from multisite.api.resources import list_rules
from multisite.api.schemas.common import In, Out
from tests.contract.served import APP, begin_anew, prepare, schema

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_operations(case: schemathesis.Case) -> None:
    prepare(case)
    try:
        case.call_and_validate(headers=ADMIN, checks=CHECKS, excluded_checks=[unsupported_method])
    finally:
        if case.method != "GET":  # what an example deleted is there again for the next
            begin_anew()


def document() -> dict[str, Any]:
    found: dict[str, Any] = APP.test_client().get("/v1/openapi.json").json
    return found


def test_every_route_is_described() -> None:
    described = {
        (method.upper(), path.replace("{", "<").replace("}", ">"))
        for path, operations in document()["paths"].items()
        for method in operations
    }
    routes = {
        (method, rule.rule)
        for rule in APP.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in ("static", "openapi.spec")
    }
    assert described == routes


def test_every_policy_rule_names_a_described_route() -> None:
    paths = document()["paths"]
    for rule in list_rules():
        for operation in getattr(rule, "operations", ()):
            assert operation["method"].lower() in paths[operation["path"]], rule.name


def test_every_operation_says_what_a_refusal_looks_like() -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            codes = {"400", "406"} if path == "/" else {"400", "401", "403", "406", "503"}
            assert codes <= set(operation["responses"]), (method, path)
            assert operation["operationId"]
            assert operation["summary"], (method, path)
            assert operation["security"] == ([] if path == "/" else [{"token": []}])


def test_the_document_is_openapi_3_1_and_names_models_once() -> None:
    found = document()
    assert found["openapi"].startswith("3.1")
    assert not [name for name in found["components"]["schemas"] if "." in name]
    assert found["components"]["schemas"]["SiteIn"]["additionalProperties"] is False


def test_no_two_schemas_have_one_name() -> None:
    """The document keeps one of two of a name, and describes the other's answers wrongly."""

    def below(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    names = Counter(kind.__name__ for base in (In, Out) for kind in set(below(base)))
    assert [name for name, times in names.items() if times > 1] == []
