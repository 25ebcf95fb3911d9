"""A drill in one site while the application's guests write in the other: they do not notice, and nothing is left."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from multisite_lab import paths, sites, vnf
from multisite_lab.guest import console
from multisite_lab.manager import CommandFailed, Manager, running

NAME = "drl"
PORT = 8799
RULES = (
    "--target-site",
    "site2",
    "--create-missing-flavors",
    "--ready-console",
    "GUEST-VERIFY .*consistent=yes",
)
STALL = 20.0
"""Seconds within which a guest on a busy machine has written at least one more record; one takes 0.15 s."""


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with running(tmp_path_factory.mktemp("drill"), port=PORT, register=("site1", "site2")) as made:
        yield made


@pytest.fixture(scope="module")
def servers(manager: Manager) -> Iterator[tuple[vnf.Server, ...]]:
    """Two servers that run in site 1, and are protected twice."""
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)
    deployed = vnf.deploy("site1", NAME, servers=2)
    manager.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
    words = ("--method", "consistent-backup", "--target-site", "site2", "--console-mark", vnf.FREEZE_MARK)
    manager.cli("protection", "create", NAME, *words)
    for _ in range(2):
        manager.cli("protection", "run", NAME)
    yield deployed.servers
    for cloud in ("site1", "site2"):
        vnf.destroy(cloud, NAME)


def told(server_id: str) -> console.Boot:
    return console.parse(sites.console("site1", server_id))


class Watch:
    """The newest record of each server, looked at all the time."""

    def __init__(self, servers: tuple[vnf.Server, ...]) -> None:
        self._domains = {server.id: server.domain for server in servers}
        self.seen: dict[str, list[tuple[float, int]]] = {id: [] for id in self._domains}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(2.0):
            for id, seen in self.seen.items():
                with contextlib.suppress(Exception):  # a look that fails is none; too few of them is a stall
                    seen.append((time.monotonic(), vnf.newest_record("site1", self._domains[id])))

    def longest_stall(self, id: str) -> float:
        """Seconds between two looks of which the later one saw a newer record."""
        moments, newest = [], -1
        for at, record in self.seen[id]:
            assert record >= newest, "it went back"
            if record > newest:
                moments.append(at)
            newest = record
        return max((b - a for a, b in pairwise(moments)), default=float("inf"))


def drill(manager: Manager, *options: str) -> dict[str, Any]:
    """The drill at its end, passed or not."""
    try:
        found: dict[str, Any] = manager.cli("drill", "start", NAME, *RULES, *options)
    except CommandFailed as failed:
        if failed.code != 1:
            raise
        found = json.loads(failed.out)
    shown: dict[str, Any] = manager.cli("drill", "show", found["id"])
    return shown


def report_of(
    manager: Manager, found: dict[str, Any], folder: Path
) -> tuple[dict[str, Any], Path, Path, Path]:
    """What it says, and the files of the report, the page and the key."""
    files = folder / "drill.jsonl", folder / "drill.html", folder / "key.pub"
    words = ("--json", str(files[0]), "--page", str(files[1]), "--key", str(files[2]))
    assert manager.show("drill", "report", found["id"], *words) == 0
    body: dict[str, Any] = json.loads(files[0].read_text().partition("\n")[2])
    return body, *files


def test_guests_write_on_and_nothing_is_left(
    manager: Manager, servers: tuple[vnf.Server, ...], tmp_path: Path
) -> None:
    ids = [server.id for server in servers]
    before, left = {id: told(id) for id in ids}, vnf.leftovers("site2")
    with Watch(servers) as watch:
        found = drill(manager, "--rto-target", "1800")
    after = {id: told(id) for id in ids}
    assert (found["result"], found["reasons"], found["state"]) == ("passed", [], "undone")
    for id in ids:
        assert len(after[id].freezes) == len(before[id].freezes), "frozen 0 s"
        written, stall = watch.seen[id][-1][1] - watch.seen[id][0][1], watch.longest_stall(id)
        print(f"server {id}: {written} records during the drill, the longest pause {stall:.1f} s")
        assert stall < STALL
    kept = [thing for thing in vnf.leftovers("site2") if not thing.startswith("backup")]
    assert kept == [thing for thing in left if not thing.startswith("backup")]
    body, report, page, key = report_of(manager, found, tmp_path)
    assert body["inventory"]["left"] == body["inventory"]["gone"] == []
    assert all(d["recorded"] and not d["unknown"] for d in body["digests"])
    print(f"RTO {body['rto_seconds']:.1f} s, RPO {body['rpo_seconds']:.1f} s, "
          f"{sum(d['blocks'] for d in body['digests'])} blocks of {len(body['digests'])} volumes")  # fmt: skip
    for file in (report, page):
        assert manager.cli("drill", "verify", str(file), "--key", str(key))["verified"] is True
        data = bytearray(file.read_bytes())
        data[-10] ^= 1
        file.write_bytes(data)
        with pytest.raises(CommandFailed, match="changed after it was signed"):
            manager.cli("drill", "verify", str(file), "--key", str(key))


def test_a_flipped_byte_in_the_store_is_found_and_named(
    manager: Manager, servers: tuple[vnf.Server, ...], tmp_path: Path
) -> None:
    assert servers
    chunk = max(paths.backup_store().glob("??/??/*/*-00001"), key=lambda path: path.stat().st_mtime)
    kept = chunk.read_bytes()
    damaged = bytearray(kept)
    damaged[len(kept) // 2] ^= 1
    try:
        chunk.write_bytes(damaged)
        found = drill(manager)
    finally:
        chunk.write_bytes(kept)
    body, *_ = report_of(manager, found, tmp_path)
    said = " ".join(found["reasons"])
    print(said)
    assert found["result"] == "failed"
    assert chunk.name in said
    assert chunk.parent.name in said
    assert body["inventory"]["left"] == body["inventory"]["gone"] == []
    assert drill(manager)["result"] == "passed", "the negative control: put right, it passes"
