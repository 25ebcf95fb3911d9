"""Whether this process can answer requests: for load balancers, without a token.

``/healthcheck`` says that the process lives: restart it when that does not answer.  ``/readiness`` says whether to
send it requests now.  Keystone is not asked: without it every process answers 503 and says why, which is better than
a load balancer with nobody to ask.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text

from multisite.domain.bounded import BoundedCalls, Overdue
from multisite.store.database import Database

LOG = logging.getLogger(__name__)

SECONDS = 2.0
"""A check may take; load balancers commonly ask every 2 to 5 seconds."""
OK = "ok"

Check = Callable[[], object]


class Readiness:
    """A WSGI application: 200 when every check passes, else 503; never later than ``seconds`` after the request.

    ``checks``: by the name that is shown, raising when what it asks cannot be used.  The answer is ``{"ready": bool,
    "checks": {name: "ok", "unavailable" or "no answer"}}``; why is in the log only, for anybody may ask.
    ``notices``: what keeps nobody from sending requests, but should be known; shown as such if there are any.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        seconds: float = SECONDS,
        notices: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._checks, self._notices = checks, notices
        self._calls = {name: BoundedCalls(seconds) for name in checks}
        self._known = dict.fromkeys(checks, OK)

    def __call__(self, _environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = {name: self._ask(name) for name in self._checks}
        ready = all(state == OK for state in found.values())
        answer: dict[str, object] = {"ready": ready, "checks": found}
        if notices := self._notices():
            answer["notices"] = notices
        body = json.dumps(answer).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
        }
        start_response("200 OK" if ready else "503 Service Unavailable", list(headers.items()))
        return [body]

    def _ask(self, name: str) -> str:
        try:
            self._calls[name].call(self._checks[name])
        except Overdue as error:
            return self._noted(name, "no answer", error)
        except Exception as error:
            return self._noted(name, "unavailable", error)
        return self._noted(name, OK, "requests can be answered")

    def _noted(self, name: str, state: str, why: object) -> str:
        """Into the log when it is another state than before, not at every probe."""
        if self._known[name] != state:
            level = logging.INFO if state == OK else logging.WARNING
            LOG.log(level, "readiness: %s: %s: %s", name, state, why)
        self._known[name] = state
        return state


def database_answers(database: Database) -> None:
    """Raises what the database raises."""
    with database.session(read_only=True) as session:
        session.execute(text("SELECT 1"))
