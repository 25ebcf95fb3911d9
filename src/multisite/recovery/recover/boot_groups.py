"""Groups of a recovery plan: which servers boot together, and which gates they must have passed before the next do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from multisite.domain.errors import Invalid
from multisite.domain.manifest import Manifest, ServerRecord
from multisite.domain.model import Purpose
from multisite.domain.recovery_plan import Gate, PlanGroup
from multisite.recovery.plans.outside import GATE_NETWORKS, Outside
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.mapping import listed
from multisite.recovery.recover.model import BootGroup, PlannedGate, PlannedPort
from multisite.recovery.recover.routing.model import PlannedFloatingIp

OTHERS = "the others"
"""The group of the members that the plan names in none."""


@dataclass(frozen=True)
class Arranged:
    """The restore point with the groups' order as that of its servers.

    ``groups``: those with a server in it, and its servers by name and by id; ``missing``: pairs of a group and a member
    that the restore point does not have; ``unnamed``: names of the servers that are in no group of the plan.
    """

    manifest: Manifest
    groups: tuple[tuple[PlanGroup, tuple[ServerRecord, ...]], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    unnamed: tuple[str, ...] = ()


def arrange(manifest: Manifest, rules: PlanRules) -> Arranged:
    """Raises Invalid for a name that several servers have, and for a server that is named twice."""
    if not rules.groups:
        return Arranged(manifest)
    known = _by_word(manifest.servers)
    place: dict[str, int] = {}
    missing = []
    for number, group in enumerate(rules.groups):
        for member in group.members:
            record = _one(known.get(member, ()), member)
            if record is None:
                missing.append((group.name, member))
            elif place.setdefault(record.id, number) != number:
                raise Invalid(
                    f"groups: server {record.name} ({record.id}) is in two groups: take it out of one"
                )
    last = len(rules.groups)
    its: dict[int, list[ServerRecord]] = {}
    for server in manifest.servers:
        its.setdefault(place.get(server.id, last), []).append(server)
    groups = [*rules.groups, PlanGroup(OTHERS, ())]
    order = {server.id: n for n, number in enumerate(sorted(its), 1) for server in its[number]}
    return Arranged(
        replace(manifest, servers=tuple(replace(s, order=order[s.id]) for s in manifest.servers)),
        tuple((groups[number], tuple(its[number])) for number in sorted(its)),
        tuple(missing),
        tuple(server.name for server in its.get(last, ())),
    )


def _by_word(servers: Iterable[ServerRecord]) -> Mapping[str, list[ServerRecord]]:
    found: dict[str, list[ServerRecord]] = {}
    for server in servers:
        for word in {server.id, server.name}:
            found.setdefault(word, []).append(server)
    return found


def _one(found: Iterable[ServerRecord], word: str) -> ServerRecord | None:
    named = list(found)
    if by_id := [server for server in named if server.id == word]:
        return by_id[0]
    if len(named) > 1:
        ids = ", ".join(sorted(server.id for server in named))
        raise Invalid(f"groups: {word!r} is the name of {len(named)} servers; name one of {ids}")
    return named[0] if named else None


def plan_boot_groups(
    draft: Draft,
    arranged: Arranged,
    ports: Iterable[PlannedPort],
    floating_ips: Iterable[PlannedFloatingIp],
    outside: Outside,
) -> tuple[BootGroup, ...]:
    """The groups in the order in which they boot, with what is told of them."""
    for name, member in arranged.missing:
        draft.note(
            f"group {name}",
            f"the restore point has no server {member!r}, which the recovery plan names in it",
            "nothing to do if it left the application; else correct the plan",
        )
    if arranged.unnamed:
        draft.note(
            f"group {OTHERS}",
            f"{listed(arranged.unnamed)}: in no group of the recovery plan, so they boot last",
            "nothing to do if that is meant; else name them in the plan",
        )
    planner = _Gates(
        draft, {p.record.id: p for p in ports}, {f.record.port_id: f for f in floating_ips}, outside
    )
    planned: list[BootGroup] = []
    for number, (its, servers) in enumerate(arranged.groups, 1):
        before = f", when group {planned[-1].name} is ready and passed its gates" if planned else ""
        draft.do("group", its.name, "boot", f"{listed(s.name for s in servers)} at the same time{before}")
        gates: list[PlannedGate] = []
        for n, one in enumerate(its.gates, 1):
            gates += planner.of(one, f"gate-{number}-{n}", servers)
        ids = tuple(server.id for server in servers)
        planned.append(BootGroup(f"boot-group-{number}", its.name, ids, tuple(gates)))
    return tuple(planned)


@dataclass(frozen=True)
class _Gates:
    """``ports``, ``floating_ips``: by the source's id of the port."""

    draft: Draft
    ports: Mapping[str, PlannedPort]
    floating_ips: Mapping[str, PlannedFloatingIp]
    outside: Outside

    def of(self, gate: Gate, step: str, servers: Iterable[ServerRecord]) -> Iterator[PlannedGate]:
        """One for each server that it is asked of."""
        for number, server in enumerate(servers, 1):
            if gate.members is not None and not {server.id, server.name} & set(gate.members):
                continue
            if server.stopped:
                self._leave_out(server, gate, "it was shut off, and is shut off again")
            elif gate.kind != "port":
                self.draft.do("gate", server.name, "wait", str(gate))
                yield PlannedGate(f"{step}-{number}", server.id, gate)
            elif self.draft.purpose is Purpose.DRILL:
                self._leave_out(
                    server,
                    gate,
                    "nobody reaches the networks of a drill, and its address may be that of production",
                )
            elif (port := self._port(server, gate)) is not None:
                self.draft.do("gate", server.name, "wait", str(gate))
                yield PlannedGate(f"{step}-{number}", server.id, gate, port.record.id)

    def _leave_out(self, server: ServerRecord, gate: Gate, why: str) -> None:
        self.draft.do("gate", server.name, "leave out", f"{gate}: {why}")

    def _port(self, server: ServerRecord, gate: Gate) -> PlannedPort | None:
        subject = f"gate of server {server.name}"
        names = {n.id: n.name for n in self.draft.manifest.networks}
        its = [self.ports[id] for id in server.port_ids if id in self.ports]
        fits = [
            port
            for port in its
            if gate.network is None
            or gate.network in (port.record.network_id, names.get(port.record.network_id))
        ]
        if gate.floating:
            fits = [port for port in fits if port.record.id in self.floating_ips]
        if not fits:
            there = "floating IP that this recovery makes or maps" if gate.floating else "address"
            self.draft.problem(
                subject,
                f"port {gate.port}: it has no {there} in {gate.network or 'any network'}",
                f"correct the gate in the recovery plan (its networks: "
                f"{listed(names.get(p.record.network_id, p.record.network_id) for p in its)})",
            )
            return None
        self._check_reach(subject, gate, fits[0])
        return fits[0]

    def _check_reach(self, subject: str, gate: Gate, port: PlannedPort) -> None:
        """Of addresses that are known before; the step asks again."""
        known = [a.address for a in port.addresses if a.address]
        if gate.floating:
            known = [a for a in (self.floating_ips[port.record.id].address,) if a]
        refused = [address for address in known if not self.outside.may_connect(address)]
        if refused or not self.outside.gate_networks:
            self.draft.problem(
                subject,
                f"Multisite may not connect to {listed(refused) if refused else 'any address'}",
                f"let an administrator add its network to {GATE_NETWORKS} of multisite.conf, if Multisite reaches it; "
                "or take the gate out of the plan",
            )
