"""The planner's constants, measured on real Keystone, MariaDB and Galera in namespaces; its predictions, checked.

Needs root, Debian 12 and the sites' software (which it installs), but none of the lab's sites.  Prints a table and,
with ``--json FILE``, writes the same.  The last line says how far off the worst prediction was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.identity import check, measure, removed
from bench.identity.servers import PACKAGES, Keystone
from bench.identity.site_networks import SiteNetworks
from bench.report import ratio
from multisite.identity.plan import constants
from multisite_lab import install

SITES = ("a", "b", "c", "d", "e")
REGIONS = 10
SIZES = (2, 3, 5)
CHECKED_SIZE = 3


@contextmanager
def networks(kept: bool) -> Iterator[SiteNetworks]:
    folder = Path(tempfile.mkdtemp(prefix="multisite-bench-", dir="/var/tmp"))
    try:
        with SiteNetworks(folder, SITES) as made:
            yield made
    finally:
        if kept:
            print(f"logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def copies(rounds: int, findings: measure.Findings, checked: list[check.Checked], kept: bool) -> None:
    """One server with a replica: bodies, requests from another site, asynchronous replication."""
    with networks(kept) as here:
        master, replica = measure.nodes(here, "a", "b")
        master.start()
        master.accounts()
        jws, keystone = Keystone(here, "a", "jws"), Keystone(here, "a")
        keystone.install()
        jws.start()
        measure.furnish(jws, people := 90 + 20 * rounds)
        measure.tokens(jws, "TOKEN_JWS", findings)
        jws.stop()
        keystone.start()
        measure.tokens(keystone, "TOKEN_FERNET", findings)
        measure.bodies(keystone, findings)
        said("bodies")
        measure.requests(here, keystone, "c", findings, rounds)
        said("requests")
        crowd = measure.Crowd(people)
        checked.append(check.centralized(here, keystone, "c", crowd, REGIONS))
        said(f"centralized checked: predicted / counted {checked[-1].ratio:.3f}")
        replica.start()
        replica.follow(master)
        measure.asynchronous(here, keystone, "b", crowd, findings, rounds)
        removed.rows(here, master, "b", findings, rounds)
        removed.signature(here.folder, findings)
        said("asynchronous replication")
        checked.append(check.star(here, keystone, "b", crowd))
        said(f"star checked: predicted / counted {checked[-1].ratio:.3f}")


def clusters(rounds: int, findings: measure.Findings, checked: list[check.Checked], kept: bool) -> None:
    """Two servers and arbitrators as one Galera cluster of growing size."""
    with networks(kept) as here:
        first, second = measure.nodes(here, "a", "b")
        first.start_galera(True, ("a", "b"))
        first.accounts()
        keystone = Keystone(here, "a")
        keystone.install()
        keystone.start()
        measure.furnish(keystone, people := 90 + 40 * rounds)
        grow = measure.joiner(here, second, ("a", "b"), ("c", "d", "e"))
        crowd = measure.Crowd(people)
        found: dict[int, dict[str, float]] = {}
        for size in SIZES:
            found |= measure.synchronous(here, first, keystone, grow, crowd, rounds, (size,))
            said(
                f"cluster of {size}: "
                + ", ".join(f"{name} {value:.0f}" for name, value in found[size].items())
            )
            if size >= CHECKED_SIZE:
                checked.append(check.cluster(here, keystone, size, crowd))
                said(f"cluster of {size} checked: predicted / counted {checked[-1].ratio:.3f}")
        measure.fit(found, findings)


def report(findings: measure.Findings, checked: list[check.Checked]) -> dict[str, object]:
    """Print both tables; what they say, for a file."""
    known = constants.table()
    print(f"{'constant':40} {'measured':>10} {'least':>10} {'most':>10} {'in use':>10}  unit")
    for name, values in sorted(findings.values.items()):
        used = known[name]
        print(
            f"{name:40} {findings.medians[name]:10.4g} {min(values):10.4g} {max(values):10.4g}"
            f" {used.value:10.4g}  {used.unit}"
        )
    for note in findings.notes:
        print(f"  {note}")
    print(f"\n{'predicted':>12} {'counted':>12} {'ratio':>6}  candidate and workload")
    for one in checked:
        print(f"{one.predicted:12.0f} {one.counted:12.0f} {one.ratio:6.3f}  {one.name}")
    return {
        "constants": {
            name: {"median": findings.medians[name], "rounds": v} for name, v in findings.values.items()
        },
        "checks": [
            {"name": c.name, "predicted": c.predicted, "counted": c.counted, "ratio": c.ratio}
            for c in checked
        ],
    }


_begun = time.monotonic()


def said(what: str) -> None:
    print(f"{time.monotonic() - _begun:7.1f} s  {what}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each figure (default 3); the median counts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--keep", action="store_true", help="keep the servers' folders and logs")
    parser.add_argument("--only", choices=("copies", "clusters"), help="one half of it")
    told = parser.parse_args()
    # a run that is stopped takes its servers and namespaces with it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    install.ensure_packages(*PACKAGES, progress=said)
    findings = measure.Findings()
    checked: list[check.Checked] = []
    try:
        if told.only != "clusters":
            copies(told.rounds, findings, checked, told.keep)
        if told.only != "copies":
            clusters(told.rounds, findings, checked, told.keep)
    finally:  # what was taken before something broke is worth telling
        figures = report(findings, checked)
        if told.json:
            told.json.write_text(json.dumps(figures, indent=1) + "\n")
    return ratio("identity_prediction_error", max(abs(c.ratio - 1) for c in checked), "<=", check.TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
