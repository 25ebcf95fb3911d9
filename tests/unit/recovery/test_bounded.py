"""A backup store that does not answer holds up nobody for longer than said, and is asked again when it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from multisite.domain import fence
from multisite.domain.bounded import BoundedCalls, Overdue
from multisite.recovery.manifests import MARKER, ManifestStore, StoreHangs, StoreUnavailable
from tests.manifest_store import store_in

from .recover_samples import manifest

SHORT = 0.3


class Hanging:
    """A file system whose server can go: every look at the store's marker waits until it is back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there = threading.Event()
        self.there.set()
        self.waiting = 0
        real = Path.is_file

        def is_file(path: Path) -> bool:
            if path.name == MARKER and not self.there.is_set():
                self.waiting += 1
                self.there.wait(30)
            return real(path)

        monkeypatch.setattr(Path, "is_file", is_file)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    made = Hanging(monkeypatch)
    yield made
    made.there.set()


@pytest.fixture
def store(tmp_path: Path) -> ManifestStore:
    made = store_in(tmp_path, patience=SHORT)
    made.write(manifest())
    return made


def test_nobody_waits_longer_than_said(server: Hanging, store: ManifestStore) -> None:
    server.there.clear()
    begun = time.monotonic()
    with ThreadPoolExecutor(40) as requests:
        asked = [requests.submit(store.ids) for _ in range(40)]
        problems = [one.exception() for one in asked]
    assert all(isinstance(problem, StoreHangs) for problem in problems)
    assert all("no answer for" in str(p) or "busy for" in str(p) for p in problems)
    assert time.monotonic() - begun < 20 * SHORT
    assert server.waiting <= 8, "threads that hang are few, however many ask"
    for verb in (store.check, store.list, lambda: store.read("r1"), lambda: store.draft("r1")):
        before = time.monotonic()
        with pytest.raises(StoreHangs):
            verb()  # type: ignore[operator]
        assert time.monotonic() - before < SHORT, "known already: nobody waits again"
    assert server.waiting <= 8


def test_it_is_asked_again_when_it_answers(server: Hanging, store: ManifestStore) -> None:
    expected = store.list()
    server.there.clear()
    with pytest.raises(StoreHangs):
        store.ids()
    server.there.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(StoreHangs):
            assert store.list() == expected
            return
        time.sleep(0.01)
    pytest.fail("it is never asked again")


def test_what_a_call_raises_is_raised(store: ManifestStore) -> None:
    (store.path / MARKER).unlink()
    with pytest.raises(StoreUnavailable, match="not mounted"):
        store.ids()

    def late() -> None:
        raise TimeoutError("of the call itself")

    patience = BoundedCalls(5)
    with pytest.raises(TimeoutError, match="of the call itself"):
        patience.call(late)
    assert patience.call(lambda: patience.call(lambda: 7)) == 7, "a call within a call needs no turn"


def test_turns_come_back() -> None:
    patience = BoundedCalls(0.05, at_once=2)
    go = threading.Event()
    for _ in range(2):
        with pytest.raises(Overdue):
            patience.call(lambda: go.wait(5))
    go.set()
    deadline = time.monotonic() + 5
    found = None
    while found is None and time.monotonic() < deadline:
        with suppress(Overdue):
            found = [patience.call(lambda: 1) for _ in range(50)]
    assert found == [1] * 50


def test_the_threads_work_behind_the_fence_of_who_asks() -> None:
    class Lost:
        def check(self) -> None:
            raise KeyboardInterrupt

        def waits(self, why: str) -> None: ...

    with fence.around(Lost()), pytest.raises(KeyboardInterrupt):
        BoundedCalls(5).call(fence.check)
