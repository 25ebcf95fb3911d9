"""Every change asked of the API goes into the audit trail: before it is carried out, and what came of it.

Reads are not recorded, nor the POSTs that are declared to read only.  A request that was refused (403, 400 ...) is:
somebody tried.  What requests without a valid token want never gets here.
"""

from __future__ import annotations

import re
import time
from typing import Any

from flask import Response, g, request

from multisite.api import errors, identity
from multisite.api.resources import DECLARED
from multisite.api.state import Service
from multisite.domain import work
from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent
from multisite.store.trail import AuditTrail

audit = Service("audit", AuditTrail)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def begin() -> None:
    """Before a request is carried out: say whose it is, and record the intent."""
    found = identity.context()
    user = request.environ.get("HTTP_X_USER_NAME") or found.user_id or ""
    g.work = work.begin(work.Work(user, found.project_id, errors.request_id() or None))
    route = DECLARED.get(request.endpoint or "")
    if route is None or not route.recorded or request.method != route.method or not found.user_id:
        return
    arguments = request.view_args or {}
    subject = arguments.get("id") or arguments.get("name")
    intent = Intent(
        kind=AuditKind.API, user=user, user_id=found.user_id, project_id=found.project_id,
        request_id=errors.request_id() or None, method=request.method,
        path=route.path, subject=subject, resource_id=subject,
        job_id=subject if request.blueprint == "jobs" else None, site=_site(arguments),
    )  # fmt: skip
    audit().begin(intent)
    g.intent, g.intended = intent, time.monotonic()


def finish(response: Response) -> Response:
    """After it: record what came of it."""
    if "intent" in g:
        status = response.status_code
        outcome = AuditOutcome.DONE if status < 400 else AuditOutcome.REFUSED
        if status >= 500:
            outcome = AuditOutcome.UNKNOWN
        made = response.get_json(silent=True) if response.is_json and status < 300 else None
        audit().finish(
            Ending(
                g.intent.key, outcome, status, resource_id=_made(made), job_id=_text(made, "job_id"),
                project_id=g.get("owner"), seconds=round(time.monotonic() - g.intended, 4),
            )
        )  # fmt: skip
    return response


def leave(_error: BaseException | None = None) -> None:
    """The thread is free for others; a request that found no answer leaves its intent alone, truthfully."""
    if "work" in g:
        work.end(g.pop("work"))


def _site(arguments: dict[str, Any]) -> str | None:
    """The site it is about, as far as the request tells: by its path, or by a name in its body."""
    if request.blueprint == "sites" and "name" in arguments:
        return str(arguments["name"])
    body = request.get_json(silent=True) if request.is_json else None
    field = "name" if request.blueprint == "sites" else "target_site"
    found = _text(body, field) or (_text(body, "site") if field != "name" else None)
    return found if found and _NAME.fullmatch(found) else None


def _made(content: Any) -> str | None:
    for name in ("recovery", "network"):
        if isinstance(content, dict) and name in content:
            return _text(content[name], "id")
    return _text(content, "id")


def _text(content: Any, field: str) -> str | None:
    found = content.get(field) if isinstance(content, dict) else None
    return found if isinstance(found, str) else None
