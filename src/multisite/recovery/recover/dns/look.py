"""What the names of a recovery plan have now, asked beside everything else that a preview asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from multisite.clouds.connect import CloudSite
from multisite.domain.errors import MultisiteError
from multisite.domain.fence import FencedThreads
from multisite.domain.recovery_plan import DnsRecord
from multisite.recovery.dns.designate import Designate
from multisite.recovery.dns.model import DnsDriver, DnsRefused, DnsUnknown, RecordSet
from multisite.recovery.dns.zones import OPTION
from multisite.recovery.plans.outside import Outside

ZONES_AT_ONCE = 8
Seen = Mapping[str, RecordSet | MultisiteError]


def driver_of(
    record: DnsRecord, project_id: str, outside: Outside, site: Callable[[], CloudSite]
) -> DnsDriver:
    """``site``: the target, open for the project, whose zones it has.

    Raises DnsRefused for a zone that plans of this project may not update: in the same words as for no zone."""
    if record.driver == "designate":
        return Designate(str(record.zone), site)
    zone = outside.dns.get(record.zone or "")
    if zone is None or not zone.allows(project_id):
        raise DnsRefused(
            f"Multisite may not update zone {record.zone} for project {project_id}: let an administrator add it to "
            f"{OPTION} of multisite.conf, or take the record out of the plan"
        )
    return zone.driver()


def look(records: Iterable[DnsRecord], driver: Callable[[DnsRecord], DnsDriver]) -> Callable[[], Seen]:
    """Begins to ask; what it returns waits for the answers.  A server that is silent is asked once, not for each."""
    zones: dict[tuple[str, str | None], list[DnsRecord]] = {}
    for record in records:
        if record.driver != "none":
            zones.setdefault((record.driver, record.zone), []).append(record)
    threads = FencedThreads(ZONES_AT_ONCE, "dns-records")
    asked = [threads.submit(_of_zone, its, driver) for its in zones.values()]
    threads.shutdown(wait=False)
    return lambda: {name: found for one in asked for name, found in one.result().items()}


def _of_zone(records: Iterable[DnsRecord], driver: Callable[[DnsRecord], DnsDriver]) -> Seen:
    found: dict[str, RecordSet | MultisiteError] = {}
    silent: DnsUnknown | None = None
    for record in records:
        try:
            found[str(record)] = silent or driver(record).read(record.name, record.type)
        except DnsUnknown as error:
            found[str(record)] = silent = error
        except MultisiteError as error:
            found[str(record)] = error
    return found
