"""Making, starting, losing and repairing whole sites."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multisite_lab import boot, form, golden, links, netns, paths, process
from multisite_lab.model import LabError, Site
from multisite_lab.passwords import Passwords, write_private
from multisite_lab.process import Record
from multisite_lab.render import render_site
from multisite_lab.services import lab_environment
from multisite_lab.star import base, layout
from multisite_lab.supervise import Supervisor

Report = Callable[[str], None]

_BINDINGS = ("libvirt.py", "libvirt_qemu.py", "libvirtaio.py", "libvirtmod*.so", "rados.*.so", "rbd.*.so")


def record(site: Site) -> Record | None:
    """The first process of the site as it was started last, running or not."""
    return Record.load(site.run / "init.json")


def init_pid(site: Site) -> int:
    """Pid of the site's first process, or an error when the site is down."""
    found = record(site)
    if found is None or not found.alive():
        raise LabError(f"{site.name} is not running")
    return found.pid


def is_alive(site: Site) -> bool:
    """Whether the site has power: its first process runs."""
    found = record(site)
    return found is not None and found.alive()


@dataclass(frozen=True)
class Origins:
    """What databases of a new site are copied from; None: no site of this form has one of the kind."""

    golden: Path | None
    identity: Path | None


def origins(report: Report) -> Origins:
    """Find or build what this lab's form needs."""
    whole = any(form.whole(site) for site in form.sites().values())
    found = Origins(
        golden.ensure(report) if whole else None,
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


def _databases(site: Site) -> list[Path]:
    own = [site.var / "mysql"] if form.whole(site) else []
    return own + ([node.data for node in layout.nodes(site)] if form.shared() else [])


def _install(site: Site, origins: Origins) -> None:
    if origins.identity is not None:
        base.install(origins.identity, site)
        shutil.copy2(origins.identity / "passwords.json", site.root / "passwords.json")
    if form.whole(site):
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


def launch(site: Site) -> None:
    """Wire the site and start its first process; the supervisor then boots the rest."""
    if is_alive(site):
        raise LabError(f"{site.name} is running already")
    netns.create_site(site)
    links.apply(site)
    for leftover in [*site.run.glob("*.pid"), *site.run.glob("*.asok"), *site.run.glob("*.sock*")]:
        leftover.unlink()
    (site.run / "init.json").unlink(missing_ok=True)
    (site.log / "boot.log").unlink(missing_ok=True)
    command = [
        "ip",
        "netns",
        "exec",
        site.namespace,
        "unshare",
        "--mount",
        "--uts",
        "--pid",
        "--ipc",
        "--fork",
    ]
    command += [
        "--mount-proc",
        "--propagation",
        "private",
        sys.executable,
        "-m",
        "multisite_lab.init",
        site.name,
    ]
    with (site.log / "init.out").open("w") as log:
        holder = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=lab_environment(site), cwd="/",
        )  # fmt: skip
    # Whoever started the site may live long after it was killed, and must not keep a zombie of it.
    threading.Thread(target=holder.wait, daemon=True).start()
    end = time.monotonic() + 30
    while time.monotonic() < end and holder.returncode is None:
        child = process.only_child(holder.pid)
        if child is not None:
            Record.of(child).save(site.run / "init.json")
            return
        time.sleep(0.02)
    raise LabError(
        f"{site.name}: its first process did not start:\n{(site.log / 'init.out').read_text()[-800:]}"
    )


def kill(site: Site) -> float:
    """Cut the power: every process gone at once, then the cables; return how long the processes took."""
    found = record(site)
    seconds = found.kill() if found is not None else 0.0
    (site.run / "init.json").unlink(missing_ok=True)
    links.forget_wire(site)
    netns.remove_site(site)
    return seconds


def ensure_started(site: Site, report: Report) -> bool:
    """Launch a site that is down, repair one that is up; say whether a boot is under way."""
    end_half_dead(site, report)
    if is_alive(site):
        return _repair(site, report)
    launch(site)
    return True


def end_half_dead(site: Site, report: Report) -> None:
    """End a site that has lost its cables or its supervisor; it can only be started anew."""
    if is_alive(site) and not (netns.site_wired(site) and Supervisor(site).answers()):
        report("its first process runs but is cut off or has lost its supervisor: restarting it")
        kill(site)


def _repair(site: Site, report: Report) -> bool:
    for pid in process.members(init_pid(site)).values():
        if process.stopped(pid):
            report(f"process {pid} was held by a stop signal: continued")
            os.kill(pid, signal.SIGCONT)
    programs = Supervisor(site).programs()
    if programs["boot"].running:
        report("still booting")
        return True
    dead = sorted(p.name for p in programs.values() if not p.running and p.name != "boot")
    if not dead and booted(site) == boot.READY:
        return False
    if dead:
        report(f"starting again: {', '.join(dead)}")
    start_boot(site)
    return True


def start_boot(site: Site) -> None:
    """Let the site's boot program run again; it starts what is missing and waits until the site is ready."""
    (site.log / "boot.log").unlink(missing_ok=True)
    Supervisor(site).start("boot")


def booted(site: Site) -> str:
    """Last line of the site's boot: READY, FAILED and why, a step, or nothing yet."""
    try:
        lines = (site.log / "boot.log").read_text().splitlines()
    except OSError:
        return ""
    return lines[-1].strip().partition(" ")[2].strip() if lines else ""


def follow_boot(sites: list[Site], report: Callable[[Site, str], None], timeout: float) -> None:
    """Report every step of the boots under way; return when all are ready."""
    seen = dict.fromkeys((site.name for site in sites), 0)
    waiting = list(sites)
    end = time.monotonic() + timeout
    while waiting:
        for site in list(waiting):
            for line in _boot_lines(site)[seen[site.name] :]:
                seen[site.name] += 1
                text = line.strip().partition(" ")[2].strip()
                report(site, text)
                if text.startswith(boot.FAILED):
                    raise LabError(f"{site.name} did not boot: {text.removeprefix(boot.FAILED).strip()}")
                if text == boot.READY:
                    waiting.remove(site)
            if site in waiting and not is_alive(site):
                raise LabError(f"{site.name} died while booting:\n{_tail(site.log / 'init.out')}")
        if time.monotonic() > end:
            raise LabError(f"not ready after {timeout:.0f} s: {', '.join(s.name for s in waiting)}")
        time.sleep(0.2)


def wipe(site: Site) -> None:
    """Remove everything a dead site kept."""
    if is_alive(site):
        raise LabError(f"{site.name} is running")
    links.forget(site)
    shutil.rmtree(site.root, ignore_errors=True)


def _boot_lines(site: Site) -> list[str]:
    with suppress(OSError):
        text = (site.log / "boot.log").read_text()
        return text[: text.rfind("\n") + 1].splitlines()
    return []


def _tail(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()[-800:]
    return ""
