"""One server for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dns.bind import Bind
from tests.dns.setup import NAME, OLD


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    made = Bind(tmp_path_factory.mktemp("bind"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def _as_it_was(bind: Bind) -> None:
    bind.by_hand(NAME, "A", *OLD[0], ttl=OLD[1])
