"""Limits: how many steps of one kind may run at the same time, in this process or over all workers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import IntegrityError

from multisite.jobs.context import RunContext
from multisite.jobs.records import Abandoned
from multisite.store import workers
from multisite.store.database import Database

POLL = (0.1, 0.3)
"""Seconds between two looks for a slot that another worker may give back; at random, so that none starves."""

Record = Callable[..., Awaitable[Any]]
"""Runs a short call on the database, and rides out its absence."""


class Limits:
    """How many may hold a limit.  ``backups`` is also the limit of each ``backups:<site>``; unknown means 1."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[str, int] = {}
        self._semaphores: dict[tuple[str, str], asyncio.Semaphore] = {}

    def set(self, name: str, count: int) -> bool:
        """False when the count makes no sense or another kind of job says otherwise."""
        return self._counts.setdefault(name, count) == count and count >= 1

    @asynccontextmanager
    async def hold(self, name: str, step: str, around: RunContext, record: Record) -> AsyncIterator[None]:
        """Hold one of its slots, in the order of asking in this process.  Abandoned when the lease is lost."""
        count = self._counts.get(name) or self._counts.get(name.partition(":")[0]) or 1
        life = (around.ownership.worker, name)  # each has an event loop of its own
        # Those of this process first, so that few ask the database.
        async with self._semaphores.setdefault(life, asyncio.Semaphore(count)):
            if self._database.is_sqlite:
                yield
                return
            while (number := await record(self._take, name, count, around, step)) is None:
                await asyncio.sleep(random.uniform(*POLL))  # noqa: S311 - no secret
            try:
                yield
            finally:
                # Else whoever noticed has given it back, and it may be another's by now.
                if not around.ownership.lost:
                    await record(self._give_back, name, number, around.ownership.worker)

    def _take(self, name: str, count: int, around: RunContext, step: str) -> int | None:
        worker = around.ownership.worker
        try:
            with self._database.session() as session:
                return workers.take_slot(session, name, count, worker, around.claim.job_id, step)
        except IntegrityError as error:  # there is no such worker any more
            raise Abandoned(f"worker {worker} has lost its lease") from error

    def _give_back(self, name: str, number: int, worker: str) -> None:
        with self._database.session() as session:
            workers.give_back(session, name, number, worker)
