"""Carrying one request to a service and its answer back, on a connection of its own.

Not kept alive on purpose: a service may close an idle connection just when the next request is sent, and
that would be a fault nobody has ordered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11

from multisite_lab.faults.routes import Routes, Upstream
from multisite_lab.faults.wire import Answer, Body, Gone, Headers, Wire, end_to_end, framed

CONNECT_SECONDS = 5.0


class NoConnection(Exception):
    """The service itself cannot be reached; nothing was sent."""


@dataclass
class Ask:
    """A request for a service, read from a client."""

    upstream: Upstream
    method: str
    target: str
    headers: Headers
    body: Body

    @property
    def path(self) -> str:
        """As the service sees it, without its query and what the service is mounted under."""
        return self.target.split("?")[0].removeprefix(self.upstream.path)


async def forward(ask: Ask, routes: Routes) -> Answer:
    """Send it and return the answer, its links leading through the proxy.

    Raises NoConnection, or Gone when the service hangs up before its answer is complete.
    """
    up = ask.upstream
    try:
        opened = await asyncio.wait_for(asyncio.open_connection(up.host, up.port), CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise NoConnection(f"{up.url}: {error}") from error
    wire = Wire(*opened, h11.CLIENT)
    try:
        answer = await _exchange(wire, ask, routes)
    except h11.RemoteProtocolError as error:
        wire.cut()
        raise Gone(str(error)) from error
    except BaseException:
        wire.cut()
        raise
    if answer.body.rest is None:
        await wire.close()
    else:
        answer.body.rest = _then_close(answer.body.rest, wire)
    return answer


async def _exchange(wire: Wire, ask: Ask, routes: Routes) -> Answer:
    up = ask.upstream
    # Compressed answers could not be looked into; "expect" was answered here already.
    sent = end_to_end(ask.headers, b"host", b"accept-encoding", b"expect")
    host = up.host if up.port == 80 else f"{up.host}:{up.port}"
    has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in ask.headers)
    headers = framed(sent, ask.body) if has_body else sent
    own = [(b"host", host.encode()), (b"accept-encoding", b"identity"), (b"connection", b"close")]
    await wire.send(h11.Request(method=ask.method, target=ask.target, headers=[*own, *headers]))
    await wire.send_body(ask.body)
    head = await wire.event()
    while isinstance(head, h11.InformationalResponse):
        head = await wire.event()
    if not isinstance(head, h11.Response):
        raise Gone("closed before an answer")
    got = Answer(head.status_code, end_to_end(head.headers), await wire.read_body())
    return _translated(got, ask.method, routes)


def _translated(answer: Answer, method: str, routes: Routes) -> Answer:
    headers = [
        (name, routes.outward(value.decode("latin-1")).encode("latin-1") if name == b"location" else value)
        for name, value in answer.headers
    ]
    body = answer.body
    if body.whole and any(n == b"content-type" and b"json" in v for n, v in headers):
        body = Body(routes.rewritten(body.start))
    # An answer to HEAD, 204 and 304 has no body, whatever its headers say: those are kept.
    bodiless = method == "HEAD" or answer.status in (204, 304)
    return Answer(answer.status, headers if bodiless else framed(headers, body), body)


async def _then_close(rest: AsyncIterator[bytes], wire: Wire) -> AsyncIterator[bytes]:
    try:
        async for part in rest:
            yield part
    except BaseException:
        wire.cut()
        raise
    await wire.close()
