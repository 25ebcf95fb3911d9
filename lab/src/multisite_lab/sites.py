"""The lab for programs: start, lose and look into sites.  Tests and the demo use nothing below it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multisite_lab import form, lifecycle, links, lock, netns, paths, process
from multisite_lab.model import CORE_NAMESPACE, SITES, LabError, Site, site_named
from multisite_lab.star import cluster, entry
from multisite_lab.supervise import Program, Supervisor

__all__ = [
    "SITES",
    "LabError",
    "Site",
    "clouds_yaml",
    "console",
    "core_prefix",
    "cut",
    "delay",
    "exec_in",
    "guest_agent",
    "guest_exec",
    "is_alive",
    "kill",
    "mend",
    "pids",
    "programs",
    "run_in_core",
    "service",
    "site_prefix",
    "start",
    "virsh",
    "wait_ready",
]

_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}
START_TIMEOUT = 600.0


def cut(site: str) -> None:
    """Let nothing pass between a site and all others, the core with them; what runs in it goes on."""
    with lock.exclusive():
        links.cut(site_named(site))


def mend(site: str) -> None:
    """Mend a site's link: neither cut nor long any more."""
    with lock.exclusive():
        links.mend(site_named(site))


def delay(site: str, milliseconds: float) -> None:
    """Hold every frame to and from a site for so long."""
    with lock.exclusive():
        links.delay(site_named(site), milliseconds)


def clouds_yaml() -> Path:
    """Entries siteN (operator), siteN-admin, -member, -other, -multisite; for use in the core's network."""
    return paths.state() / "clouds.yaml"


def kill(site: str) -> float:
    """Lose a whole site at once; return the seconds until its last process was gone."""
    with lock.exclusive():
        return lifecycle.kill(site_named(site))


def start(site: str, wait: bool = True, timeout: float = START_TIMEOUT) -> None:
    """Give a lost site power again, with what it had on its disks; by default wait until it is ready."""
    with lock.exclusive():
        found = site_named(site)
        if found.name not in form.sites():
            raise LabError(
                f"this lab has no {site}: it belongs to one identity (multisite-lab up --identity star)"
            )
        if not lifecycle.is_alive(found):
            if not netns.core_present():
                raise LabError("the lab is down: multisite-lab up")
            lifecycle.prepare(found, lifecycle.origins(_silent))
            if form.shared():
                entry.ensure(_silent)
                cluster.before_start([found], _silent)
            lifecycle.launch(found)
    if wait:
        wait_ready(site, timeout)


def wait_ready(site: str, timeout: float = START_TIMEOUT) -> None:
    """Return when every API of a running site answers and every agent has reported."""
    found = site_named(site)
    lifecycle.init_pid(found)
    end = time.monotonic() + timeout
    lifecycle.follow_boot([found], lambda _site, _text: None, timeout)
    left = max(end - time.monotonic(), 10)
    done = run_in_core([sys.executable, "-m", "multisite_lab.ready", site, "--wait", str(left)], check=False)
    if done.returncode:
        raise LabError(done.stderr.strip())


def is_alive(site: str) -> bool:
    """Whether a site has power; says nothing about its services."""
    return lifecycle.is_alive(site_named(site))


def core_prefix() -> list[str]:
    """Put before a command to run it in the core's network, from where every site can be reached."""
    return netns.enter(CORE_NAMESPACE)


def site_prefix(site: str) -> list[str]:
    """Put before a command to run it inside a site."""
    return ["nsenter", "-t", str(lifecycle.init_pid(site_named(site))), "-m", "-u", "-n", "-p", "-i", "--"]


def run_in_core(argv: Sequence[str], check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the core's network; output is captured as text unless the options say otherwise."""
    return _run([*core_prefix(), *argv], check, options)


def exec_in(
    site: str, argv: Sequence[str], check: bool = False, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command inside a site; output is captured as text unless the options say otherwise."""
    return _run([*site_prefix(site), *argv], check, options)


def console(site: str, server_id: str) -> str:
    """What a guest has written to its serial console since its last start; survives the site."""
    path = site_named(site).var / "nova" / "instances" / server_id / "console.log"
    return path.read_text(errors="replace") if path.exists() else ""


def virsh(site: str, *arguments: str, check: bool = True) -> str:
    """Output of virsh inside a site."""
    return exec_in(site, ["virsh", "-q", *arguments], check=check).stdout


def guest_agent(
    site: str, domain: str, command: str, arguments: dict[str, Any] | None = None, timeout: int = 5
) -> Any:
    """Ask a guest's agent; return its answer or raise LabError with what libvirt said."""
    request: dict[str, Any] = {"execute": command}
    if arguments is not None:
        request["arguments"] = arguments
    argv = ["virsh", "-q", "qemu-agent-command", "--timeout", str(timeout), domain, json.dumps(request)]
    done = exec_in(site, argv)
    if done.returncode:
        raise LabError(f"{site} {domain} {command}: {done.stderr.strip()}")
    return json.loads(done.stdout)["return"]


def guest_exec(site: str, domain: str, shell_command: str, timeout: float = 30.0) -> tuple[int, str]:
    """Run a shell command in a guest through its agent; return exit code and output."""
    arguments = {"path": "/bin/sh", "arg": ["-c", shell_command], "capture-output": True}
    pid = guest_agent(site, domain, "guest-exec", arguments)["pid"]
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        status = guest_agent(site, domain, "guest-exec-status", {"pid": pid})
        if status["exited"]:
            data = base64.b64decode(status.get("out-data", "")) + base64.b64decode(status.get("err-data", ""))
            return int(status.get("exitcode", -1)), data.decode(errors="replace")
        time.sleep(0.1)
    raise LabError(f"{site} {domain}: {shell_command!r} did not end within {timeout:.0f} s")


def programs(site: str) -> dict[str, Program]:
    """State of every service of a running site."""
    return Supervisor(site_named(site)).programs()


def service(site: str, name: str, action: str) -> None:
    """start, stop, restart, kill (the supervisor starts it again), pause (SIGSTOP) or resume one service."""
    supervisor = Supervisor(site_named(site))
    if name not in supervisor.programs():
        raise LabError(f"{site} has no service {name!r}; it has {', '.join(sorted(supervisor.programs()))}")
    if action in ("stop", "restart"):
        supervisor.stop(name)
    if action in ("start", "restart"):
        supervisor.start(name, wait=True)
    elif action in _SIGNALS:
        _signal(site_named(site), supervisor.programs()[name], _SIGNALS[action])
    elif action != "stop":
        raise LabError(f"unknown action {action!r}: start, stop, restart, kill, pause or resume")


def pids(site: str) -> list[int]:
    """Every process of a site, by its number outside."""
    return sorted(process.members(lifecycle.init_pid(site_named(site))).values())


def _silent(_text: str) -> None:
    """Nobody listens."""


def _signal(site: Site, program: Program, number: signal.Signals) -> None:
    outside = process.members(lifecycle.init_pid(site)).get(program.pid) if program.pid else None
    if outside is None:
        raise LabError(f"{site.name}: {program.name} does not run")
    # The supervisor makes each program the leader of a process group: its workers must share its fate.
    os.killpg(outside, number)


def _run(command: list[str], check: bool, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    defaults: dict[str, Any] = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    if "stdout" in options or "stderr" in options:
        defaults.pop("capture_output")
    if "input" in options:
        defaults.pop("stdin")
    return subprocess.run(command, check=check, **(defaults | options))
