"""The story in order.  Exit status 0 only when every claim held."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from multisite_lab import manager, sites, vnf
from rich.console import Console

from demo.result import Guest, Result

VAR = Path("var/demo")
NAME = "vnf"
READY = r"GUEST-READY"
console = Console(highlight=False)


@contextmanager
def chapter(number: int, title: str) -> Iterator[dict[str, float]]:
    """A numbered heading; yields a dict that holds ``seconds`` at the end."""
    console.rule(f"[bold]{number}. {title}", align="left")
    taken: dict[str, float] = {}
    begun = time.monotonic()
    yield taken
    taken["seconds"] = time.monotonic() - begun
    console.print(f"[dim]{title}: {taken['seconds']:.1f} s")


def set_up() -> None:
    """Two fresh sites: whatever an earlier demo left is wiped with its sites."""
    lab = str(manager.BIN / "multisite-lab")
    subprocess.run([lab, "down", "--wipe"], check=True)
    subprocess.run([lab, "up"], check=True)


def protect(service: manager.Manager, protection: str, *, full: bool) -> dict[str, Any]:
    """Run the protection on our terminal; returns the newest restore point."""
    service.show("protection", "run", protection, "--full" if full else "--incremental")
    points = service.cli("restore", "point", "list", "--application", NAME)
    newest = max(points, key=lambda p: str(p["Created at"]))
    point: dict[str, Any] = service.cli("restore", "point", "show", newest["ID"])
    return point


def age(moment: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(moment)).total_seconds()


def story(result: Result, *, quiesce: bool) -> None:
    with chapter(1, "Two OpenStack sites on this machine") as taken:
        set_up()
    result.setup_s = taken["seconds"]
    with manager.running(VAR / "manager") as service:
        with chapter(2, "A telecom application in site 1: three servers, two volumes each, two networks") as taken:
            application = vnf.deploy("site1", NAME, servers=3, progress=console.print)
        result.deploy_s = taken["seconds"]
        lost_at, point = protect_and_lose(service, application, result, quiesce=quiesce)
        recover_and_prove(service, point, lost_at, result)


def protect_and_lose(
    service: manager.Manager, application: vnf.Vnf, result: Result, *, quiesce: bool
) -> tuple[datetime, dict[str, Any]]:
    with chapter(3, "Register the sites, describe the application, protect it"):
        for site in ("site1", "site2"):
            service.show("site", "register", site, "--cloud", site)
        service.show("site", "check", "site1")
        service.show("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
        how = [] if quiesce else ["--no-quiesce", "--snapshot-gap", "1"]
        made = service.cli("protection", "create", NAME, "--method", "consistent-backup", "--target-site", "site2",
                           "--console-mark", vnf.FREEZE_MARK, *how)  # fmt: skip
    with chapter(4, "First protection: full backups") as taken:
        protect(service, made["id"], full=True)
    result.protect_full_s = taken["seconds"]
    with chapter(5, "Second protection: incremental backups") as taken:
        point = protect(service, made["id"], full=False)
    result.protect_incremental_s = taken["seconds"]
    for window in point["frozen"]:
        result.frozen_window_s[window["server_name"]] = float(window["seconds"])
        console.print(f"   frozen: {window['server_name']} for {float(window['seconds']):.2f} s")
    result.frozen_all_s = float(point["frozen_seconds"] or 0)
    with chapter(6, "Site 1 is lost"):
        seconds = sites.kill("site1")
        lost_at = datetime.now(UTC)
        console.print(f"[bold red]kill -9: all of site 1 is gone[/] after {seconds:.2f} s: {application.name} does not run anywhere")
        result.rpo_s = age(point["consistent_at"], lost_at)
        console.print(f"lost as of now: the last {result.rpo_s:.1f} s of work (restore point {point['id']})")
    return lost_at, point


def recover_and_prove(service: manager.Manager, point: dict[str, Any], lost_at: datetime, result: Result) -> None:
    with chapter(7, "The operator looks, decides and recovers in site 2"):
        options = [point["id"], "--target-site", "site2", "--create-missing-flavors", "--ready-console", READY]
        service.show("recovery", "preview", *options)
        service.show("recovery", "start", *options, "--yes-recover", NAME)
        result.rto_s = (datetime.now(UTC) - lost_at).total_seconds()
    with chapter(8, "Proof: every recovered guest verifies its own disks"):
        expected = {mark["server_name"]: vnf.marked_record(mark["text"]) for mark in point["marks"]}
        for server in vnf.servers("site2", NAME):
            proof = vnf.proof("site2", server.id, sites.console("site2", server.id))
            result.guests.append(Guest(server.name, proof.consistent, proof.record, expected.get(server.name), proof.journal))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--unfrozen", action="store_true", help="negative control: protect without quiescing; must NOT hold")
    arguments = parser.parse_args()
    result = Result(quiesced=not arguments.unfrozen)
    begun = time.monotonic()
    try:
        story(result, quiesce=result.quiesced)
    finally:
        result.total_s = time.monotonic() - begun
        result.write(VAR / "result.json")
    result.show(console)
    console.print(f"The same as JSON: {VAR / 'result.json'}.  The sites still run; stop them with: make lab-down")
    return 0 if result.held else 1


if __name__ == "__main__":
    sys.exit(main())
