"""A site's proxy inside another program: a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any

from multisite_lab.faults.journal import Journal
from multisite_lab.faults.proxy import SiteProxy
from multisite_lab.faults.routes import Upstream
from multisite_lab.faults.rules import Rule


class FaultProxy:
    """``with FaultProxy("site1", {"keystone": "http://192.168.251.11:5000", ...}) as proxy:``

    Every method may be called from any thread.
    """

    def __init__(
        self,
        site: str,
        upstreams: dict[str, str],
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self.journal = Journal(site, log)
        self._upstreams = [Upstream(service, url) for service, url in upstreams.items()]
        self._address = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"faults-{site}", daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def url(self, service: str) -> str:
        """Where a service is offered, without its version."""
        return self._proxy.routes.url(service)

    def rules(self, *rules: Rule) -> None:
        """These rules from now on, each beginning to count anew; none: no faults."""
        self._proxy.rules.replace(rules)

    def cut(self, how: str | None) -> None:
        """Lose the site ("refuse" or "hang"), or give it back (None)."""
        self._run(self._proxy.cut(how))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The log so far (see journal.Journal)."""
        return self.journal.lines

    async def _start(self) -> None:
        self._proxy = SiteProxy(self._upstreams, self.journal, *self._address)
        await self._proxy.start()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
