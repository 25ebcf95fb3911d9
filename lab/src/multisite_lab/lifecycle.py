"""Making, starting, losing and repairing whole sites and their hosts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multisite_lab import boot, form, golden, links, netns, paths, process
from multisite_lab.model import Host, LabError, Machine, Site, machines_of
from multisite_lab.passwords import Passwords, write_private
from multisite_lab.process import Record
from multisite_lab.program import lab_environment
from multisite_lab.render import render_host, render_site
from multisite_lab.star import base, layout
from multisite_lab.supervise import Supervisor

Report = Callable[[str], None]

_BINDINGS = ("libvirt.py", "libvirt_qemu.py", "libvirtaio.py", "libvirtmod*.so", "rados.*.so", "rbd.*.so")


def record(machine: Machine) -> Record | None:
    """The first process of the machine as it was started last, running or not."""
    return Record.load(machine.run / "init.json")


def init_pid(machine: Machine) -> int:
    """Pid of the machine's first process, or an error when it is down."""
    found = record(machine)
    if found is None or not found.alive():
        raise LabError(f"{machine.name} is not running")
    return found.pid


def is_alive(machine: Machine) -> bool:
    """Whether the machine has power: its first process runs."""
    found = record(machine)
    return found is not None and found.alive()


@dataclass(frozen=True)
class Origins:
    """What databases of a new site are copied from; None: no site of this form has one of the kind."""

    golden: Path | None
    identity: Path | None


def origins(report: Report) -> Origins:
    """Find or build what this lab's form needs."""
    own = any(form.own_database(site) for site in form.sites().values())
    found = Origins(
        golden.ensure(report) if own else None,
        base.ensure(report) if form.shared() else None,
    )
    for current in (found.golden, found.identity):
        if current is not None:
            paths.forget_older(current)
    return found


def prepare(site: Site, origins: Origins) -> bool:
    """Make a site's folder or check an old one's, write its configuration, say whether that changed."""
    identity = site.root / "identity"
    software = site.root / "software"
    if identity.exists() and all(folder.is_dir() for folder in _databases(site)):
        if software.read_text() != golden.software():
            raise LabError(
                f"{site.name} was made by other OpenStack packages and its databases do not fit "
                "those that are installed now; remove it with: multisite-lab down --wipe"
            )
    else:
        site.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(site.var, ignore_errors=True)
        _install(site, origins)
        write_private(software, golden.software())
        write_private(identity, str(uuid.uuid4()))
    paths.backup_store().mkdir(exist_ok=True, mode=0o700)
    return render_site(site, Passwords.load(site.root / "passwords.json"), identity.read_text())


def prepare_host(host: Host) -> bool:
    """Write a compute host's configuration, say whether that changed; what it kept of an earlier site is forgotten."""
    identity = (host.site.root / "identity").read_text()
    belongs_to = host.root / "identity"
    if not belongs_to.exists() or belongs_to.read_text() != identity:
        # Nova's id of the compute node is in there: with another site's databases it would fit nothing.
        shutil.rmtree(host.root, ignore_errors=True)
        host.root.mkdir(parents=True, mode=0o700)
        write_private(belongs_to, identity)
    return render_host(host, Passwords.load(host.site.root / "passwords.json"), identity)


def _databases(site: Site) -> list[Path]:
    own = [site.var / "mysql"] if form.own_database(site) else []
    return own + ([node.data for node in layout.nodes(site)] if form.shared() else [])


def _install(site: Site, origins: Origins) -> None:
    if origins.identity is not None:
        base.install(origins.identity, site)
        shutil.copy2(origins.identity / "passwords.json", site.root / "passwords.json")
    if form.own_database(site):
        assert origins.golden is not None
        golden.install(origins.golden, site)


def link_bindings() -> None:
    """Offer the distribution's libvirt and Ceph modules, and no other of its modules, to the services."""
    folder = paths.state() / "bindings"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for pattern in _BINDINGS:
        for module in Path("/usr/lib/python3/dist-packages").glob(pattern):
            link = folder / module.name
            if not link.is_symlink():
                link.symlink_to(module)


def launch(machine: Machine) -> None:
    """Wire a machine and start its first process; the supervisor then boots the rest."""
    if is_alive(machine):
        raise LabError(f"{machine.name} is running already")
    netns.create(machine)
    links.apply(machine.site)
    for leftover in [*machine.run.glob("*.pid"), *machine.run.glob("*.asok"), *machine.run.glob("*.sock*")]:
        leftover.unlink()
    (machine.run / "init.json").unlink(missing_ok=True)
    (machine.log / "boot.log").unlink(missing_ok=True)
    command = [
        "ip",
        "netns",
        "exec",
        machine.namespace,
        "unshare",
        "--mount",
        "--uts",
        "--pid",
        "--ipc",
        "--fork",
    ]
    command += ["--mount-proc", "--propagation", "private", sys.executable, "-m", "multisite_lab.init"]
    command.append(machine.name)
    with (machine.log / "init.out").open("w") as log:
        holder = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=lab_environment(machine), cwd="/",
        )  # fmt: skip
    # Whoever started it may live long after it was killed, and must not keep a zombie of it.
    threading.Thread(target=holder.wait, daemon=True).start()
    end = time.monotonic() + 30
    while time.monotonic() < end and holder.returncode is None:
        child = process.only_child(holder.pid)
        if child is not None:
            Record.of(child).save(machine.run / "init.json")
            return
        time.sleep(0.02)
    raise LabError(
        f"{machine.name}: its first process did not start:\n{(machine.log / 'init.out').read_text()[-800:]}"
    )


def kill(site: Site) -> float:
    """Cut the power of a site: every process of all its hosts gone at once, then the cables.

    Returns how long the processes took.
    """
    machines = machines_of(site)
    with ThreadPoolExecutor(len(machines)) as pool:
        seconds = list(pool.map(_end, machines))
    links.forget_wire(site)
    for machine in reversed(machines):
        netns.remove(machine)
    netns.remove_switches(site)
    return max(seconds)


def kill_machine(machine: Machine) -> float:
    """Cut the power of one machine only; return how long its processes took."""
    seconds = _end(machine)
    if isinstance(machine, Site):
        links.forget_wire(machine)  # its uplink goes with it
    netns.remove(machine)
    return seconds


def _end(machine: Machine) -> float:
    found = record(machine)
    seconds = found.kill() if found is not None else 0.0
    (machine.run / "init.json").unlink(missing_ok=True)
    return seconds


def ensure_started(machine: Machine, report: Report) -> bool:
    """Launch a machine that is down, repair one that is up; say whether a boot is under way."""
    end_half_dead(machine, report)
    if is_alive(machine):
        return _repair(machine, report)
    launch(machine)
    return True


def end_half_dead(machine: Machine, report: Report) -> None:
    """End a machine that has lost its cables or its supervisor; it can only be started anew."""
    if is_alive(machine) and not (netns.wired(machine) and Supervisor(machine).answers()):
        report("its first process runs but is cut off or has lost its supervisor: restarting it")
        kill_machine(machine)


def _repair(machine: Machine, report: Report) -> bool:
    for pid in process.members(init_pid(machine)).values():
        if process.stopped(pid):
            report(f"process {pid} was held by a stop signal: continued")
            os.kill(pid, signal.SIGCONT)
    programs = Supervisor(machine).programs()
    if programs["boot"].running:
        report("still booting")
        return True
    dead = sorted(p.name for p in programs.values() if not p.running and p.name != "boot")
    if not dead and booted(machine) == boot.READY:
        return False
    if dead:
        report(f"starting again: {', '.join(dead)}")
    start_boot(machine)
    return True


def start_boot(machine: Machine) -> None:
    """Let a machine's boot program run again; it starts what is missing and waits until all of it is ready."""
    (machine.log / "boot.log").unlink(missing_ok=True)
    Supervisor(machine).start("boot")


def booted(machine: Machine) -> str:
    """Last line of a machine's boot: READY, FAILED and why, a step, or nothing yet."""
    try:
        lines = (machine.log / "boot.log").read_text().splitlines()
    except OSError:
        return ""
    return lines[-1].strip().partition(" ")[2].strip() if lines else ""


def follow_boot(machines: Sequence[Machine], report: Callable[[Machine, str], None], timeout: float) -> None:
    """Report every step of the boots under way; return when all are ready."""
    seen = dict.fromkeys((machine.name for machine in machines), 0)
    waiting = list(machines)
    end = time.monotonic() + timeout
    while waiting:
        for machine in list(waiting):
            for line in _boot_lines(machine)[seen[machine.name] :]:
                seen[machine.name] += 1
                text = line.strip().partition(" ")[2].strip()
                report(machine, text)
                if text.startswith(boot.FAILED):
                    raise LabError(f"{machine.name} did not boot: {text.removeprefix(boot.FAILED).strip()}")
                if text == boot.READY:
                    waiting.remove(machine)
            if machine in waiting and not is_alive(machine):
                raise LabError(f"{machine.name} died while booting:\n{_tail(machine.log / 'init.out')}")
        if time.monotonic() > end:
            raise LabError(f"not ready after {timeout:.0f} s: {', '.join(s.name for s in waiting)}")
        time.sleep(0.2)


def wipe(site: Site) -> None:
    """Remove everything a dead site kept."""
    for machine in machines_of(site):
        if is_alive(machine):
            raise LabError(f"{machine.name} is running")
    links.forget(site)
    shutil.rmtree(site.root, ignore_errors=True)


def _boot_lines(site: Machine) -> list[str]:
    with suppress(OSError):
        text = (site.log / "boot.log").read_text()
        return text[: text.rfind("\n") + 1].splitlines()
    return []


def _tail(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()[-800:]
    return ""
