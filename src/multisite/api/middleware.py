"""The WSGI pipeline in front of the application: health, request ids, last-resort errors, tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import webob
from keystonemiddleware.auth_token import AuthProtocol
from oslo_config.cfg import ConfigOpts
from oslo_middleware import CatchErrors, Healthcheck, RequestId

from multisite.api.errors import body_of, internal_message

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

HEALTH = "/healthcheck"
READY = "/readiness"


def pipeline(application: Wsgi, conf: ConfigOpts, *, auth: bool, public: frozenset[str], ready: Wsgi) -> Wsgi:
    """Wrap the application; ``auth=False`` trusts the identity headers and is for tests only.

    ``public``: paths that are answered without a token (besides ``HEALTH`` and ``READY``, which ``ready`` answers).
    """
    inner: Wsgi = drop_none(application)
    if auth:
        options = {"oslo_config_config": conf, "delay_auth_decision": False, "include_service_catalog": False}
        inner = either(public, inner, AuthProtocol(inner, options))
    inner = RequestId(same_format(CatchErrors(inner, conf)), conf)
    # In front of the request id on purpose: probes must not fill the log.
    inner = either(frozenset({READY}), ready, inner)
    return either(frozenset({HEALTH}), Healthcheck(application, conf), inner)


def either(paths: frozenset[str], match: Wsgi, other: Wsgi) -> Wsgi:
    """``match`` answers exactly these paths, ``other`` the rest."""

    def choose(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        chosen = match if environ.get("PATH_INFO", "/") in paths else other
        return chosen(environ, start_response)

    return choose


def drop_none(application: Wsgi) -> Wsgi:
    """Remove headers whose value is None.

    keystonemiddleware sets for example ``HTTP_X_DOMAIN_ID`` to None for tokens of a project; WSGI promises
    strings, and everything that reads headers believes it.
    """

    def cleaned(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        for name in [k for k, v in environ.items() if v is None and k.startswith("HTTP_")]:
            del environ[name]
        return application(environ, start_response)

    return cleaned


def same_format(application: Wsgi) -> Wsgi:
    """Errors of the middlewares inside leave in the service's own format."""

    def formatted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = webob.Request(environ)
        answer = request.get_response(application)
        if answer.status_int >= 400 and answer.content_type != "application/json":
            answer.content_type = "application/json"
            answer.json = body_of(answer.status_int, _message(answer.status_int, request))
        found: Iterable[bytes] = answer(environ, start_response)
        return found

    return formatted


def _message(status: int, request: webob.Request) -> str:
    if status == 503:
        return "Keystone, which checks tokens for this service, does not answer now; try again"
    if status >= 500:
        return internal_message(request.environ.get("openstack.request_id"))
    return "the request was refused before it reached the service"
