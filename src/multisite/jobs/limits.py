"""Limits: how many steps of one kind may run at the same time, in this process or over all workers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy.exc import IntegrityError

from multisite.jobs.lease import Ownership
from multisite.jobs.records import Abandoned
from multisite.store import workers
from multisite.store.database import Database

POLL = (0.1, 0.3)
"""Seconds between two looks for a slot that another worker may give back; at random, so that none starves."""

Record = Callable[..., Awaitable[Any]]


class Counts:
    """How many may hold a limit.  ``backups`` is also the limit of each ``backups:<site>``; unknown means 1."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._semaphores: dict[str, asyncio.Semaphore] = {}

    def set(self, name: str, count: int) -> bool:
        """False when the count makes no sense or another kind of job says otherwise."""
        return self._counts.setdefault(name, count) == count and count >= 1

    def of(self, name: str) -> int:
        return self._counts.get(name) or self._counts.get(name.partition(":")[0]) or 1

    def here(self, name: str) -> asyncio.Semaphore:
        """Of this process, in the order of asking."""
        return self._semaphores.setdefault(name, asyncio.Semaphore(self.of(name)))


@asynccontextmanager
async def slot(
    database: Database, name: str, count: int, job_id: str, step: str, ownership: Ownership, record: Record
) -> AsyncIterator[None]:
    """Hold one of ``count`` slots of a limit over all workers.  Abandoned when the lease is lost.

    ``record`` runs a short call on the database and rides out its absence.
    """
    taking = partial(_take, database, name, count, ownership, job_id, step)
    while (number := await record(taking)) is None:
        await asyncio.sleep(random.uniform(*POLL))  # noqa: S311 - no secret
    try:
        yield
    finally:
        if not ownership.lost:  # else whoever noticed has given it back, and it may be another's by now
            await record(partial(_give_back, database, name, number, ownership))


def _take(
    database: Database, name: str, count: int, ownership: Ownership, job_id: str, step: str
) -> int | None:
    try:
        with database.session() as session:
            return workers.take_slot(session, name, count, ownership.worker, job_id, step)
    except IntegrityError as error:  # there is no such worker any more
        raise Abandoned(f"worker {ownership.worker} has lost its lease") from error


def _give_back(database: Database, name: str, number: int, ownership: Ownership) -> None:
    with database.session() as session:
        workers.give_back(session, name, number, ownership.worker)
