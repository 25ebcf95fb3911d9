"""A rule that is checked and then relied on ("no other job of this application") holds between processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from multisite.store.database import Database
from multisite_lab.postgres import Postgres

WRITERS = 4


def winners(server: Postgres, *, alone: bool) -> int:
    """How many of several databases' users at once found the table empty, and wrote."""
    server.sql("CREATE TABLE taken (who int)")
    together = Barrier(WRITERS)

    def take(who: int) -> None:
        database = Database(server.url)
        try:
            with database.session() as session:
                session.execute(text("SELECT 1"))  # connected: all begin at the same moment
                together.wait(30)
                if alone:
                    database.advisory_lock("application a1")
                if session.execute(text("SELECT count(*) FROM taken")).scalar() == 0:
                    session.execute(text("SELECT pg_sleep(0.2)"))
                    session.execute(text("INSERT INTO taken VALUES (:who)"), {"who": who})
        finally:
            database.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(take, range(WRITERS)))
    return int(server.sql("SELECT count(*) FROM taken"))


@pytest.mark.parametrize(("alone", "least", "most"), [(True, 1, 1), (False, 2, WRITERS)])
def test_only_one_passes(empty: Postgres, alone: bool, least: int, most: int) -> None:
    """The second case is the control: without it several pass."""
    assert least <= winners(empty, alone=alone) <= most
