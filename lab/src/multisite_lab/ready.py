"""Is a site ready: every API answers and every agent has reported."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from multisite_lab import form
from multisite_lab.model import Host, LabError, Machine, Site, machine_named
from multisite_lab.passwords import Passwords
from multisite_lab.star import findings

OK = "ok"
_AGENTS = {
    "DHCP agent": "neutron-dhcp-agent",
    "L3 agent": "neutron-l3-agent",
    "Open vSwitch agent": "neutron-openvswitch-agent",
}
"""Type in Neutron's list -> program.  Others are none of ours: shadow agents stand for VTEPs of other sites."""


class Checker:
    """Asks the APIs of one site about one of its machines; must run where their addresses can be reached."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._site = machine.site
        self._session = admin_session(self._site)

    def findings(self) -> dict[str, str]:
        """Service -> `ok` or what is wrong with it."""
        found = findings.of_site(self._site) if form.shared() else {}
        for name, check in self._checks().items():
            try:
                found |= {name: OK} | check()
            except (ClientException, KeyError, ValueError) as error:
                found[name] = f"{type(error).__name__}: {error}".splitlines()[0][:160]
                if name == "keystone":
                    break
        return found

    def _checks(self) -> dict[str, Callable[[], dict[str, str]]]:
        checks: dict[str, Callable[[], dict[str, str]]] = {
            "keystone": self._keystone,
            "glance": self._glance,
            "placement": self._placement,
            "nova-api": self._nova,
            "cinder-api": self._cinder,
            "neutron-api": self._neutron,
        }
        if isinstance(self._machine, Host):
            kept = ("nova-api", "neutron-api")
        elif form.lean(self._site):
            kept = ("keystone", "neutron-api")
        else:
            return checks if form.whole(self._site) else {}
        return {name: checks[name] for name in kept}

    def _get(self, service: str, path: str) -> Any:
        return self._session.get(self._site.url(service) + path, timeout=20, connect_retries=0).json()

    def _keystone(self) -> dict[str, str]:
        self._session.get_token()
        return {}

    def _glance(self) -> dict[str, str]:
        self._get("glance", "/v2/images?limit=1")
        return {}

    def _placement(self) -> dict[str, str]:
        found = self._get("placement", "/resource_providers")["resource_providers"]
        return {} if found else {"nova-compute": "no resource provider yet"}

    def _nova(self) -> dict[str, str]:
        rows = self._get("nova", "/os-services")["services"]
        states = {s["binary"]: s["state"] for s in rows if s["host"] == self._machine.name}
        control = () if isinstance(self._machine, Host) else ("nova-conductor", "nova-scheduler")
        wrong = _expect(states, "up", "nova-compute", *control)
        known = self._get("nova", "/os-hypervisors")["hypervisors"]
        if self._machine.name not in {row["hypervisor_hostname"] for row in known}:
            wrong["nova-compute"] = "host not discovered yet"
        return wrong

    def _cinder(self) -> dict[str, str]:
        states = {s["binary"]: s["state"] for s in self._get("cinder", "/os-services")["services"]}
        wrong = _expect(states, "up", "cinder-backup", "cinder-scheduler", "cinder-volume")
        if not self._get("cinder", "/scheduler-stats/get_pools?detail=True")["pools"]:
            wrong["cinder-scheduler"] = "no storage pool reported yet"
        return wrong

    def _neutron(self) -> dict[str, str]:
        rows = self._get("neutron", "/v2.0/agents")["agents"]
        here = [row for row in rows if row["host"] == self._machine.name and row["agent_type"] in _AGENTS]
        states = {_AGENTS[row["agent_type"]]: str(row["alive"]) for row in here}
        return _expect(states, "True", *agents(self._machine))


def agents(machine: Machine) -> list[str]:
    """Neutron's agents of a machine, by program."""
    kept = ["neutron-openvswitch-agent"]
    if not form.lean(machine.site):
        kept += ["neutron-dhcp-agent", *(["neutron-l3-agent"] if form.current().l3 else [])]
    return kept


def good(text: str) -> bool:
    """Whether a finding says that nothing is wrong; more may be said."""
    return text == OK or text.startswith(f"{OK}: ")


def admin_session(site: Site) -> Session:
    """A session of the site's administrator."""
    passwords = Passwords.load(site.root / "passwords.json")
    return Session(
        Password(
            auth_url=site.url("keystone"), username="admin", password=passwords.admin, project_name="admin",
            user_domain_name="Default", project_domain_name="Default",
        )
    )  # fmt: skip


def wait(site: Machine, timeout: float, report: Callable[[str], None] = lambda _text: None) -> None:
    """Return when nothing is wrong any more; say what is, whenever that changes."""
    checker = Checker(site)
    end = time.monotonic() + timeout
    last = ""
    while True:
        problems = "; ".join(f"{name}: {text}" for name, text in checker.findings().items() if not good(text))
        if not problems:
            return
        if problems != last:
            report(f"waiting for {problems}")
            last = problems
        if time.monotonic() > end:
            raise LabError(f"{site.name} is not ready after {timeout:.0f} s: {problems}")
        time.sleep(0.7)


def _expect(states: dict[str, str], wanted: str, *names: str) -> dict[str, str]:
    return {
        name: OK if states.get(name) == wanted else f"reported {states.get(name, 'nothing')}"
        for name in names
    }


def main() -> None:
    """Check the site or host named on the command line once, or until it is ready."""
    parser = argparse.ArgumentParser()
    parser.add_argument("site")
    parser.add_argument("--wait", type=float, default=0.0)
    options = parser.parse_args()
    site = machine_named(options.site)
    if options.wait:
        try:
            wait(site, options.wait)
        except LabError as error:
            sys.exit(str(error))
    else:
        json.dump(Checker(site).findings(), sys.stdout)


if __name__ == "__main__":
    main()
