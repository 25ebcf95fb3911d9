"""How the sites are: each service's state, version, memory and what its API says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from multisite_lab import form, lifecycle, netns, paths, process
from multisite_lab.model import CORE_NAMESPACE, Host, Machine, Site
from multisite_lab.program import Service
from multisite_lab.ready import OK
from multisite_lab.services import services
from multisite_lab.star import entry
from multisite_lab.supervise import Program, Supervisor

_MIB = 1 << 20
_FIRST = {Site: "keystone", Host: "nova-compute"}
"""WorkContextFilter health says that nobody could be asked."""


@dataclass(frozen=True)
class Row:
    """One line of `status`."""

    site: str
    service: str
    state: str
    pid: int | None
    version: str
    memory: int
    health: str


def rows(site: Machine) -> Iterator[Row]:
    """Every service of a machine; one row saying so when it is down."""
    if not lifecycle.is_alive(site) or not Supervisor(site).answers():
        state = "half dead" if lifecycle.is_alive(site) else "down"
        kind = "(host)" if isinstance(site, Host) else "(site)"
        advice = "multisite-lab up repairs it" if state != "down" else ""
        yield Row(site.name, kind, state, None, "", 0, advice)
        return
    members = process.members(lifecycle.init_pid(site))
    programs = Supervisor(site).programs()
    found = findings(site)
    counted: set[int] = set()
    for service in services(site):
        program = programs.get(service.name) or Program(service.name, "UNKNOWN", 0, "")
        outside = members.get(program.pid) if program.pid else None
        tree = _tree(outside) if outside else []
        counted.update(tree)
        health = _health(program, outside, found.get(service.name, ""))
        yield Row(site.name, service.name, program.state, outside, _version(service), _memory(tree), health)
    others = [pid for pid in members.values() if pid not in counted]
    guests = [pid for pid in others if _name(pid).startswith("qemu-system")]
    yield Row(site.name, f"({len(guests)} guests)", "", None, "", _memory(guests), "")
    yield Row(site.name, "(other)", "", None, "", _memory(sorted(set(others) - set(guests))), "")


def core_rows() -> list[Row]:
    """What runs in the core itself: with one identity the proxy of its one authentication URL."""
    if not form.shared():
        return []
    pid = entry.pid()
    memory = _memory(_tree(pid)) if pid else 0
    state = "RUNNING" if pid else "down"
    version = _upstream(_debian().get("haproxy", ""))
    return [Row("core", "identity-entry", state, pid, version, memory, entry.health())]


def findings(site: Machine) -> dict[str, str]:
    """What the site's APIs say of a machine: service -> `ok` or what is wrong."""
    command = [*netns.enter(CORE_NAMESPACE), sys.executable, "-m", "multisite_lab.ready", site.name]
    done = subprocess.run(command, capture_output=True, text=True)
    found: dict[str, str] = (
        json.loads(done.stdout) if done.returncode == 0 else {_FIRST[type(site)]: done.stderr[-160:]}
    )
    return found


def _health(program: Program, outside: int | None, finding: str) -> str:
    if not program.running:
        return program.why
    if outside and process.stopped(outside):
        return "held by a stop signal"
    return finding or OK


def _tree(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def _memory(pids: list[int]) -> int:
    """Proportional share of memory of some processes, in MiB."""
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except (psutil.Error, OSError):
            continue
    return total // _MIB


def _name(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return ""


def _version(service: Service) -> str:
    kind, _, name = service.package.rpartition(":")
    if kind == "deb":
        return _upstream(_debian().get(name, ""))
    folders = paths.openstack_venv().glob(f"lib/python3*/site-packages/{name.replace('-', '_')}-*.dist-info")
    return next((folder.stem.split("-")[1] for folder in folders if name), "")


def _debian() -> dict[str, str]:
    if not _DEBIAN:
        done = subprocess.run(
            ["dpkg-query", "-W", "-f=${Package} ${Version}\n"], capture_output=True, text=True
        )
        _DEBIAN.update(
            {name: version for name, _, version in (x.partition(" ") for x in done.stdout.splitlines())}
        )
    return _DEBIAN


def _upstream(version: str) -> str:
    """What upstream calls it: without Debian's epoch and revision."""
    return version.rpartition(":")[2].partition("-")[0].partition("+")[0]


_DEBIAN: dict[str, str] = {}


def log_files(site: Machine, service: str) -> list[Path]:
    """Where a service writes: its own log and what it printed, newest last."""
    names = {service, service.removesuffix("-api"), service.replace("neutron-", "")}
    found = [site.log / f"{name}{ending}" for name in sorted(names) for ending in (".log", ".out")]
    found += [site.log / f"{service}.{daemon}.log" for daemon in ("a", "x", "0")]
    found += [site.log / "ovs" / f"{service}.log", *(site.log / service).glob("*.log")]
    existing = {path for path in found if path.is_file() and path.stat().st_size}
    return sorted(existing, key=lambda path: path.stat().st_mtime)
