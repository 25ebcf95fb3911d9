"""One format for every refusal: ``{"error": {"code", "title", "message"}}``.  Never a traceback."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Response, request
from oslo_policy.policy import InvalidScope, PolicyNotAuthorized
from werkzeug.exceptions import HTTPException, InternalServerError

from multisite.domain.errors import MultisiteError
from multisite.store.failures import describe, is_transient

LOG = logging.getLogger(__name__)


def body_of(code: int, message: str) -> dict[str, Any]:
    """The body of a refusal."""
    return {"error": {"code": code, "title": title_of(code), "message": message}}


def title_of(code: int) -> str:
    """The reason phrase of a status."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Error"


def response(code: int, message: str) -> Response:
    """A complete answer in the format."""
    return Response(json.dumps(body_of(code, message)) + "\n", status=code, mimetype="application/json")


def internal_message(request_id: str | None) -> str:
    """All an operator is told about a fault of ours: where to find the rest."""
    return f"internal error; look for request {request_id or 'unknown'} in the service's log"


def request_id() -> str:
    """The id of the request being answered (oslo.middleware's), empty outside the pipeline."""
    return str(request.environ.get("openstack.request_id") or "")


def install(app: APIFlask) -> None:
    """Every error of the application leaves in the format."""
    app.error_processor(_http_error)
    app.register_error_handler(HTTPException, _werkzeug)
    app.register_error_handler(MultisiteError, _ours)
    app.register_error_handler(PolicyNotAuthorized, _not_allowed)
    app.register_error_handler(InvalidScope, _not_allowed)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPError) -> Any:
    """APIFlask's own errors: above all validation, whose detail names the field."""
    code = int(error.status_code)
    if code >= 500:
        return body_of(code, internal_message(request_id())), code, {}
    message = _fields(error.detail) or str(error.message)
    return body_of(code, message), code, error.headers or {}


def _fields(detail: Any) -> str:
    """``field: what is wrong`` of the first few fields of a validation error; empty when it is none."""
    found: list[str] = []
    for location, fields in (detail or {}).items():
        for name, messages in fields.items():
            found += [_plain("body" if location == "json" else location, name, text) for text in messages]
    return "; ".join(found[:5])


def _plain(location: str, name: str, message: str) -> str:
    """Pydantic's words without its machinery's."""
    own = message.removeprefix("Value error, ")
    if name == "_schema":  # about the whole: our own rules name the fields themselves
        return own if own != message else f"{location}: {message}"
    return f"{name}: {own.replace('Extra inputs are not permitted', 'unknown field')}"


def _ours(error: MultisiteError) -> Response:
    if error.status >= 500:
        LOG.warning("request %s: %s", request_id(), error)
    return response(error.status, str(error))


def _not_allowed(error: Exception) -> Response:
    LOG.info("request %s refused by policy: %s", request_id(), error)
    return response(403, "policy: your roles in this project do not allow this; ask an administrator")


def _werkzeug(error: HTTPException) -> Response:
    """Errors of routing and of reading the request."""
    code = error.code or 500
    if isinstance(error, InternalServerError):
        return _unexpected(error)
    message = str(error.description or error.name)
    if request.routing_exception is not None:
        message = f"{request.method} {request.path}: {_ROUTING.get(code, error.name)}"
    answer = response(code, message)
    answer.headers.extend([(k, v) for k, v in error.get_headers() if k.lower() != "content-type"])
    return answer


_ROUTING = {404: "there is nothing here", 405: "this method is not offered here"}


def _unexpected(error: Exception) -> Response:
    if is_transient(error):
        LOG.warning("request %s: the database cannot be used: %s", request_id(), describe(error))
        message = "database: it cannot be used now: look whether this took effect, then try again"
        return response(503, message)
    LOG.error("request %s %s %s failed", request_id(), request.method, request.path, exc_info=error)
    return response(500, internal_message(request_id()))
