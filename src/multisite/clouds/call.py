"""One way to call a site: every failure becomes one of ``errors``, and only what is safe is tried again.

The hard question after a failure is whether the request took effect.  keystoneauth folds connect
timeouts, read timeouts and lost connections into two exceptions (``Session._send_request``), but the
requests/urllib3 exception it came from stays in ``__context__`` and tells them apart: that, with the HTTP
method, is what is looked at here.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from types import GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload
from urllib.parse import parse_qs, urlsplit

import requests
import tenacity
import urllib3.exceptions
from keystoneauth1 import exceptions as ks
from openstack import exceptions as sdk

from multisite.clouds.errors import (
    ConflictInSite,
    LoginRefused,
    NotFoundInSite,
    OverQuota,
    Refused,
    SiteError,
    UnknownOutcome,
    Unreachable,
    Unsupported,
)
from multisite.domain import fence

if TYPE_CHECKING:
    from multisite.clouds.connect import CloudSite

LOG = logging.getLogger(__name__)
R = TypeVar("R")

RETRY_SECONDS = 6.0
"""No new attempt begins later than this after the first: a dead site is reported in seconds, not minutes."""
ATTEMPTS = 4

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# A used-up quota is 403 from Nova, 409 from Neutron, 413 from Cinder (also its rate limit): only the
# words tell.
_QUOTA_WORDS = re.compile(r"quota|exceed\w* allowed|number of .{1,40} exceeded", re.IGNORECASE)
_REFUSALS: dict[int, type[Refused]] = {401: LoginRefused, 404: NotFoundInSite, 409: ConflictInSite}
# Raised while the connection is being made, so before a byte of the request was sent.
_NEVER_SENT = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
)
_SDK_CANNOT = (
    ks.CatalogException,
    sdk.ConfigException,
    sdk.EndpointNotFound,
    sdk.MethodNotSupported,
    sdk.NotSupported,
)


class Verdict(NamedTuple):
    """``error`` to raise; ``precedes_effect``: the request provably changed nothing; ``transient``: worth
    repeating.
    """

    error: SiteError
    precedes_effect: bool
    transient: bool


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

    ``what`` says it in an operator's words ("create volume db-root").  The SDK's lists are lazy
    generators: they are read to the end here and returned as a list.  A raw ``requests.Response`` with an
    error status is a failure too.

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
        following = next(
            (link["href"] for link in body.get(f"{key}_links", ()) if link["rel"] == "next"), None
        )
        if following is None:
            return found
        # Only the query: behind a proxy the services often put an address there that is not for us.
        query = parse_qs(urlsplit(following).query)


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


def classify(error: BaseException, site: str, what: str, *, idempotent: bool = False) -> Verdict | None:
    """Sort an exception of openstacksdk, keystoneauth or requests; None for any other: a bug of ours."""
    if isinstance(error, SiteError):  # from a call within the call, which has done its own repeating
        return Verdict(error, precedes_effect=isinstance(error, Unreachable), transient=False)
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        return _answered(response, site, what, idempotent)
    if isinstance(error, _SDK_CANNOT):
        return Verdict(Unsupported(site, what, str(error)), precedes_effect=True, transient=False)
    if isinstance(error, ks.DiscoveryFailure):
        return Verdict(Unreachable(site, what, str(error)), precedes_effect=True, transient=True)
    if isinstance(error, ks.ConnectionError | requests.exceptions.RequestException):
        return _unanswered(error, site, what, idempotent)
    if isinstance(error, ks.HttpError):  # raised without a response only by auth plugins
        refused = _REFUSALS.get(error.http_status, Refused)
        status, request_id = error.http_status, error.request_id
        found = refused(site, what, str(error.message), site_status=status, request_id=request_id)
        return Verdict(found, precedes_effect=True, transient=False)
    if isinstance(error, ks.ClientException | sdk.SDKException):
        return Verdict(SiteError(site, what, str(error)), precedes_effect=False, transient=False)
    return None


def _answered(response: requests.Response, site: str, what: str, idempotent: bool) -> Verdict:
    status, headers = response.status_code, response.headers
    request_id = headers.get("x-openstack-request-id") or headers.get("x-compute-request-id")
    message = answer_words(response)
    harmless = _changes_nothing(response.request)
    if status in (500, 502, 503, 504):
        # A 503 without a request id is a proxy's that found no server.  In all the others a service was
        # at work.
        never_began = status == 503 and not request_id
        shown = f"{message} (HTTP {status}" + (f", {request_id})" if request_id else ")")
        if not (harmless or idempotent or never_began):
            lost = f"{shown}: it may have taken effect, look before repeating it"
            return Verdict(UnknownOutcome(site, what, lost), precedes_effect=False, transient=False)
        if status != 500:
            return Verdict(Unreachable(site, what, shown), harmless or never_began, transient=True)
    if status == 404 and _hidden(response):
        # Nothing was found out of the thing itself, so nothing was changed either.
        shown = f"{message} (HTTP 404): it does not say of what, as a service does that is just starting"
        return Verdict(Unreachable(site, what, shown), precedes_effect=True, transient=True)
    kind = _REFUSALS.get(status, Refused)
    if status in (403, 409, 413) and _QUOTA_WORDS.search(message):
        kind = OverQuota
    if status == 401:
        message = f"{message}: check the credentials of its clouds.yaml entry"
    refused = kind(site, what, message, site_status=status, request_id=request_id)
    return Verdict(refused, precedes_effect=harmless or status == 429, transient=status in (429, 500))


def _hidden(response: requests.Response) -> bool:
    """Whether a 404 says nothing of what was asked for: Neutron's when its policies hide a thing that may be there.

    A thing that is gone is told with its kind (``PortNotFound``).  A Neutron with several threads loads its policies
    with the first request and hides everything from those that come meanwhile (neutron/policy.py, init).
    """
    try:
        content = response.json()
    except ValueError:
        return False
    said = content.get("NeutronError", content) if isinstance(content, dict) else None
    return isinstance(said, dict) and said.get("type") == "HTTPNotFound"


def _changes_nothing(request: Any) -> bool:
    """Reads, and logging in.  A request that is not known may change anything."""
    return request is not None and (request.method in _READS or str(request.url).endswith("/auth/tokens"))


def _unanswered(error: BaseException, site: str, what: str, idempotent: bool) -> Verdict:
    origin = _origin(error)
    harmless = _changes_nothing(getattr(origin, "request", None))
    never_sent = any(isinstance(e, _NEVER_SENT) for e in _within(origin))
    reason = _words_of(origin)
    # Whoever waited a whole time limit has been patient enough; a refused connection may be a restart.
    transient = not isinstance(origin, requests.exceptions.Timeout | requests.exceptions.SSLError)
    if never_sent or harmless or idempotent:
        return Verdict(Unreachable(site, what, reason), never_sent or harmless, transient)
    lost = f"{reason}: the request was sent and may have taken effect, look before repeating it"
    return Verdict(UnknownOutcome(site, what, lost), precedes_effect=False, transient=transient)


def _origin(error: BaseException) -> BaseException:
    """The requests exception keystoneauth made this one of; no further: older contexts belong to other
    calls.
    """
    came_from = error.__context__
    if isinstance(error, ks.ConnectionError) and isinstance(came_from, requests.exceptions.RequestException):
        return came_from
    return error


def _within(error: BaseException) -> Iterator[BaseException]:
    """An exception and those urllib3 and requests wrapped in it as ``args`` and ``reason``."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException) and inner is not error:
            yield from _within(inner)


def _words_of(origin: BaseException) -> str:
    """What an operator can do something with; the libraries' nested reprs are not."""
    request = getattr(origin, "request", None)
    where = str(request.url).split("?")[0] if request is not None else ""
    inner = list(_within(origin))
    text = " ".join(str(e) for e in inner)
    if isinstance(origin, requests.exceptions.SSLError):
        reason = f"TLS refused: {origin}"
    elif isinstance(origin, requests.exceptions.ConnectTimeout | ks.ConnectTimeout):
        reason = "no connection in time"
    elif isinstance(origin, requests.exceptions.Timeout):
        reason = "no answer in time"
    elif any(isinstance(e, urllib3.exceptions.NameResolutionError) for e in inner):
        reason = "its name cannot be resolved"
    elif "refused" in text:
        reason = "connection refused"
    elif "unreachable" in text or "No route" in text:
        reason = "no route to it"
    else:
        reason = "connection lost" if "abort" in text or "reset" in text else str(origin)
    return f"{where}: {reason}" if where else reason


def answer_words(response: requests.Response) -> str:
    """The sentence in an error answer: ``{"anything": {"message": ...}}``, Neutron's, Keystone's, or the
    start of the text.
    """
    try:
        content = response.json()
    except ValueError:
        body = re.sub(r"(?is)<head>.*?</head>|<[^>]*>", " ", response.text)
        text = re.sub(r"\s+", " ", body).strip()
        return text[:300] or response.reason or "no reason given"
    found = _message_in(content)
    return found or json.dumps(content)[:300]


def _message_in(content: Any) -> str | None:
    if not isinstance(content, dict):
        return None
    for value in (content, *content.values()):
        if isinstance(value, str) and len(content) == 1:
            return value
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            return str(value["message"])
    return None
