"""What tests of many folders stand on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An embedded one of this release, with nothing in it."""
    made = Database(f"sqlite:///{tmp_path}/multisite.db")
    made.upgrade()
    yield made
    made.close()
