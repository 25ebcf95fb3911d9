"""Sites as network namespaces on one switch; every byte that enters or leaves a site is counted.

The interface counters are of whole Ethernet frames.  Segmentation offload is off, so frames are those a real
network card would send (at most 1514 bytes) and not the 64 KiB the kernel likes to hand over inside one machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 30.0


class SetupError(Exception):
    """Something the measurement stands on does not work; the text says what."""


def checked(
    command: Sequence[str],
    text: str | None = None,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run to the end; its output; raise SetupError with what it said when it fails."""
    done = subprocess.run(
        list(command), input=text, capture_output=True, text=True, timeout=300,
        env=os.environ | (env or {}), cwd=cwd,
    )  # fmt: skip
    if done.returncode:
        raise SetupError(f"{' '.join(command[:6])} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


def wait_for(what: str, ready: Callable[[], bool], seconds: float = 90.0) -> None:
    """Until ``ready``; raise SetupError naming ``what`` when that takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SetupError(f"{what}: not ready within {seconds:.0f} s")
        time.sleep(0.1)


@dataclass(frozen=True)
class Counted:
    """Bytes of frames that entered and left a site."""

    received: int
    sent: int

    def __sub__(self, earlier: Counted) -> Counted:
        return Counted(self.received - earlier.received, self.sent - earlier.sent)

    @property
    def both(self) -> int:
        return self.received + self.sent


@dataclass
class SiteNetworks:
    """``sites``: names; each becomes namespace ``<prefix>-<name>`` with one address.  A context manager."""

    folder: Path
    sites: tuple[str, ...]
    prefix: str = field(default_factory=lambda: f"msb{os.getpid() % 100_000}")
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> SiteNetworks:
        try:
            self._wire()
        except BaseException:
            self._unwire()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)
        self._unwire()

    def address(self, site: str) -> str:
        return f"10.77.0.{self.sites.index(site) + 1}"

    def inside(self, site: str) -> list[str]:
        """Command prefix that runs something in a site's network."""
        return ["nsenter", f"--net=/run/netns/{self._namespace(site)}", "--"]

    def start(self, name: str, site: str, command: Sequence[str], env: dict[str, str] | None = None) -> None:
        """Start a program in a site, its output in ``<folder>/<name>.out``, in a working directory of its own.

        (garbd keeps its view there: two in one directory take each other's and never join.)
        """
        home = self.folder / f"{name}.d"
        home.mkdir(exist_ok=True)
        with (self.folder / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.inside(site), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=os.environ | (env or {}), cwd=home,
            )  # fmt: skip

    def stop(self, name: str) -> None:
        """End one program of ours, by its process id."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def require(self, name: str) -> bool:
        """Raise SetupError when a program has ended; else True."""
        if self.processes[name].poll() is not None:
            said = (self.folder / f"{name}.out").read_text(errors="replace")[-1500:]
            raise SetupError(f"{name} ended with status {self.processes[name].returncode}:\n{said}")
        return True

    def count(self) -> dict[str, Counted]:
        """Bytes since the site was wired."""
        found = {}
        for site in self.sites:
            shown = checked(["ip", "-n", self._namespace(site), "-s", "-j", "link", "show", "dev", "wan"])
            stats = json.loads(shown)[0]["stats64"]
            found[site] = Counted(stats["rx"]["bytes"], stats["tx"]["bytes"])
        return found

    def _namespace(self, site: str) -> str:
        return f"{self.prefix}-{site}"

    def _wire(self) -> None:
        hub = self._namespace("hub")
        checked(["ip", "netns", "add", hub])
        checked(
            ["ip", "-n", hub, "-batch", "-"], "link add name switch type bridge\nlink set dev switch up\n"
        )
        self._quiet(hub)
        for site in self.sites:
            name = self._namespace(site)
            checked(["ip", "netns", "add", name])
            self._quiet(name)
            checked(
                ["ip", "-n", hub, "-batch", "-"],
                f"link add name to-{site} type veth peer name wan netns {name}\n"
                f"link set dev to-{site} master switch up\n",
            )
            checked(
                ["ip", "-n", name, "-batch", "-"],
                f"link set lo up\naddr add {self.address(site)}/24 dev wan\nlink set wan up\n",
            )
            for namespace, device in ((hub, f"to-{site}"), (name, "wan")):
                offload = ("tso", "off", "gso", "off", "gro", "off")
                checked(["ip", "netns", "exec", namespace, "ethtool", "-K", device, *offload])
        self._know_each_other()

    def _know_each_other(self) -> None:
        # Fixed neighbors: no ARP among the bytes.
        macs = {
            site: json.loads(
                checked(["ip", "-n", self._namespace(site), "-j", "link", "show", "dev", "wan"])
            )[0]["address"]
            for site in self.sites
        }
        for site in self.sites:
            lines = [
                f"neigh replace {self.address(other)} lladdr {mac} dev wan nud permanent"
                for other, mac in macs.items()
                if other != site
            ]
            checked(["ip", "-n", self._namespace(site), "-batch", "-"], "\n".join(lines) + "\n")

    def _quiet(self, namespace: str) -> None:
        # IPv6 would announce itself on every interface.
        off = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        checked(["ip", "netns", "exec", namespace, "sysctl", "-q", "-w", *off])

    def _unwire(self) -> None:
        for name in (*self.sites, "hub"):
            subprocess.run(["ip", "netns", "del", self._namespace(name)], capture_output=True)
