"""The proxy of one site: listens, reads requests, lets the rules decide, logs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import h11

from multisite_lab.faults.faulting import Cut, Faulting, Hang, Outcome, failure
from multisite_lab.faults.forward import Ask, forward
from multisite_lab.faults.journal import Journal
from multisite_lab.faults.routes import Routes, Upstream
from multisite_lab.faults.rules import Orders, Rulebook
from multisite_lab.faults.wire import Gone, Wire


class SiteProxy:
    """Stands before every service of a site at one address.  Lives in one asyncio loop.

    ``rules`` may be changed from any thread at any time; ``cut`` and ``obey`` belong to the loop.
    """

    def __init__(
        self, upstreams: list[Upstream], journal: Journal, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.rules = Rulebook()
        self.journal = journal
        self.routes = Routes(upstreams)
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clients: dict[asyncio.Task[Any], Wire] = {}
        self._faulting = Faulting(lambda ask: forward(ask, self.routes), self._later)
        self._cut: str | None = None

    async def start(self) -> None:
        """Listen; OSError when the address is taken."""
        # The backlog is large because a hung site goes on accepting.
        self._server = await asyncio.start_server(self._client, self._host, self._port, backlog=512)
        self._port = self._server.sockets[0].getsockname()[1]
        self.routes.base = f"http://{self._host}:{self._port}"

    async def stop(self) -> None:
        """Close everything, also what hangs."""
        self._refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cut(self, how: str | None) -> None:
        """Lose the whole site: ``refuse`` every connection, or let all ``hang``; None gives it back.

        What hangs goes on when the site is back, as packets do that were only late.
        """
        if how == self._cut:
            return
        if how == "refuse":
            self._refuse()
        elif self._cut == "refuse":
            await self.start()
        if how == "hang":
            self._flowing.clear()
        else:
            self._flowing.set()
        self._cut = how

    async def obey(self, orders: Orders) -> None:
        """Do what a control file says; rules that stay go on counting."""
        self.rules.replace(orders.rules, keep=True)
        await self.cut(orders.cut)

    def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task, wire in list(self._clients.items()):
            wire.cut()
            task.cancel()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer, h11.SERVER)
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = wire
        try:
            while await self._one(wire):
                wire.h11.start_next_cycle()
        except (Gone, Cut, h11.ProtocolError):
            wire.cut()
        except asyncio.CancelledError:
            wire.cut()  # nobody awaits this task: the loop's own streams code would only complain
        finally:
            del self._clients[task]
            await wire.close()

    async def _one(self, wire: Wire) -> bool:
        """Answer one request; False when the connection is not to be used again."""
        head = await wire.event()
        if not isinstance(head, h11.Request):
            return False
        method, target = head.method.decode(), head.target.decode("latin-1")
        body = await wire.read_body()
        found = self.routes.inward(target)
        if found is None:
            await body.keep()
            await self._reply(wire, Outcome(failure(404, f"this proxy has no service at {target}")))
            return bool(wire.h11.our_state is h11.DONE)
        headers = [(bytes(name), bytes(value)) for name, value in head.headers]
        await self._flowing.wait()
        await self._answered(wire, Ask(found[0], method, found[1], headers, body))
        return bool(wire.h11.our_state is h11.DONE and wire.h11.their_state is h11.DONE)

    async def _answered(self, wire: Wire, ask: Ask) -> None:
        begun = time.monotonic()
        line = self.journal.begin(ask.upstream.service, ask.method, ask.path)
        rule = self.rules.choose(line["number"], ask.upstream.service, ask.method, ask.path)
        fault = rule.fault if rule is not None else None
        try:
            outcome = await self._faulting.answer(ask, rule)
            await self._flowing.wait()
        except (Cut, Hang) as lost:
            self.journal.end(line, None, fault or "upstream hung up", begun, upstream=_first(lost.args))
            if isinstance(lost, Hang):
                await wire.until_gone()
            raise Cut from lost
        except asyncio.CancelledError:
            self.journal.end(line, None, fault or "cut", begun)
            raise
        # Before the answer goes out: whoever has it may rely on the line.
        self.journal.end(line, outcome.answer.status, outcome.fault, begun, upstream=outcome.upstream)
        await self._reply(wire, outcome)

    async def _reply(self, wire: Wire, outcome: Outcome) -> None:
        answer = outcome.answer
        await wire.send(h11.Response(status_code=answer.status, headers=answer.headers))
        await wire.send_body(answer.body)

    def _later(self, act: Callable[[], Awaitable[int | None]], seconds: float) -> None:
        begun = time.monotonic()

        async def run() -> None:
            await asyncio.sleep(seconds)
            status = await act()
            late = {"number": None, "site": self.journal.site, "at": round(time.time(), 3)}
            self.journal.end(late, None, "late effect", begun, upstream=status)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _first(args: tuple[Any, ...]) -> Any:
    return args[0] if args else None
