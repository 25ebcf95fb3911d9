"""A recovery plan with one record, and what it leads to."""

from __future__ import annotations

from multisite.domain.model import Recovery
from multisite.recovery.plans.outside import Outside, outside
from tests.dns.bind import ADDRESS, KEY, ZONE, Bind
from tests.sim.service import MAPPING, Service

NAME = f"mme.{ZONE}"
OLD = (["192.0.2.10"], 120)
KEPT = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}
FENCED = {"source_is_fenced": True}
RECORD = {
    "name": NAME,
    "zone": ZONE,
    "members": ["mme-1", "mme-2"],
    "network": "mme-mgmt",
    "timeout": 1.0,
    "ttl": 30,
}


def zone_line(bind: Bind) -> str:
    return f"{ZONE} server={ADDRESS}:{bind.port} key={KEY} projects=*"


def reach(bind: Bind) -> Outside:
    return outside(dns_zones=[zone_line(bind)], dns_keys=str(bind.keys))


def addresses(service: Service, found: Recovery) -> list[str]:
    """Of the members in the management network."""
    return sorted(a for server in found.servers for a in server["addresses"] if a.startswith("10.32."))
