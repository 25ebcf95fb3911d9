"""How long an application stands still: the product against the bare API calls in their best order.

Both do the same on the same three-server application, in turn, so that a machine that slows down slows both.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from bench import baseline_window
from bench.report import ratio
from multisite_lab import manager, vnf

NAME = "window"
ROUNDS = 5
GOAL = 1.3


def main() -> int:
    floors: list[float] = []
    products: list[float] = []
    with tempfile.TemporaryDirectory() as folder, manager.running(Path(folder)) as service:
        vnf.destroy("site1", NAME)
        vnf.deploy("site1", NAME, servers=3, progress=print)
        try:
            for site in ("site1", "site2"):
                service.register(site)
            service.cli("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
            service.cli(
                "protection", "create", NAME, "--method", "consistent-backup", "--target-site", "site2"
            )
            floor = baseline_window.of_lab("site1", NAME)
            for number in range(ROUNDS):
                floors.append(floor.take().window)
                point = service.cli("protection", "run", NAME)
                products.append(float(point["frozen_seconds"]))
                print(f"round {number + 1}: bare calls {floors[-1]:.2f} s, product {products[-1]:.2f} s")
        finally:
            vnf.destroy("site1", NAME)
    mine, bare = statistics.median(products), statistics.median(floors)
    print(f"median window: product {mine:.2f} s, bare calls {bare:.2f} s, {ROUNDS} rounds in turn")
    return ratio("quiesce_window", mine / bare, "<=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
