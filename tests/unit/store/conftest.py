from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade()
    yield database
    database.close()
