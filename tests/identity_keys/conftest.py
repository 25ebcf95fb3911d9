"""A fresh ground for every test, closed whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from identity_keys.ground import Ground


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: what is measured and killed here does not depend on how busy the disk is."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="multisite-keys-", dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make(memory: Path) -> Iterator[Callable[..., Ground]]:
    made: list[Ground] = []

    def build(**options: Any) -> Ground:
        made.append(Ground(memory / f"ground{len(made)}", **options))
        return made[-1]

    yield build
    for ground in made:
        ground.close()
