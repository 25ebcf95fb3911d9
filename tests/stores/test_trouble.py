"""A gateway that dies or stops in the middle: nothing is half there, nobody waits for ever."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from stores.samples import NAME, manifest

from multisite.recovery.manifests import ManifestStore
from multisite.recovery.stores.base import StoreUnavailable
from multisite.recovery.stores.flat import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS, FlatStore
from multisite.recovery.stores.s3 import Bucket, S3Store
from multisite_lab.objectstore import ObjectStoreServer

LONGEST = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + 5.0


@pytest.fixture
def stopped(server: ObjectStoreServer) -> Iterator[ObjectStoreServer]:
    server.signal(signal.SIGSTOP)
    yield server
    server.signal(signal.SIGCONT)


def test_killed_in_the_middle_nothing_is_half_there(
    server: ObjectStoreServer, manifests: ManifestStore
) -> None:
    written: list[str] = []
    ended = threading.Event()

    def write() -> None:
        for n in range(2000):
            if ended.is_set():
                return
            with suppress(StoreUnavailable):
                manifests.write(manifest(f"rp-{n}"))
                written.append(f"rp-{n}")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while len(written) < 5:
            time.sleep(0.05)
        server.kill()
        time.sleep(1)
    finally:
        ended.set()
        server.start_gateway()
        thread.join(120)
    found = manifests.list()
    assert {*written} <= {m.id for m in found.manifests}, "what was written is there"
    assert all(m == manifest(m.id) for m in found.manifests)
    for damaged in found.damaged:
        assert "never finished" in damaged.problem
        manifests.write(manifest(damaged.id))
    assert not manifests.list().damaged


def test_a_gateway_that_does_not_answer_holds_up_nobody_for_long(
    manifests: ManifestStore, store: FlatStore, stopped: ObjectStoreServer
) -> None:
    for verb in (
        lambda: manifests.ids(),
        lambda: store.get("a", 1),
        lambda: store.put("a", b""),
        lambda: store.delete("a"),
    ):
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable) as silent:
            verb()
        assert time.monotonic() - begun < LONGEST
        assert "backup store" in str(silent.value)


def test_what_was_given_up_writes_over_nothing_newer(
    server: ObjectStoreServer, s3: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store(Bucket(NAME, "late", server.url))
    store.put("a", b"first")
    as_it_is = store._as_it_is("late/a")
    server.signal(signal.SIGSTOP)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(store, "_as_it_is", lambda _: as_it_is)
            with pytest.raises(StoreUnavailable):
                store.put("a", b"given up")
    finally:
        server.signal(signal.SIGCONT)
    deadline = time.monotonic() + 30
    while True:  # until the one that was given up has been made, or is not any more
        with suppress(StoreUnavailable):
            store.put("a", b"newer")
            break
        assert time.monotonic() < deadline
    time.sleep(3)
    assert store.get("a", 100) == b"newer"
