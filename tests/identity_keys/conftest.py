"""A fresh ground for every test, closed whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from identity_keys.ground import Ground


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Ground]]:
    made: list[Ground] = []

    def build(**options: Any) -> Ground:
        made.append(Ground(tmp_path / f"ground{len(made)}", **options))
        return made[-1]

    yield build
    for ground in made:
        ground.close()
