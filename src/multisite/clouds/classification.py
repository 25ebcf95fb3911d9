"""What a failed request to a site means: which of ``errors`` it is, and whether it may have taken effect.

keystoneauth folds connect timeouts, read timeouts and lost connections into two exceptions
(``Session._send_request``), but the requests/urllib3 exception it came from stays in ``__context__`` and tells
them apart: that, with the HTTP method, is what is looked at here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import requests
import urllib3.exceptions
from keystoneauth1 import exceptions as ks
from openstack import exceptions as sdk

from multisite.clouds.errors import (
    ConflictInSite,
    HiddenInSite,
    LoginRefused,
    NotFoundInSite,
    OverQuota,
    Refused,
    SiteError,
    UnknownOutcome,
    Unreachable,
    Unsupported,
)

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
    """``error`` to raise; ``precedes_effect``: the request provably changed nothing; ``transient``: worth repeating."""

    error: SiteError
    precedes_effect: bool
    transient: bool


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
        return Verdict(HiddenInSite(site, what, shown), precedes_effect=True, transient=True)
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
    """The requests exception keystoneauth made this one of; no further: older contexts belong to other calls."""
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
