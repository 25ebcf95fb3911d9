"""What a drill recovers: the application in networks of its own, which lead nowhere.

Pure functions.  Addresses and MACs stay those of production: nothing of a drill's networks reaches another one.  So
nothing of the target's networking is used, whatever a recovery would map: no network, router, group or address there,
and no way out is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from multisite.clouds.resources.tokens import LONGEST
from multisite.domain.manifest import KeypairRecord, Manifest, NetworkRecord, PortRecord, SecurityGroupRecord
from multisite.domain.model import PreviewItem
from multisite.domain.routing import RouterRecord
from multisite.recovery.recover.losses import LOSSES, accepted_losses
from multisite.recovery.recover.mapping import Rules, check_names, mapped
from multisite.recovery.recover.model import Planned, RecoverPlan
from multisite.recovery.recover.target_facts import TargetFacts

ISOLATE = "isolate"
"""What a preview says is done with what a recovery would take from the target, or let out."""
_SHORT = 8


@dataclass(frozen=True)
class Isolated:
    """What a drill is decided of, and ``items`` that tell how it differs from a recovery."""

    manifest: Manifest
    facts: TargetFacts
    rules: Rules
    items: tuple[PreviewItem, ...] = ()


def isolate(manifest: Manifest, facts: TargetFacts, rules: Rules) -> Isolated:
    """The restore point, the target and the operator's rules as a drill has them.

    Raises Invalid for rules that name unknown things, as a recovery does: the same ones can be given to both.
    """
    check_names(rules, manifest)
    accepted = accepted_losses(rules.accept_loss, manifest)
    alone = replace(
        manifest,
        networks=tuple(_network(n) for n in manifest.networks),
        subnets=tuple(replace(s, dns_publish_fixed_ip=False) for s in manifest.subnets),
        ports=tuple(_port(p) for p in manifest.ports),
        security_groups=tuple(_group(g, manifest) for g in manifest.security_groups),
        routers=tuple(replace(r, gateway=None) for r in manifest.routers),
        floating_ips=(),
    )
    return Isolated(
        alone, _empty(facts), _rules(manifest, alone, facts, rules, accepted), _items(manifest, rules)
    )


def _network(record: NetworkRecord) -> NetworkRecord:
    """An overlay network of the project's own, of which no DNS tells."""
    return replace(record, shared=False, external=False, provider={}, dns_domain="")


def _port(record: PortRecord) -> PortRecord:
    """An ordinary one: a device of the host would be plugged into a network of the provider's."""
    plain = replace(record, dns_name="", dns_domain="")
    return plain if record.vnic_type == "normal" else replace(plain, vnic_type="normal", binding_profile={})


def _group(record: SecurityGroupRecord, manifest: Manifest) -> SecurityGroupRecord:
    """Without rules for members of groups that are not of the application: nobody of them can be there."""
    own = {g.id for g in manifest.security_groups}
    rules = tuple(r for r in record.rules if r.remote_group_id is None or r.remote_group_id in own)
    return replace(record, rules=rules)


def _empty(facts: TargetFacts) -> TargetFacts:
    """The target without what could be used, or be in the way, of its networking."""
    return replace(
        facts, networks=(), ports=(), security_groups=(), routers=(), floating_ips=(), server_groups=()
    )


def _rules(
    manifest: Manifest, alone: Manifest, facts: TargetFacts, rules: Rules, accepted: Iterable[tuple[str, str]]
) -> Rules:
    there = {k.name: k for k in facts.keypairs}
    taken = {
        k.name: f"{k.name}-drill"
        for k in manifest.keypairs
        if k.name in there and not _same(there[k.name], k) and k.name not in rules.keypairs
    }
    left = {kind: {id for id, _ in its.things(alone)} for kind, its in LOSSES.items()}
    return replace(
        rules,
        networks={}, network_names={}, security_groups={}, security_group_names={}, server_groups={},
        routers={}, router_names={}, floating_ips={}, external_networks={},
        keypair_names={**taken, **rules.keypair_names},
        accept_loss=[f"{kind}:{id}" for kind, id in sorted(accepted) if id in left[kind]],
        keep_addresses=True,
        source_is_fenced=True,  # nobody has to: the copy cannot be reached, and the source is not touched
    )  # fmt: skip


def _same(one: KeypairRecord, other: KeypairRecord) -> bool:
    return one.public_key.split()[:2] == other.public_key.split()[:2]


def _items(manifest: Manifest, rules: Rules) -> tuple[PreviewItem, ...]:
    says = (
        "a copy beside production, marked as drill in all names; it begins no epoch and is removed at the end"
    )
    found = [PreviewItem("drill", manifest.application, ISOLATE, says)]
    found += [PreviewItem("network", n.name, ISOLATE, _why(n, rules)) for n in manifest.networks]
    found += [
        PreviewItem("router", r.name or r.id, ISOLATE, why)
        for r in manifest.routers
        if (why := _lost(r, rules))
    ]
    for floating in manifest.floating_ips:
        found.append(PreviewItem("floating IP", floating.address, "leave out", "a drill has none"))
    for port in manifest.ports:
        if port.vnic_type != "normal":
            why = f"of the kind {port.vnic_type}: an ordinary one in the drill's network"
            found.append(PreviewItem("port", port.name or port.mac_address, ISOLATE, why))
    return (*found, *_foreign(manifest))


def _why(record: NetworkRecord, rules: Rules) -> str:
    wanted = mapped(rules.networks, record.id, record.name)
    if wanted is not None:
        return f"one of the drill's own; a recovery would use {wanted!r}, as it is mapped"
    if record.external or record.shared:
        kind = "external" if record.external else "shared"
        return f"one of the drill's own; the source's is {kind}"
    return "one of the drill's own" + ("; the source's is a physical network" if record.provider else "")


def _lost(record: RouterRecord, rules: Rules) -> str:
    wanted = mapped(rules.routers, record.id, record.name)
    said = [f"one of the drill's own; a recovery would use {wanted!r}, as it is mapped"] if wanted else []
    return "; ".join([*said, *(["without its gateway"] if record.gateway else [])])


def _foreign(manifest: Manifest) -> Iterator[PreviewItem]:
    own = {g.id for g in manifest.security_groups}
    for group in manifest.security_groups:
        if lost := sorted({r.remote_group_id for r in group.rules if r.remote_group_id} - own):
            why = f"without its rules for members of {', '.join(lost)}, which are not of the application"
            yield PreviewItem("security group", group.name, ISOLATE, why)


def label_of(drill_id: str) -> str:
    """What the names of all that a drill makes end with."""
    return f"-drill-{drill_id[:_SHORT]}"


def mark(plan: RecoverPlan, drill_id: str) -> RecoverPlan:
    """The plan of a drill with names that tell: ``<name>-drill-<first digits of its id>``.

    Host names inside the guests stay what they are.
    """
    label = label_of(drill_id)

    def named(name: str) -> str:
        return name[: LONGEST - len(label)] + label

    def renamed(records: Iterable[Planned[Any]]) -> tuple[Planned[Any], ...]:
        return tuple(p if p.use is not None else _renamed(p, named) for p in records)

    keys = {k.name: named(k.name) for k in plan.keypairs if k.use is None}
    return replace(
        plan,
        drill=drill_id,
        flavors=tuple(p if p.use is not None else replace(p, name=named(p.name)) for p in plan.flavors),
        keypairs=tuple(p if p.use is not None else replace(p, name=named(p.name)) for p in plan.keypairs),
        server_groups=renamed(plan.server_groups),
        security_groups=renamed(plan.security_groups),
        networks=tuple(replace(n, name=named(n.name), subnets=renamed(n.subnets)) for n in plan.networks),
        ports=tuple(replace(p, record=replace(p.record, name=named(p.record.name))) for p in plan.ports),
        volumes=tuple(replace(v, record=replace(v.record, name=named(v.record.name))) for v in plan.volumes),
        trunks=renamed(plan.trunks),
        routers=tuple(replace(r, name=named(r.name)) for r in plan.routers),
        servers=tuple(
            replace(
                s,
                key_name=keys.get(s.key_name or "", s.key_name),
                record=replace(s.record, name=named(s.record.name)),
            )
            for s in plan.servers
        ),
    )


def _renamed(planned: Planned[Any], named: Callable[[str], str]) -> Planned[Any]:
    name = named(planned.name) if planned.name else ""
    return replace(planned, name=name, record=replace(planned.record, name=named(planned.record.name)))
