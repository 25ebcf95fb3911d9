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
from multisite_lab.model import CORE_NAMESPACE, SITES, Host, LabError, Machine, Site, site_named
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
    "hosts",
    "is_alive",
    "kill",
    "kill_host",
    "pids",
    "programs",
    "reconnect",
    "run_in_core",
    "service",
    "site_prefix",
    "start",
    "start_host",
    "start_service",
    "stop_service",
    "virsh",
    "wait_ready",
]

_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}
START_TIMEOUT = 600.0


def cut(site: str) -> None:
    """Let nothing pass between a site and all others, the core with them; what runs in it goes on."""
    with lock.exclusive():
        links.cut(site_named(site))


def reconnect(site: str) -> None:
    """Restore a site's link: neither cut nor delayed any more."""
    with lock.exclusive():
        links.reconnect(site_named(site))


def delay(site: str, milliseconds: float) -> None:
    """Hold every frame of a site's management network, to and from it, for so long; its tunnels are as they were."""
    with lock.exclusive():
        links.delay(site_named(site), milliseconds)


def clouds_yaml() -> Path:
    """Entries siteN (operator), siteN-admin, -member, -other, -multisite; for use in the core's network."""
    return paths.state() / "clouds.yaml"


def kill(site: str) -> float:
    """Lose a whole site at once; return the seconds until its last process was gone."""
    with lock.exclusive():
        return lifecycle.kill(site_named(site))


def hosts(site: str) -> list[str]:
    """Names of a site's compute hosts as Nova and Neutron know them, the one of its control plane first."""
    return [machine.name for machine in form.machines(site_named(site))]


def kill_host(site: str, host: str) -> float:
    """Lose one compute host at once; return the seconds until its last process was gone."""
    with lock.exclusive():
        return lifecycle.kill_machine(_further_host(site, host))


def start_host(site: str, host: str, wait: bool = True, timeout: float = START_TIMEOUT) -> None:
    """Give a lost compute host power again; by default wait until its agents have reported."""
    with lock.exclusive():
        found = _further_host(site, host)
        if not lifecycle.is_alive(found.site):
            raise LabError(f"{site} is down, and its host {found.name} is nothing without it: start the site")
        _power(found)
    if wait:
        _wait_machines([found], timeout)


def start(site: str, wait: bool = True, timeout: float = START_TIMEOUT) -> None:
    """Give a lost site power again, with what it had on its disks; by default wait until it is ready."""
    with lock.exclusive():
        found = site_named(site)
        if found.name not in form.sites():
            raise LabError(
                f"this lab has no {site}: see `multisite-lab up --help` for the forms that have it"
            )
        if not lifecycle.is_alive(found):
            if not netns.core_present():
                raise LabError("the lab is down: multisite-lab up")
            lifecycle.prepare(found, lifecycle.origins(_silent))
            if form.shared():
                entry.ensure(_silent)
                cluster.before_start([found], _silent)
            lifecycle.launch(found)
        for host in form.hosts(found):
            _power(host)
    if wait:
        wait_ready(site, timeout)


def wait_ready(site: str, timeout: float = START_TIMEOUT) -> None:
    """Return when every API of a running site answers and every agent of all its hosts has reported."""
    _wait_machines(form.machines(site_named(site)), timeout)


def is_alive(site: str, host: str = "") -> bool:
    """Whether a site, or one of its hosts, has power; says nothing about its services."""
    return lifecycle.is_alive(form.machine(site_named(site), host))


def core_prefix() -> list[str]:
    """Put before a command to run it in the core's network, from where every site can be reached."""
    return netns.enter(CORE_NAMESPACE)


def site_prefix(site: str, host: str = "") -> list[str]:
    """Put before a command to run it inside a site; ``host``: at one of its compute hosts."""
    machine = form.machine(site_named(site), host)
    return ["nsenter", "-t", str(lifecycle.init_pid(machine)), "-m", "-u", "-n", "-p", "-i", "--"]


def run_in_core(argv: Sequence[str], check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the core's network; output is captured as text unless the options say otherwise."""
    return _run([*core_prefix(), *argv], check, options)


def exec_in(
    site: str, argv: Sequence[str], check: bool = False, host: str = "", **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command inside a site or at one of its hosts; output is captured as text unless the options
    say otherwise.
    """
    return _run([*site_prefix(site, host), *argv], check, options)


def console(site: str, server_id: str) -> str:
    """What a guest has written to its serial console since its last start; survives the site."""
    path = site_named(site).instances / server_id / "console.log"
    return path.read_text(errors="replace") if path.exists() else ""


def virsh(site: str, *arguments: str, check: bool = True, host: str = "") -> str:
    """Output of virsh inside a site or at one of its hosts."""
    return exec_in(site, ["virsh", "-q", *arguments], check=check, host=host).stdout


def guest_agent(
    site: str,
    domain: str,
    command: str,
    arguments: dict[str, Any] | None = None,
    timeout: int = 5,
    host: str = "",
) -> Any:
    """Ask a guest's agent; return its answer or raise LabError with what libvirt said."""
    request: dict[str, Any] = {"execute": command}
    if arguments is not None:
        request["arguments"] = arguments
    argv = ["virsh", "-q", "qemu-agent-command", "--timeout", str(timeout), domain, json.dumps(request)]
    done = exec_in(site, argv, host=host)
    if done.returncode:
        raise LabError(f"{site} {domain} {command}: {done.stderr.strip()}")
    return json.loads(done.stdout)["return"]


def guest_exec(
    site: str, domain: str, shell_command: str, timeout: float = 30.0, host: str = ""
) -> tuple[int, str]:
    """Run a shell command in a guest through its agent; return exit code and output."""
    arguments = {"path": "/bin/sh", "arg": ["-c", shell_command], "capture-output": True}
    pid = guest_agent(site, domain, "guest-exec", arguments, host=host)["pid"]
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        status = guest_agent(site, domain, "guest-exec-status", {"pid": pid}, host=host)
        if status["exited"]:
            data = base64.b64decode(status.get("out-data", "")) + base64.b64decode(status.get("err-data", ""))
            return int(status.get("exitcode", -1)), data.decode(errors="replace")
        time.sleep(0.1)
    raise LabError(f"{site} {domain}: {shell_command!r} did not end within {timeout:.0f} s")


def programs(site: str, host: str = "") -> dict[str, Program]:
    """State of every service of a running site, or of one of its hosts."""
    return Supervisor(form.machine(site_named(site), host)).programs()


def service(site: str, name: str, action: str, host: str = "") -> None:
    """start, stop, restart, kill (the supervisor starts it again), pause (SIGSTOP) or resume one service."""
    machine = form.machine(site_named(site), host)
    supervisor = Supervisor(machine)
    _program(machine, name)
    if action in ("stop", "restart"):
        supervisor.stop(name)
    if action in ("start", "restart"):
        supervisor.start(name, wait=True)
    elif action in _SIGNALS:
        _signal(machine, _program(machine, name), _SIGNALS[action])
    elif action != "stop":
        raise LabError(f"unknown action {action!r}: start, stop, restart, kill, pause or resume")


def stop_service(site: str, name: str, host: str = "") -> None:
    """Lose one service by SIGKILL and keep it lost; what it has put up (flows, namespaces, guests) stays.

    Held first: the supervisor, told to stop it, asks it kindly, and starts again what dies without its order.
    """
    machine = form.machine(site_named(site), host)
    program = _program(machine, name)
    if not program.running:
        return
    _signal(machine, program, signal.SIGSTOP)
    Supervisor(machine).stop(name, wait=False)
    _signal(machine, program, signal.SIGKILL)
    process.wait_until(lambda: not _program(machine, name).pid, f"{machine.name} {name} is gone", 20)


def start_service(site: str, name: str, host: str = "") -> None:
    """Start a lost service; returns when its program runs, which may be long before it works."""
    machine = form.machine(site_named(site), host)
    _program(machine, name)
    Supervisor(machine).start(name, wait=True)


def pids(site: str) -> list[int]:
    """Every process of a site, at all its hosts that have power, by its number outside."""
    first, *others = form.machines(site_named(site))
    machines = [first, *filter(lifecycle.is_alive, others)]
    return sorted(pid for m in machines for pid in process.members(lifecycle.init_pid(m)).values())


def _silent(_text: str) -> None:
    """Nobody listens."""


def _further_host(site: str, name: str) -> Host:
    found = form.machine(site_named(site), name)
    if not isinstance(found, Host):
        raise LabError(
            f"{found.name} is the machine of the control plane: multisite-lab kill {site} loses all of it"
        )
    return found


def _power(host: Host) -> None:
    if not lifecycle.is_alive(host):
        lifecycle.prepare_host(host)
        lifecycle.launch(host)


def _wait_machines(machines: Sequence[Machine], timeout: float) -> None:
    for machine in machines:
        lifecycle.init_pid(machine)
    end = time.monotonic() + timeout
    lifecycle.follow_boot(machines, lambda _machine, _text: None, timeout)
    for machine in machines:
        left = max(end - time.monotonic(), 10)
        command = [sys.executable, "-m", "multisite_lab.ready", machine.name, "--wait", str(left)]
        done = run_in_core(command, check=False)
        if done.returncode:
            raise LabError(done.stderr.strip())


def _program(machine: Machine, name: str) -> Program:
    found = Supervisor(machine).programs()
    if name not in found:
        raise LabError(f"{machine.name} has no service {name!r}; it has {', '.join(sorted(found))}")
    return found[name]


def _signal(machine: Machine, program: Program, number: signal.Signals) -> None:
    outside = process.members(lifecycle.init_pid(machine)).get(program.pid) if program.pid else None
    if outside is None:
        raise LabError(f"{machine.name}: {program.name} does not run")
    # The supervisor makes each program the leader of a process group: its workers must share its fate.
    os.killpg(outside, number)


def _run(command: list[str], check: bool, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    defaults: dict[str, Any] = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    if "stdout" in options or "stderr" in options:
        defaults.pop("capture_output")
    if "input" in options:
        defaults.pop("stdin")
    return subprocess.run(command, check=check, **(defaults | options))
