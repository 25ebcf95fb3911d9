"""Record sets of a zone in a site's Designate (DNS API reference v2, /v2/zones/{id}/recordsets).

Designate compares nothing: what a record set has is read right before it is changed.  It says ACTIVE when its own
workers have found the change at the zone's name servers, and PENDING until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from multisite.clouds.call import call, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError, UnknownOutcome, Unreachable
from multisite.recovery.dns.model import DnsRefused, DnsUnknown, RecordSet, RecordType, address_of, changed

Row = dict[str, Any]


@dataclass(frozen=True)
class Designate:
    """A zone of the project that ``site`` is open for."""

    zone: str
    site: Callable[[], CloudSite]

    def read(self, name: str, kind: RecordType) -> RecordSet:
        """As ``DnsDriver``."""
        with _told():
            zone = self._zone()
            return _found(zone, self._row(zone, name, kind))

    def replace(self, name: str, kind: RecordType, old: RecordSet, new: RecordSet) -> None:
        """As ``DnsDriver``."""
        with _told():
            zone = self._zone()
            row = self._row(zone, name, kind)
            found = _found(zone, row)
            if found == new:
                return
            if found.values not in (old.values, new.values):
                raise changed(name, kind, found, old)
            self._change(zone, row, name, kind, new)

    def _change(self, zone: Row, row: Row | None, name: str, kind: str, new: RecordSet) -> None:
        site, path = self.site(), f"/zones/{zone['id']}/recordsets"
        fields: Row = {"ttl": new.ttl, "records": list(new.values)}
        if row is None:
            fields |= {"name": f"{name}.", "type": kind}
            call(site, f"create record set {name} {kind}", lambda: site.dns.post(path, json=fields))
        elif new.values:
            one = f"{path}/{row['id']}"
            what = f"change record set {name} {kind}"
            call(site, what, lambda: site.dns.put(one, json=fields), idempotent=True)
        else:
            one = f"{path}/{row['id']}"
            try:
                what = f"delete record set {name} {kind}"
                call(site, what, lambda: site.dns.delete(one), idempotent=True)
            except NotFoundInSite:
                return

    def _zone(self) -> Row:
        site = self.site()
        name = f"{self.zone}."
        rows = read_all(site, f"look for zone {name}", lambda: site.dns, "/zones", "zones", name=name)
        for row in rows:
            if row["name"] == name:
                return row
        raise DnsRefused(
            f"site {site.name}: the project has no zone {name}: make it there with `openstack zone create`, or correct "
            "the record in the recovery plan"
        )

    def _row(self, zone: Row, name: str, kind: str) -> Row | None:
        site, path = self.site(), f"/zones/{zone['id']}/recordsets"
        what = f"look for record set {name}"
        rows = read_all(site, what, lambda: site.dns, path, "recordsets", name=f"{name}.")
        for row in rows:
            if row["name"] == f"{name}." and row["type"] == "CNAME":
                raise DnsRefused(
                    f"site {site.name}: {name} is an alias (CNAME) of {', '.join(row['records'])}: update that name"
                )
        return next((row for row in rows if (row["name"], row["type"]) == (f"{name}.", kind)), None)


def _found(zone: Row, row: Row | None) -> RecordSet:
    """One without a TTL has the zone's."""
    if row is None:
        return RecordSet()
    if row["action"] == "DELETE":
        return RecordSet(settled=False)
    values = tuple(sorted(address_of(one)[1] for one in row["records"]))
    ttl = zone["ttl"] if row["ttl"] is None else row["ttl"]
    return RecordSet(values, int(ttl), settled=row["status"] == "ACTIVE")


@contextmanager
def _told() -> Iterator[None]:
    """A site's errors as those of a driver."""
    try:
        yield
    except (Unreachable, UnknownOutcome) as error:
        raise DnsUnknown(f"{error}: make it answer") from error
    except SiteError as error:
        raise DnsRefused(f"{error}: correct that, or the record in the recovery plan") from error
