"""The floor for the time an application stands still: the raw API calls in their best order, nothing else.

Freeze the servers in their boot order, ask for all snapshots at once, wait until Cinder has every one, thaw
in reverse.  No undo, no records, no checks: what a product adds to this is its overhead.  Connections and
tokens are made before the clock starts.

    multisite-lab exec -- python -m bench.baseline_window --cloud site1 --name vnf --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from openstack.connection import Connection

from multisite_lab import vnf

LIMIT = 60
THREADS = 16
"""Requests at once, as many as the product has."""
POLL = 0.05


@dataclass(frozen=True)
class Figures:
    """One consistency point, in seconds.  ``window``: first freeze asked for until last thaw confirmed."""

    window: float
    freeze: float
    snapshots: float
    thaw: float


class Baseline:
    """The calls, on connections that are already open.

    ``servers`` in the order they freeze, ``volumes``: ids.  ``limit``: seconds of a freeze, and for all snapshots.
    """

    def __init__(
        self, connection: Connection, servers: Sequence[str], volumes: Sequence[str], limit: int = LIMIT
    ) -> None:
        self._servers, self._volumes, self._limit = servers, volumes, limit
        self._compute, self._storage = connection.compute, connection.block_storage
        self._threads = min(THREADS, len(volumes))
        self._pool = ThreadPoolExecutor(self._threads)

    def warm_up(self) -> None:
        """A token, and one open connection per request that will go out at once."""
        self._compute.get("/servers?limit=1")
        list(self._pool.map(lambda _: self._storage.get("/volumes?limit=1"), range(self._threads)))

    def take(self) -> Figures:
        """One consistency point; its snapshots are removed afterwards."""
        self.warm_up()
        mark = f"baseline-{uuid.uuid4()}"
        began = time.monotonic()
        try:
            for server in self._servers:
                self._act(server, {"quiesce": {"timeout": self._limit}})
            frozen = time.monotonic()
            list(self._pool.map(lambda volume: self._snapshot(volume, mark), self._volumes))
            self._wait(mark)
            taken = time.monotonic()
        finally:
            for server in reversed(self._servers):
                self._act(server, {"unquiesce": None})
        thawed = time.monotonic()
        self._remove(mark)
        return Figures(thawed - began, frozen - began, taken - frozen, thawed - taken)

    def _act(self, server: str, action: dict[str, Any]) -> None:
        answer = self._compute.post(f"/servers/{server}/action", json=action)
        answer.raise_for_status()

    def _snapshot(self, volume: str, name: str) -> None:
        body = {"snapshot": {"volume_id": volume, "name": name, "force": True}}
        self._storage.post("/snapshots", json=body).raise_for_status()

    def _rows(self, name: str) -> list[dict[str, Any]]:
        # One list for all snapshots: asking for each would cost as many requests.
        answer = self._storage.get(f"/snapshots/detail?name={name}")
        rows: list[dict[str, Any]] = answer.json()["snapshots"]
        return rows

    def _wait(self, name: str) -> None:
        end = time.monotonic() + self._limit
        while True:
            states = [row["status"] for row in self._rows(name)]
            if states == ["available"] * len(self._volumes):
                return
            if "error" in states or time.monotonic() > end:
                raise SystemExit(f"snapshots are {states}")
            time.sleep(POLL)

    def _remove(self, name: str) -> None:
        end = time.monotonic() + self._limit
        while rows := self._rows(name):
            for row in rows:
                if row["status"] != "deleting":
                    self._storage.delete(f"/snapshots/{row['id']}")
            if time.monotonic() > end:
                raise SystemExit(f"snapshots {name} cannot be removed")
            time.sleep(0.5)


def of_lab(cloud: str, name: str) -> Baseline:
    """Of an application of the lab."""
    found = vnf.find(cloud, name)
    if found is None:
        raise SystemExit(f"{cloud} has no application {name}")
    return Baseline(vnf.connect(cloud), [server.id for server in found.servers], found.volumes)


def measure(cloud: str, name: str, rounds: int) -> list[Figures]:
    """The figures of so many consistency points, one after the other."""
    baseline = of_lab(cloud, name)
    return [baseline.take() for _ in range(rounds)]


def main() -> None:
    """Print the window of each round and the median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cloud", default="site1")
    parser.add_argument("--name", default="vnf")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures = measure(options.cloud, options.name, options.rounds)
    for one in figures:
        parts = f"freeze {one.freeze:.3f}, snapshots {one.snapshots:.3f}, thaw {one.thaw:.3f}"
        print(f"window {one.window:.3f} s  ({parts})")
    print(f"median window {statistics.median(one.window for one in figures):.3f} s of {len(figures)}")


if __name__ == "__main__":
    main()
