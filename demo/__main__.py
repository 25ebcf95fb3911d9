"""The story in order.  Exit status 0 only when every claim held."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from demo.result import Guest, Result
from multisite_lab import manager, sites, vnf

VAR = Path.cwd() / "var" / "demo"
NAME = "vnf"
READY = {True: "GUEST-READY", False: "GUEST-VERIFY"}
"""What a guest's console says once it runs, by whether it was quiesced: on torn disks a guest refuses to work and
says only what it found."""
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


def set_up() -> float:
    """Two fresh sites: whatever an earlier demo left is wiped with its sites.  Returns seconds."""
    lab = str(manager.BIN / "multisite-lab")
    with chapter(1, "Two OpenStack sites on this machine") as taken:
        for words in (("down", "--wipe"), ("up",)):
            if subprocess.run([lab, *words], check=False).returncode:
                sys.exit(f"multisite-lab {' '.join(words)} failed: there are no sites to show anything with")
    return taken["seconds"]


def protect(service: manager.Manager, kind: str) -> dict[str, Any]:
    """Run the protection, its progress on our terminal; returns the restore point it made."""
    point: dict[str, Any] = service.cli("protection", "run", NAME, kind, watch=True)
    size, kind = point["size_gib"], "incremental" if point["incremental"] else "full"
    stood = "; its servers stood still for" if point["frozen"] else "; no server was frozen"
    console.print(f"restore point {point['id']}: {size} GiB, {kind}{stood}")
    for window in point["frozen"]:
        console.print(f"   {window['server_name']}  {float(window['seconds']):.2f} s")
    return point


def age(moment: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(moment)).total_seconds()


def story(result: Result, *, quiesce: bool) -> None:
    shutil.rmtree(
        VAR / "manager", ignore_errors=True
    )  # what an earlier demo's service knew is of wiped sites
    with manager.running(VAR / "manager") as service:
        with chapter(2, "A telecom application in site 1: 3 servers, 6 volumes, 2 networks") as taken:
            application = vnf.deploy("site1", NAME, servers=3, progress=console.print)
        result.deploy_s = taken["seconds"]
        lost_at, point = protect_and_lose(service, application, result, quiesce=quiesce)
        recover_and_prove(service, point, [s.name for s in application.servers], lost_at, result)


def protect_and_lose(
    service: manager.Manager, application: vnf.Vnf, result: Result, *, quiesce: bool
) -> tuple[datetime, dict[str, Any]]:
    with chapter(3, "Register the sites, describe the application, protect it"):
        for site in ("site1", "site2"):
            service.register(site, show=True)
        service.show("site", "check", "site1")
        service.show("application", "create", NAME, "--site", "site1", "--metadata-tag", f"vnf={NAME}")
        how = [] if quiesce else ["--no-quiesce", "--snapshot-gap", "1"]
        how += ["--console-mark", vnf.FREEZE_MARK]
        service.show(
            "protection", "create", NAME, "--method", "consistent-backup", "--target-site", "site2", *how
        )
    with chapter(4, "First protection: full backups") as taken:
        protect(service, "--full")
    result.protect_full_s = taken["seconds"]
    with chapter(5, "Second protection: incremental backups") as taken:
        point = protect(service, "--incremental")
    result.protect_incremental_s = taken["seconds"]
    for window in point["frozen"]:
        result.frozen_window_s[window["server_name"]] = float(window["seconds"])
    result.frozen_all_s = float(point["frozen_seconds"] or 0)
    with chapter(6, "Site 1 is lost"):
        seconds = sites.kill("site1")
        lost_at = datetime.now(UTC)
        console.print(f"[bold red]kill -9: all of site 1 is gone[/] after {seconds:.2f} s")
        console.print(f"{application.name} does not run anywhere now")
        result.rpo_s = age(point["consistent_at"], lost_at)
        console.print(f"lost as of now: the last {result.rpo_s:.1f} s of work (restore point {point['id']})")
    return lost_at, point


def recover_and_prove(
    service: manager.Manager, point: dict[str, Any], names: list[str], lost_at: datetime, result: Result
) -> None:
    with chapter(7, "The operator looks, decides and recovers in site 2"):
        options = [point["id"], "--target-site", "site2", "--create-missing-flavors"]
        options += ["--ready-console", READY[result.quiesced]]
        # The operator vouches for what no program can see: the dead site will not answer again by itself.
        options.append("--source-is-fenced")
        service.show("recovery", "preview", *options)
        service.cli("recovery", "start", *options, "--yes-recover", NAME, watch=True)
        result.rto_s = (datetime.now(UTC) - lost_at).total_seconds()
    with chapter(8, "Proof: every recovered guest verifies its own disks"):
        expected = {mark["server_name"]: vnf.marked_record(mark["text"]) for mark in point["marks"]}
        there = {server.name: server.id for server in vnf.servers("site2", NAME)}
        for name in names:
            record = expected.get(name)
            if name not in there:
                result.guests.append(Guest(name, False, None, record, "not there"))
                continue
            proof = vnf.proof("site2", there[name])
            result.guests.append(Guest(name, proof.consistent, proof.record, record, proof.journal))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--unfrozen", action="store_true", help="negative control: nothing is quiesced")
    parser.add_argument("--set-up-took", type=float, metavar="SECONDS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.set_up_took is None:
        # From here on everything happens in the core's network, from where both sites can be reached.
        again = [sys.executable, "-m", "demo", *sys.argv[1:], "--set-up-took", str(set_up())]
        os.execvp("nsenter", [*sites.core_prefix(), *again])
    result = Result(quiesced=not arguments.unfrozen, setup_s=arguments.set_up_took)
    begun = time.monotonic()
    try:
        story(result, quiesce=result.quiesced)
    except (sites.LabError, manager.CommandFailed) as failed:
        console.print(f"[bold red]The demo cannot go on:[/] {escape(str(failed))}")
        return 1
    finally:
        result.total_s = result.setup_s + time.monotonic() - begun
        result.write(VAR / "result.json")
    result.show(console)
    console.print("The same as JSON: var/demo/result.json.  The sites still run: make lab-down")
    if arguments.unfrozen:
        torn = [guest.name for guest in result.guests if not guest.consistent]
        console.print(f"Negative control: without quiescing, torn: {', '.join(torn) or 'none'}")
        return 0 if torn else 1
    return 0 if result.held else 1


if __name__ == "__main__":
    sys.exit(main())
