"""A fresh setup for every test, closed whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from identity_keys.key_setup import KeySetup


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: what is measured and killed here does not depend on how busy the disk is."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="multisite-keys-", dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make(memory: Path) -> Iterator[Callable[..., KeySetup]]:
    made: list[KeySetup] = []

    def build(**options: Any) -> KeySetup:
        made.append(KeySetup(memory / f"setup{len(made)}", **options))
        return made[-1]

    yield build
    for setup in made:
        setup.close()
