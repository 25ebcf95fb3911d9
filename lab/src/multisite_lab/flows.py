"""Flows and tunnels of a host's switch, as Neutron's agent has put them up.

A switch also learns flows from traffic, which outlive a deleted port by up to five minutes: they are left out here,
for what is to be proved is what the agent was told.
"""

from __future__ import annotations

import json
import re

from multisite_lab import sites
from multisite_lab.model import LabError

BRIDGES = ("br-tun", "br-int")

_LEARNED = re.compile(r"\b(hard|idle)_timeout=")
_COUNTERS = re.compile(r"\b(cookie|duration|n_packets|n_bytes|idle_age|hard_age)=[^, ]*,? ?")


def of(site: str, host: str = "") -> list[str]:
    """Every flow of a host, sorted: `BRIDGE table=..., match actions=...`, without cookies, counters and learned flows.

    ``host``: name of a compute host, or its short form (`c2`); empty: the site's own machine.
    """
    found: list[str] = []
    for bridge in BRIDGES:
        text = _run(site, host, "ovs-ofctl", "dump-flows", "--names", bridge)
        found += [f"{bridge} {flow}" for flow in parse(text)]
    return found


def parse(text: str) -> list[str]:
    """Flows out of what ovs-ofctl prints."""
    lines = (line.strip() for line in text.splitlines())
    kept = [
        line for line in lines if "actions=" in line and not _LEARNED.search(line.partition("actions=")[0])
    ]
    return sorted(_COUNTERS.sub("", line) for line in kept)


def tunnels(site: str, host: str = "") -> list[str]:
    """Addresses a host has a VXLAN tunnel to, sorted."""
    columns = ["--format=json", "--columns=options", "find", "Interface", "type=vxlan"]
    return parse_tunnels(_run(site, host, "ovs-vsctl", *columns))


def parse_tunnels(text: str) -> list[str]:
    """Remote addresses out of what ovs-vsctl prints as JSON: rows of a column of maps."""
    options = [dict(row[0][1]) for row in json.loads(text)["data"]]
    return sorted(option["remote_ip"] for option in options)


def _run(site: str, host: str, *command: str) -> str:
    done = sites.exec_in(site, command, host=host)
    if done.returncode:
        raise LabError(f"{host or site}: {command[0]} says {done.stderr.strip()[-300:]}")
    return done.stdout
