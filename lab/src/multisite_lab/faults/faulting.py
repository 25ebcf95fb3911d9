"""What each kind of fault does to one request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from multisite_lab.faults.forward import Ask, NoConnection
from multisite_lab.faults.rules import Rule
from multisite_lab.faults.wire import Answer, Body, Gone, Headers

REMEMBERED = 2000
"""Bodies kept for stale reads, the latest of as many URLs."""
_REQUEST_ID = "req-fa017000-0000-4000-8000-000000000000"


class Cut(Exception):
    """Close the client's connection without an answer."""


class Hang(Exception):
    """Never answer."""


@dataclass
class Outcome:
    """``upstream``: the status the service itself gave, None when it was not asked (yet)."""

    answer: Answer
    upstream: int | None = None
    fault: str | None = None


class Faulting:
    """Answers requests as the rule says.  ``send`` forwards one; ``later`` runs something in the background."""

    def __init__(
        self,
        send: Callable[[Ask], Awaitable[Answer]],
        later: Callable[[Callable[[], Awaitable[int | None]], float], None],
    ) -> None:
        self._send = send
        self._later = later
        self._last: dict[str, tuple[int, Headers, bytes]] = {}

    async def answer(self, ask: Ask, rule: Rule | None) -> Outcome:
        """The answer a client gets; raises Cut or Hang when it gets none."""
        fault = rule.fault if rule is not None else None
        if rule is None:
            return await self._pass(ask)
        if fault == "delay":
            await asyncio.sleep(rule.seconds)
            return await self._pass(ask, fault)
        if fault == "drop":
            raise Cut
        if fault == "hang":
            raise Hang
        if fault == "late-success":
            return await self._late_success(ask, rule)
        if fault == "stale":
            return await self._stale(ask)
        await ask.body.keep()  # the client may go on sending; and a late effect needs it
        if fault == "late-effect":
            self._later(lambda: self._status_of(ask), rule.seconds)
            return Outcome(failure(504, "The server didn't respond in time."), fault=fault)
        if fault == "unauthorized":
            return Outcome(_expired(), fault=fault)
        return Outcome(failure(rule.status, "Injected fault.", request_id=rule.request_id), fault=fault)

    async def _pass(self, ask: Ask, fault: str | None = None) -> Outcome:
        try:
            answer = await self._send(ask)
        except NoConnection as error:
            # What a balancer says whose servers are all down: no request id, so nothing was at work.
            return Outcome(failure(503, str(error)), fault=fault)
        except Gone as error:
            raise Cut from error
        if ask.method == "GET" and answer.body.whole and answer.status < 300:
            self._last.pop(ask.target, None)
            self._last[ask.target] = (answer.status, answer.headers, answer.body.start)
            if len(self._last) > REMEMBERED:
                del self._last[next(iter(self._last))]
        return Outcome(answer, answer.status, fault)

    async def _late_success(self, ask: Ask, rule: Rule) -> Outcome:
        done = await self._pass(ask)
        await done.answer.body.keep()  # executed to the end, whatever the client learns
        if rule.answer == "504":
            return Outcome(failure(504, "The server didn't respond in time."), done.upstream, rule.fault)
        raise Cut(done.upstream) if rule.answer == "cut" else Hang(done.upstream)

    async def _stale(self, ask: Ask) -> Outcome:
        known = self._last.get(ask.target) if ask.method == "GET" else None
        if known is None:
            return await self._pass(ask, "stale: nothing earlier")
        status, headers, body = known
        return Outcome(Answer(status, headers, Body(body)), fault="stale")

    async def _status_of(self, ask: Ask) -> int | None:
        try:
            answer = await self._send(ask)
            await answer.body.keep()
        except (Gone, NoConnection):
            return None
        return answer.status


def failure(status: int, words: str, *, request_id: bool = False) -> Answer:
    """An error in the shape the services share."""
    body = json.dumps({"error": {"code": status, "message": words}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if request_id:
        headers.append((b"x-openstack-request-id", _REQUEST_ID.encode()))
    return Answer(status, headers, Body(body))


def _expired() -> Answer:
    """What keystonemiddleware answers to a token that is no longer good; keystoneauth then logs in again."""
    answer = failure(401, "The request you have made requires authentication.")
    answer.headers.append((b"www-authenticate", b'Keystone uri="unknown"'))
    return answer
