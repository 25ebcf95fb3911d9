"""Who asks: the token's headers, as keystonemiddleware put them into the environment, become a ``Caller``."""

from __future__ import annotations

from flask import g, request
from oslo_context.context import RequestContext
from werkzeug.exceptions import Unauthorized

from multisite.api.errors import request_id
from multisite.domain.caller import Caller


def context() -> RequestContext:
    """oslo's view of the caller, made once per request."""
    if "context" not in g:
        # overwrite=False: gunicorn's threads are reused, so nothing may stay behind in thread-local storage.
        g.context = RequestContext.from_environ(request.environ, overwrite=False)
    made: RequestContext = g.context
    return made


def caller() -> Caller:
    """Whom the token belongs to; 401 when there is none (only possible without auth_token)."""
    found = context()
    if not found.user_id:
        raise Unauthorized("X-Auth-Token: a Keystone token is needed")
    return Caller(
        user_id=found.user_id,
        user_name=request.environ.get("HTTP_X_USER_NAME") or found.user_id,
        project_id=found.project_id or "",
        project_name=request.environ.get("HTTP_X_PROJECT_NAME") or "",
        roles=frozenset(found.roles or ()),
        request_id=request_id(),
        project_domain_name=request.environ.get("HTTP_X_PROJECT_DOMAIN_NAME") or "",
    )
