"""The application: pydantic at the edge, one blueprint per resource, errors in one format."""

from __future__ import annotations

import logging
import time

from apiflask import APIFlask
from flask import Response, g, request
from oslo_config.cfg import ConfigOpts
from werkzeug.exceptions import BadRequest, NotAcceptable, UnsupportedMediaType

from multisite.api import errors, microversion, openapi, trail
from multisite.api.middleware import pipeline
from multisite.api.policy import Policy
from multisite.api.readiness import Readiness, database_answers
from multisite.api.resources import DECLARED, MODULES, PUBLIC_PATHS, list_rules
from multisite.api.state import KEY, Service, State
from multisite.recovery.service import StaleDatabaseCheck

LOG = logging.getLogger(__name__)
staleness = Service("staleness", StaleDatabaseCheck)

MAX_BODY_BYTES = 256 * 1024


def create_app(services: object, conf: ConfigOpts, *, auth: bool = True) -> APIFlask:
    """The WSGI application of ``/v1``, its middlewares around it; ``services``: see ``state.State``.

    ``auth=False`` leaves Keystone out and trusts ``X-User-Id`` and its companions: for tests, never for
    serving.
    """
    app = APIFlask("multisite", title="Multisite", version=microversion.MAX_VERSION,
                   docs_path=None, spec_path=openapi.PATH, json_errors=True)  # fmt: skip
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    openapi.configure(app, PUBLIC_PATHS)
    app.extensions[KEY] = State(services, Policy(conf, list_rules()))
    errors.install(app)
    app.before_request(_begin)
    app.before_request(microversion.check)
    app.before_request(_only_json)
    app.before_request(trail.begin)
    app.before_request(_refuse_when_stale)
    app.after_request(microversion.announce)
    app.after_request(_log)
    app.after_request(trail.finish)
    app.teardown_request(trail.leave)
    for module in MODULES:
        app.register_blueprint(module.resource.blueprint)
    refuse_undeclared(app)
    public = PUBLIC_PATHS | {openapi.PATH}
    ready = Readiness(
        {"database": lambda: database_answers(services.database)},  # type: ignore[attr-defined]
        notices=lambda: services.staleness.notices(),  # type: ignore[attr-defined]
    )
    app.wsgi_app = pipeline(app.wsgi_app, conf, auth=auth, public=public, ready=ready)  # type: ignore[assignment, method-assign]
    return app


def refuse_undeclared(app: APIFlask) -> None:
    """RuntimeError for a route that bypassed ``routing``: nobody would have said who may use it."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in DECLARED and rule.endpoint not in ("static", "openapi.spec"):
            raise RuntimeError(f"{rule.rule}: this route has no policy rule: declare it with Resource.route")


def _begin() -> None:
    g.begun = time.monotonic()


def _refuse_when_stale() -> None:
    """No change of what an operator has to look at first; recorded before, as what is refused is."""
    route = DECLARED.get(request.endpoint or "")
    if route is not None and route.recorded and request.method == route.method:
        staleness().refuse_changes()


def _only_json() -> None:
    """JSON in, JSON out; and no body that would only fail deep inside."""
    if request.accept_mimetypes and not request.accept_mimetypes.best_match(["application/json"]):
        raise NotAcceptable("Accept: this service answers application/json only")
    if request.content_length in (None, 0) and "Transfer-Encoding" not in request.headers:
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Content-Type: this service reads application/json only")
    try:
        request.get_json()  # kept by the request: validation reads the same object
    except RecursionError as error:
        raise BadRequest("body: nested too deeply") from error
    except BadRequest as error:
        raise BadRequest("body: not valid JSON") from error


def _log(response: Response) -> Response:
    """A line per request: who asked for what, and what came of it (changes: see ``trail``)."""
    environ = request.environ
    LOG.log(
        logging.DEBUG if response.status_code == 304 else logging.INFO,  # who watches asks twice a second
        "%s %s %s",
        request.method,
        request.path,
        response.status_code,
        extra={
            "request_id": errors.request_id(),
            "user_id": environ.get("HTTP_X_USER_ID"),
            "project_id": environ.get("HTTP_X_PROJECT_ID"),
            "remote": request.remote_addr,
            "ms": round((time.monotonic() - g.begun) * 1000, 1) if "begun" in g else None,
        },
    )
    return response
