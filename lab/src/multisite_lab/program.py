"""One program of a site as data: its command, environment, what it needs and how one sees that it is up."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from multisite_lab import paths
from multisite_lab.model import Machine

FIRST = ("/usr/bin/nice", "-n", "-5")
"""For what everybody else waits for: at a start dozens of programs want two processors."""


@dataclass(frozen=True)
class Service:
    """One program under the site's supervisor.

    `needs` names services or boot tasks that must be ready before it is started; `probe` is `tcp:HOST:PORT`
    or `unix:PATH`, and without one the program counts as ready as soon as it is started.  `package` tells
    its version: a distribution in the OpenStack environment, or `deb:NAME`.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    probe: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    package: str = ""

    @property
    def command_line(self) -> str:
        """For the supervisor's file, where a percent sign starts an expansion."""
        return shlex.join(self.command).replace("%", "%%")

    @property
    def environment_line(self) -> str:
        """For the supervisor's file."""
        return environment_line(self.environment)


def environment_line(environment: dict[str, str]) -> str:
    """Variables in the supervisor's notation."""
    return ",".join(f'{key}="{value}"' for key, value in environment.items()).replace("%", "%%")


def base_environment(site: Machine) -> dict[str, str]:
    """What every program of a machine gets."""
    venv = paths.openstack_venv()
    return {
        "PATH": f"{site.etc}/bin:{venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": f"{paths.DATA}/ext:{paths.state()}/bindings",
        "PYTHONWARNINGS": "ignore",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "MULTISITE_LAB_STATE": str(paths.state()),
        "MULTISITE_CACHE": str(paths.cache()),
    }


def lab_environment(site: Machine) -> dict[str, str]:
    """For the lab's own programs: the interpreter and import path that run this."""
    return base_environment(site) | {"PYTHONPATH": str(Path(__file__).parents[1])}
