"""Which records a recovery changes: shown as ``old -> new``, with what is in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from multisite.domain.manifest import ServerRecord
from multisite.domain.model import Purpose
from multisite.domain.recovery_plan import DnsRecord
from multisite.recovery.dns.model import DnsUnknown, RecordSet, address_of
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import listed
from multisite.recovery.recover.model import PlannedPort, PlannedRecord, RecoverPlan
from multisite.recovery.recover.routing.model import PlannedFloatingIp

VERSIONS = {"A": 4, "AAAA": 6}


def with_planned_records(draft: Draft, made: RecoverPlan, rules: PlanRules) -> RecoverPlan:
    """The plan with the records that it changes."""
    planner = _Records(
        draft, rules, {p.record.id: p for p in made.ports}, {f.record.port_id: f for f in made.floating_ips}
    )
    planned = (planner.of(record, f"dns-{number}") for number, record in enumerate(rules.dns, 1))
    return replace(made, dns=tuple(one for one in planned if one is not None))


def as_shown(planned: Iterable[PlannedRecord], before: Iterable[PlannedRecord]) -> tuple[PlannedRecord, ...]:
    """What an earlier preview has shown counts, where that was known."""
    shown = {str(one.record): one.expected for one in before if one.expected is not None}
    return tuple(replace(one, expected=shown.get(str(one.record), one.expected)) for one in planned)


class _Records:
    """``ports``, ``floating_ips``: by the source's id of the port."""

    def __init__(
        self,
        draft: Draft,
        rules: PlanRules,
        ports: Mapping[str, PlannedPort],
        floating_ips: Mapping[str, PlannedFloatingIp],
    ) -> None:
        self._draft, self._rules, self._ports, self._floating_ips = draft, rules, ports, floating_ips
        self._networks = {n.id: n.name for n in draft.manifest.networks}

    def of(self, record: DnsRecord, step: str) -> PlannedRecord | None:
        """None for one that is left out, which is told."""
        if self._draft.purpose is Purpose.DRILL:
            self._draft.do("DNS record", str(record), "leave out", "a drill never changes the DNS")
            return None
        servers = self._servers(record)
        if not servers:
            return None
        ports = [port for server in servers if (port := self._port(record, server)) is not None]
        expected = None if record.driver == "none" else self._expected(record)
        self._show(record, ports, expected)
        return PlannedRecord(step, record, tuple(port.record.id for port in ports), expected)

    def _servers(self, record: DnsRecord) -> list[ServerRecord]:
        found: list[ServerRecord] = []
        missing = []
        for word in record.members:
            named = [s for s in self._draft.manifest.servers if s.id == word] or [
                s for s in self._draft.manifest.servers if s.name == word
            ]
            if len(named) > 1:
                ids = ", ".join(sorted(server.id for server in named))
                self._problem(record, f"{word!r} is the name of {len(named)} servers", f"name one of {ids}")
            missing += [] if named else [word]
            found += [server for server in named if server not in found]
        if missing:
            what = "so it is left out" if not found else "so it gets the addresses of the others"
            self._draft.note(
                f"DNS record {record}",
                f"the restore point has no server {listed(missing)}, {what}",
                "nothing to do if it left the application; else correct the plan",
            )
        return found

    def _port(self, record: DnsRecord, server: ServerRecord) -> PlannedPort | None:
        its = [self._ports[id] for id in server.port_ids if id in self._ports]
        fits = [
            port
            for port in its
            if record.network in (None, port.record.network_id, self._networks.get(port.record.network_id))
            and (not record.floating or port.record.id in self._floating_ips)
            and (record.floating or _may_have(port, VERSIONS[record.type]))
        ]
        if fits:
            return fits[0]
        what = "floating IP that this recovery makes or maps" if record.floating else f"{record.type} address"
        names = listed(self._networks.get(p.record.network_id, p.record.network_id) for p in its)
        self._problem(
            record,
            f"server {server.name} has no {what} in {record.network or 'any network'}",
            f"correct the record in the recovery plan (its networks: {names})",
        )
        return None

    def _expected(self, record: DnsRecord) -> RecordSet | None:
        found = self._rules.seen.get(str(record))
        if found is None or isinstance(found, RecordSet):
            return found
        subject, say = f"DNS record {record}", "on_failure" if record.on_failure == "pause" else ""
        if isinstance(found, DnsUnknown):
            then = (
                "the recovery pauses there if it is still so"
                if say
                else "else the recovery goes on without it"
            )
            self._draft.unknown(subject, f"what it has now is not known: {found}", f"make it answer; {then}")
        elif say:
            self._problem(
                record, str(found), "then preview again; or let the record have on_failure: continue"
            )
        else:
            self._draft.note(subject, f"it will not be changed: {found}", "set it by hand, or do without")
        return None

    def _show(self, record: DnsRecord, ports: Sequence[PlannedPort], expected: RecordSet | None) -> None:
        new = ", ".join(self._new(record, port) for port in ports)
        if record.driver == "none":
            text = f"set it by hand to {new}, TTL {record.ttl} s: Multisite tells the addresses, and changes nothing"
            self._draft.do("DNS record", str(record), "by hand", text)
            return
        old = "not known" if expected is None else str(expected)
        kept = (
            f", others may keep the old answer for {expected.ttl} s more" if expected and expected.ttl else ""
        )
        text = f"{old} -> {new} (TTL {record.ttl} s{kept}; the predicted RTO is without it)"
        self._draft.do("DNS record", str(record), "update", text)

    def _new(self, record: DnsRecord, port: PlannedPort) -> str:
        name = port.record.name or port.record.mac_address
        if record.floating:
            floating = self._floating_ips[port.record.id]
            there = {f.id: f.address for f in self._draft.facts.floating_ips}
            return floating.address or there.get(floating.use or "") or f"the floating IP of port {name}"
        return _first(port, VERSIONS[record.type]) or f"the address that port {name} gets"

    def _problem(self, record: DnsRecord, what: str, remedy: str) -> None:
        self._draft.problem(f"DNS record {record}", what, remedy)


def _first(port: PlannedPort, version: int) -> str | None:
    known = (address_of(planned.address) for planned in port.addresses if planned.address)
    return next((text for its, text in known if its == version), None)


def _may_have(port: PlannedPort, version: int) -> bool:
    """Where the target chooses, that is not known before."""
    chosen = [planned.address for planned in port.addresses]
    return not chosen or None in chosen or _first(port, version) is not None
