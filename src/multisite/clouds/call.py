"""One way to call a site: every failure becomes one of ``errors``, and only what is safe is tried again.

Which failure it is: ``classification``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from functools import partial
from types import GeneratorType
from typing import Any, TypeVar, overload
from urllib.parse import parse_qs, urlsplit

import requests
import tenacity
from openstack import exceptions as sdk

from multisite.clouds.classification import classify
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import LoginRefused, SiteError
from multisite.domain import fence

LOG = logging.getLogger(__name__)
R = TypeVar("R")

RETRY_SECONDS = 6.0
"""No new attempt begins later than this after the first: a dead site is reported in seconds, not minutes."""
ATTEMPTS = 4


@overload
def call(
    site: CloudSite,
    what: str,
    function: Callable[..., Generator[R, None, None]],
    *args: Any,
    idempotent: bool = False,
    **kwargs: Any,
) -> list[R]: ...
@overload
def call(
    site: CloudSite,
    what: str,
    function: Callable[..., R],
    *args: Any,
    idempotent: bool = False,
    **kwargs: Any,
) -> R: ...
def call(
    site: CloudSite,
    what: str,
    function: Callable[..., Any],
    *args: Any,
    idempotent: bool = False,
    **kwargs: Any,
) -> Any:
    """Call ``function(*args, **kwargs)`` of a site's proxy and return what it returns.

    ``what`` says it in an operator's words ("create volume db-root").  The SDK's lists are lazy generators: they are
    read to the end here and returned as a list.  A raw ``requests.Response`` with an error status is a failure too.

    Reads, and anything with ``idempotent=True``, are repeated (jitter, at most ``ATTEMPTS``, none begun after
    ``RETRY_SECONDS``) when the failure may pass; others only when the request provably never took effect.

    Raises ``Refused`` and its kinds, ``Unreachable``, ``UnknownOutcome`` (only for a non-idempotent
    change whose answer was lost or is an internal error), ``Unsupported``; programming errors pass unchanged.
    """
    begun = time.monotonic()
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TryAgain),
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_after_delay(RETRY_SECONDS),
        wait=tenacity.wait_random_exponential(multiplier=0.3, max=2),
        before_sleep=_tell,
        reraise=True,
    )
    try:
        answer = retrying(_attempt, site, what, idempotent, partial(function, *args, **kwargs))
        if retrying.statistics.get("attempt_number", 1) > 1:
            fence.waits("")
        return answer
    except _TryAgain as last:
        raise last.error from last.__cause__
    finally:
        LOG.debug("site %s: %s: %.3f s", site.name, what, time.monotonic() - begun)


def _attempt(site: CloudSite, what: str, idempotent: bool, act: Callable[[], Any]) -> Any:
    try:
        return _finished(act())
    except Exception as error:
        verdict = classify(error, site.name, what, idempotent=idempotent)
        if verdict is None:
            raise
        if isinstance(verdict.error, LoginRefused):
            site.login_refused = True
        if verdict.transient and (idempotent or verdict.precedes_effect):
            raise _TryAgain(verdict.error) from error
        if verdict.error is error:
            raise
        raise verdict.error from error


def post(
    site: CloudSite,
    what: str,
    proxy: Callable[[], Any],
    path: str,
    body: object,
    *,
    microversion: str | None = None,
    idempotent: bool = False,
) -> dict[str, Any]:
    """``POST path`` of a service (``proxy`` as for ``read_one``); its answer, {} when that is empty.

    Raises what ``call`` raises.
    """
    answer = call(
        site,
        what,
        lambda: proxy().post(path, json=body, microversion=microversion),
        idempotent=idempotent,
    )
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


def read_one(
    site: CloudSite,
    what: str,
    proxy: Callable[[], Any],
    path: str,
    key: str | None = None,
    *,
    microversion: str | None = None,
    **params: Any,
) -> Any:
    """``GET path`` of a service; what its answer has under ``key``, or all of it.

    ``proxy`` gives the service (``lambda: site.compute``), so that reaching it is part of the call.
    ``microversion`` is pinned where the shape of the answer depends on it; a service that is too old
    answers 406: ``Refused``.  Raises what ``call`` raises; SiteError for an answer that is not its JSON.
    """
    answer = call(site, what, lambda: proxy().get(path, params=params, microversion=microversion))
    try:
        body = answer.json()
        return body if key is None else body[key]
    except (ValueError, KeyError, TypeError) as error:
        said = f"the answer of {answer.url} is not what the service answers: is something else in between?"
        raise SiteError(site.name, what, said) from error


def read_all(
    site: CloudSite,
    what: str,
    proxy: Callable[[], Any],
    path: str,
    key: str,
    *,
    microversion: str | None = None,
    **params: Any,
) -> list[dict[str, Any]]:
    """``GET path`` of a service, every page, as the service sent it (``key`` names the list in the answer).

    The rest is as in ``read_one``.
    """
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = dict(params)
    while True:
        body = read_one(site, what, proxy, path, microversion=microversion, **query)
        if not isinstance(body, dict) or not isinstance(body.get(key), list):
            raise SiteError(site.name, what, f"the answer has no list {key!r}: is something else in between?")
        found.extend(body[key])
        links = (link["href"] for link in body.get(f"{key}_links", ()) if link["rel"] == "next")
        following = next(links, body.get("next"))  # Glance has but the one
        if following is None:
            return found
        # Only the query: behind a proxy the services often put an address there that is not for us.
        query = parse_qs(urlsplit(following).query)


def network_extensions(site: CloudSite) -> dict[str, str]:
    """The names of the extensions a Neutron has loaded, by alias.  Raises what ``call`` raises."""
    rows = read_all(site, "list network extensions", lambda: site.network, "/extensions", "extensions")
    return {row["alias"]: row["name"] for row in rows}


class _TryAgain(Exception):
    def __init__(self, error: SiteError) -> None:
        super().__init__(str(error))
        self.error = error


def _tell(state: tenacity.RetryCallState) -> None:
    """Somebody may be watching the step that makes the call."""
    LOG.info("again (attempt %d): %s", state.attempt_number, _reason(state))
    fence.waits(f"attempt {state.attempt_number + 1}: {_reason(state)}")


def _reason(state: tenacity.RetryCallState) -> str:
    return str(state.outcome.exception()) if state.outcome is not None else ""


def _finished(result: Any) -> Any:
    """Carry out what is still pending in a result: a lazy list, or a raw answer nobody has looked at."""
    if isinstance(result, GeneratorType):
        return list(result)
    if isinstance(result, requests.Response) and result.status_code >= 400:
        raise sdk.HttpException(response=result, message="refused")
    return result
