"""One HTTP/1.1 connection: h11's state machine over asyncio streams, and messages that may be too large to keep.

A message is read up to ``KEEP_BYTES``; what is longer passes through as it comes, so that images and backups
never pile up here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import h11

KEEP_BYTES = 256 * 1024
READ_BYTES = 64 * 1024
Headers = list[tuple[bytes, bytes]]

# What concerns one connection only (RFC 9110, 7.6.1); framing is h11's business on each side.
_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)


class Gone(Exception):
    """The other side has closed the connection."""


@dataclass
class Body:
    """``start`` is all of it, unless ``rest`` gives more as it arrives."""

    start: bytes = b""
    rest: AsyncIterator[bytes] | None = None

    @property
    def whole(self) -> bool:
        return self.rest is None

    async def keep(self) -> None:
        """Read the rest, however long it is."""
        if self.rest is not None:
            parts = [self.start] + [part async for part in self.rest]
            self.start, self.rest = b"".join(parts), None


@dataclass
class Answer:
    """What a service answered, or what is answered in its place."""

    status: int
    headers: Headers
    body: Body = field(default_factory=Body)


class Wire:
    """A connection in one role (``h11.SERVER`` towards clients, ``h11.CLIENT`` towards services)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: Any) -> None:
        self._reader, self._writer = reader, writer
        self.h11 = h11.Connection(role, max_incomplete_event_size=KEEP_BYTES)

    async def event(self) -> Any:
        """The next h11 event.  Raises Gone, and h11.RemoteProtocolError for what is no HTTP."""
        while True:
            event = self.h11.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.h11.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            try:
                self.h11.receive_data(await self._reader.read(READ_BYTES))
            except OSError as error:
                raise Gone(str(error)) from error

    async def send(self, event: Any) -> None:
        """Raises Gone when nobody is there any more."""
        data = self.h11.send(event)
        if data:
            try:
                self._writer.write(data)
                await self._writer.drain()
            except OSError as error:
                raise Gone(str(error)) from error

    async def read_body(self) -> Body:
        """What follows a head: all of it up to ``KEEP_BYTES``."""
        parts: list[bytes] = []
        size = 0
        while True:
            event = await self.event()
            if not isinstance(event, h11.Data):
                if isinstance(event, h11.ConnectionClosed):
                    raise Gone("closed within a message")
                return Body(b"".join(parts))
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > KEEP_BYTES:
                return Body(b"".join(parts), self._rest())

    async def send_body(self, body: Body) -> None:
        if body.start:
            await self.send(h11.Data(data=body.start))
        if body.rest is not None:
            async for part in body.rest:
                await self.send(h11.Data(data=part))
        await self.send(h11.EndOfMessage())

    async def until_gone(self) -> None:
        """Return when the other side has closed the connection, whatever it sends before."""
        try:
            while await self._reader.read(READ_BYTES):
                pass
        except OSError:
            return

    def cut(self) -> None:
        """Close at once; the other side gets a reset."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return

    async def _rest(self) -> AsyncIterator[bytes]:
        while True:
            event = await self.event()
            if isinstance(event, h11.ConnectionClosed):
                raise Gone("closed within a message")
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)


def end_to_end(headers: Any, *without: bytes) -> Headers:
    """The headers that are for the far end; names are lower case (h11's rule)."""
    dropped = _HOP | set(without)
    return [(bytes(name), bytes(value)) for name, value in headers if bytes(name) not in dropped]


def framed(headers: Headers, body: Body) -> Headers:
    """With the length of a body that is known; of others the length they came with, or chunked."""
    if body.whole:
        others = [pair for pair in headers if pair[0] != b"content-length"]
        return [*others, (b"content-length", str(len(body.start)).encode())]
    if any(name == b"content-length" for name, _ in headers):
        return headers
    return [*headers, (b"transfer-encoding", b"chunked")]
