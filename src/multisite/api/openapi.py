"""The OpenAPI document: made from the code, completed with what every operation shares."""

from __future__ import annotations

from functools import partial
from typing import Any

from apiflask import APIFlask

from multisite.api.errors import title_of

PATH = "/v1/openapi.json"

_ERROR = {
    "type": "object",
    "title": "Error",
    "description": "Every refusal, whatever refused it.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "title", "message"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status"},
                "title": {"type": "string"},
                "message": {"type": "string", "description": "What is wrong with what, and what to do"},
            },
        }
    },
}
_VERSION_HEADER = {
    "name": "OpenStack-API-Version",
    "in": "header",
    "required": False,
    "description": "Microversion the request is written for, `multisite 1.N` (default: the oldest one)",
    "schema": {"type": "string", "examples": ["multisite 1.0"]},
}
_EVERYWHERE = (400, 406)
_WITH_TOKEN = (401, 403, 503)
_WITH_BODY = (413, 415)
_WORK = (409, 502, 504)


def configure(app: APIFlask, public: frozenset[str]) -> None:
    """Settings of the document; it is finished by ``complete`` when it is first asked for.

    ``public``: paths that are answered without a token.
    """
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_OPERATION_ID=True,
        AUTO_SERVERS=False,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        VALIDATION_ERROR_STATUS_CODE=400,
        HTTP_ERROR_SCHEMA=_ERROR,
        INFO={
            "description": "Run telecom applications over many OpenStack sites: protect, recover, prove.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        SECURITY_SCHEMES={"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
    )
    app.spec_processor(partial(complete, public=public))


def complete(document: dict[str, Any], *, public: frozenset[str]) -> dict[str, Any]:
    """Add the errors, the token and the version header to every operation; give nested models short names."""
    _flatten(document)
    document["components"]["schemas"]["Error"] = _ERROR
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["security"] = [] if path in public else [{"token": []}]
            operation.setdefault("parameters", []).append(_VERSION_HEADER)
            if "requestBody" in operation:
                operation["requestBody"].setdefault("required", True)
            for code in _codes(path, operation, public=path in public):
                operation["responses"].setdefault(str(code), _refusal(code))
    return document


def _codes(path: str, operation: dict[str, Any], *, public: bool) -> tuple[int, ...]:
    codes: tuple[int, ...] = _EVERYWHERE if public else _EVERYWHERE + _WITH_TOKEN + _WORK
    if "{" in path or "requestBody" in operation:  # bodies name things too
        codes += (404,)
    return codes + (_WITH_BODY if "requestBody" in operation else ())


def _refusal(code: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": title_of(code), "content": content}


def _flatten(document: dict[str, Any]) -> None:
    """APIFlask names a model inside a model ``Outer.Inner``, once per outer one; one ``Inner`` is enough."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    names = {name: name.rsplit(".", 1)[-1] for name in schemas}
    document["components"]["schemas"] = {names[name]: schema for name, schema in schemas.items()}
    prefix = "#/components/schemas/"
    _rename(document, {prefix + old: prefix + new for old, new in names.items()})


def _rename(node: Any, names: dict[str, str]) -> None:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            node["$ref"] = names.get(reference, reference)
        for value in node.values():
            _rename(value, names)
    elif isinstance(node, list):
        for value in node:
            _rename(value, names)
