"""A keystoneauth session that records every change before it goes out, and what came of it after.

The seam is ``Session.request``: every request of openstacksdk passes it once, with the service it is for and the
path at that service.  What is repeated by ``call`` passes it again and is another record; keystoneauth's own
repetition, after a token has expired, is part of one (the first was refused, so nothing was done twice).
"""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from keystoneauth1.session import Session

from multisite.clouds.classification import classify
from multisite.domain import fence, work
from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent, Trail

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGIN = "/auth/tokens"
_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9]+", re.IGNORECASE)
# Collections whose members have names people choose.
_NAMED = frozenset({"os-keypairs", "flavors", "tags", "metadata", "os-extra_specs", "os-quota-sets"})
_NO_RESOURCE = frozenset({"tags", "metadata", "os-extra_specs"})
_BODY_LIMIT = 64 * 1024


class AuditedSession(Session):
    """``audit_to`` turns it on; a session without a trail is an ordinary one."""

    trail: Trail | None = None
    site = ""

    def audit_to(self, trail: Trail | None, site: str) -> None:
        """Record changes in this trail as made in this site."""
        self.trail, self.site = trail, site

    def request(self, url: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """As keystoneauth's; raises what the trail raises when the intent cannot be kept: nothing was sent then."""
        trail = self.trail
        if trail is None or not changes(url, method):
            return super().request(url, method, *args, **kwargs)
        fence.check()  # who has lost the right to act does not even intend
        intent = self._intent(url, method, kwargs)
        trail.begin(intent)
        begun = time.monotonic()
        try:
            answer = super().request(url, method, *args, **kwargs)
        except BaseException as error:
            trail.finish(_failed(intent, error, time.monotonic() - begun))
            raise
        created = None if kwargs.get("stream") else _created(answer)
        trail.finish(_answered(intent, answer, time.monotonic() - begun, created))
        return answer

    def _intent(self, url: str, method: str, kwargs: dict[str, Any]) -> Intent:
        doing = work.current()
        path, resource_id = template(urlsplit(url).path)
        return Intent(
            kind=AuditKind.CLOUD, user=doing.user, project_id=doing.project_id, request_id=doing.request_id,
            job_id=doing.job_id, subject=doing.subject, step=doing.step, attempt=doing.attempt,
            undoing=doing.undoing, site=self.site, service=_service(kwargs), method=method.upper(), path=path,
            action=_action(path, kwargs.get("json")), resource_id=resource_id,
        )  # fmt: skip


def changes(url: str, method: str) -> bool:
    """Whether a request may change something in a site; a login does not."""
    return method.upper() not in _READS and not urlsplit(url).path.endswith(_LOGIN)


def template(path: str) -> tuple[str, str | None]:
    """A path with ``{id}`` for what names one thing, and the id of the last such thing."""
    shown: list[str] = []
    last = None
    for part in path.split("/"):
        before = shown[-1] if shown else ""
        if part and (_ID.fullmatch(part) or before in _NAMED):
            last = last if before in _NO_RESOURCE else part
            part = "{id}"
        shown.append(part)
    return "/".join(shown), last


def _service(kwargs: dict[str, Any]) -> str | None:
    found = (kwargs.get("endpoint_filter") or {}).get("service_type")
    return str(found) if found else None


def _action(path: str, body: Any) -> str | None:
    """The name of a server's or volume's action; it is a word of the API, what belongs to it is not kept."""
    if path.endswith("/action") and isinstance(body, dict) and len(body) == 1:
        return str(next(iter(body)))
    return None


def _created(answer: requests.Response) -> str | None:
    """The id in ``{"server": {"id": ...}}``; a key pair has a name."""
    if answer.status_code >= 300 or len(answer.content) > _BODY_LIMIT:
        return None
    try:
        content = json.loads(answer.content or b"null")
    except ValueError:
        return None
    inner = next(iter(content.values())) if isinstance(content, dict) and len(content) == 1 else content
    found = (inner.get("id") or inner.get("name")) if isinstance(inner, dict) else None
    return found if isinstance(found, str) else None


def _answered(
    intent: Intent, answer: requests.Response, seconds: float, created: str | None = None
) -> Ending:
    status, headers = answer.status_code, answer.headers
    request_id = headers.get("x-openstack-request-id") or headers.get("x-compute-request-id")
    if status < 400:
        outcome = AuditOutcome.DONE
    elif status < 500:
        outcome = AuditOutcome.REFUSED
    elif status == 503 and not request_id:
        outcome = AuditOutcome.NOT_SENT  # by a balancer that found no server, see call.py
    else:
        outcome = AuditOutcome.UNKNOWN
    return Ending(intent.key, outcome, status, request_id, created, seconds=round(seconds, 4))


def _failed(intent: Intent, error: BaseException, seconds: float) -> Ending:
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        return _answered(intent, response, seconds)
    verdict = classify(error, intent.site or "", intent.path)
    sent = verdict is None or not verdict.precedes_effect
    outcome = AuditOutcome.UNKNOWN if sent else AuditOutcome.NOT_SENT
    return Ending(intent.key, outcome, seconds=round(seconds, 4))
