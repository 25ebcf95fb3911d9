"""The operator's rules for one recovery: what the source's names mean at the target, and how to proceed.

Rules are JSON.  Mappings go from a name or id of the source to a name or id of the target; an id wins over a name.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, Field

from multisite.domain.errors import Invalid
from multisite.domain.manifest import Manifest
from multisite.domain.validation import Expression, validated

NameOrId = Annotated[
    str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]
Pairs = Annotated[dict[NameOrId, NameOrId], Field(max_length=100)]
Seconds = Annotated[float, Field(gt=0, le=24 * 3600.0)]


def _loss(text: str) -> str:
    if not re.fullmatch(r"[a-z-]+:[^\x00-\x1f\x7f]+", text):
        raise ValueError("must be <loss>:<name or id>, such as ephemeral-disk:mme-1")
    return text


LossText = Annotated[str, Field(max_length=300), AfterValidator(_loss)]
MOST_LISTED = 20
"""Names that are listed in a message."""
Things = Iterable[tuple[str, str]]
"""Id and name of each."""


@dataclass(frozen=True)
class Mappable:
    """A kind that can be mapped: how ``--map`` calls it, and what of it a restore point has."""

    word: str
    things: Callable[[Manifest], Things]


def _projects(manifest: Manifest) -> Things:
    """Its names are not in the restore point: see ``projects``, which knows them."""
    return [(manifest.project_id, manifest.project_id)]


def _networks(manifest: Manifest) -> Things:
    return [(n.id, n.name) for n in manifest.networks]


def _flavors(manifest: Manifest) -> Things:
    return [(s.flavor.id, s.flavor.name) for s in manifest.servers]


def _groups(manifest: Manifest) -> Things:
    return [(g.id, g.name) for g in manifest.security_groups]


def _groups_and_remote(manifest: Manifest) -> Things:
    """Also those that rules refer to, which have no name here."""
    remote = {r.remote_group_id for g in manifest.security_groups for r in g.rules if r.remote_group_id}
    return [*_groups(manifest), *((r, r) for r in remote - {g.id for g in manifest.security_groups})]


def _zones(manifest: Manifest) -> Things:
    return _names(s.availability_zone for s in manifest.servers)


def _volume_types(manifest: Manifest) -> Things:
    return _names(v.volume_type for v in manifest.volumes)


def _volume_zones(manifest: Manifest) -> Things:
    return _names(v.availability_zone for v in manifest.volumes)


def _keypairs(manifest: Manifest) -> Things:
    return _names(k.name for k in manifest.keypairs)


def _server_groups(manifest: Manifest) -> Things:
    return [(g.id, g.name) for g in manifest.server_groups]


def _qos_policies(manifest: Manifest) -> Things:
    return [(p.id, p.name) for p in manifest.qos_policies]


def _routers(manifest: Manifest) -> Things:
    return [(r.id, r.name) for r in manifest.routers]


def _external_networks(manifest: Manifest) -> Things:
    gateways = (r.gateway for r in manifest.routers if r.gateway is not None)
    return list(dict.fromkeys((g.network_id, g.network_name) for g in gateways))


def _floating_ips(manifest: Manifest) -> Things:
    return [(f.id, f.address) for f in manifest.floating_ips]


def _names(names: Iterable[str | None]) -> Things:
    return [(name, name) for name in dict.fromkeys(names) if name]


@dataclass(frozen=True)
class Rules:
    """The operator's rules: what is called otherwise at the target, and how to proceed there.

    Maps go from a name or id of the source to a name or id of the target; ``network_names``,
    ``security_group_names`` and ``keypair_names`` make it under another name.  ``projects`` chooses among those that
    the application's project was granted at the target.
    """

    projects: Annotated[Pairs, Mappable("project", _projects)] = field(default_factory=dict)
    networks: Annotated[Pairs, Mappable("network", _networks)] = field(default_factory=dict)
    network_names: Annotated[Pairs, Mappable("network-name", _networks)] = field(default_factory=dict)
    flavors: Annotated[Pairs, Mappable("flavor", _flavors)] = field(default_factory=dict)
    availability_zones: Annotated[Pairs, Mappable("availability-zone", _zones)] = field(default_factory=dict)
    volume_types: Annotated[Pairs, Mappable("volume-type", _volume_types)] = field(default_factory=dict)
    volume_zones: Annotated[Pairs, Mappable("volume-zone", _volume_zones)] = field(default_factory=dict)
    keypairs: Annotated[Pairs, Mappable("keypair", _keypairs)] = field(default_factory=dict)
    keypair_names: Annotated[Pairs, Mappable("keypair-name", _keypairs)] = field(default_factory=dict)
    security_groups: Annotated[Pairs, Mappable("security-group", _groups_and_remote)] = field(
        default_factory=dict
    )
    security_group_names: Annotated[Pairs, Mappable("security-group-name", _groups)] = field(
        default_factory=dict
    )
    server_groups: Annotated[Pairs, Mappable("server-group", _server_groups)] = field(default_factory=dict)
    qos_policies: Annotated[Pairs, Mappable("qos-policy", _qos_policies)] = field(default_factory=dict)
    accept_loss: Annotated[
        list[LossText],
        Field(max_length=1000, description="What may be lost, as a preview names it: ephemeral-disk:mme-1"),
    ] = field(default_factory=list)
    routers: Annotated[Pairs, Mappable("router", _routers)] = field(default_factory=dict)
    router_names: Annotated[Pairs, Mappable("router-name", _routers)] = field(default_factory=dict)
    floating_ips: Annotated[Pairs, Mappable("floating-ip", _floating_ips)] = field(default_factory=dict)
    external_networks: Annotated[Pairs, Mappable("external-network", _external_networks)] = field(
        default_factory=dict
    )
    create_missing_flavors: Annotated[bool, Field(description="Make flavors the target lacks")] = False
    keep_addresses: Annotated[
        bool, Field(description="False: in mapped networks take any free address and MAC")
    ] = True
    source_is_fenced: Annotated[
        bool, Field(description="The operator vouches that the source's servers cannot answer any more")
    ] = False
    parallel_boot: Annotated[bool, Field(description="Do not wait for one server before the next")] = False
    one_by_one: Annotated[
        bool, Field(description="Of a move: one server after the other, while the others stay up")
    ] = False
    accept_split: Annotated[
        bool,
        Field(description="Of a move one by one: also where its networks are not stretched over both sites"),
    ] = False
    pause_between: Annotated[
        Seconds | None, Field(description="Of a move one by one: seconds between two servers")
    ] = None
    ask_between: Annotated[
        bool, Field(description="Of a move one by one: ask the operator before each server but the first")
    ] = False
    ready_console: Annotated[
        Expression | None, Field(description="A server is ready when its console shows this")
    ] = None
    ready_timeout: Seconds = 600.0
    boot_timeout: Seconds = 600.0


KINDS: dict[str, Mappable] = {
    name: its
    for name, hint in get_type_hints(Rules, include_extras=True).items()
    for its in getattr(hint, "__metadata__", ())
    if isinstance(its, Mappable)
}
"""Every kind that can be mapped, by its field in ``Rules``."""


def parse(raw: Mapping[str, Any] | None) -> Rules:
    """Check a mapping as it came from the operator.  Raises Invalid; the message begins with the field's name."""
    return Rules() if raw is None else validated(Rules, raw, "mapping", "rule")


def check_names(rules: Rules, manifest: Manifest) -> None:
    """Refuse rules for things the restore point does not have: most likely a slip of the pen.

    Raises Invalid naming the field and what there is.
    """
    for name, kind in KINDS.items():
        for source in getattr(rules, name):
            check_one(f"mapping.{name}", source, kind.things(manifest))
    for name in ("network", "security_group", "keypair", "router"):
        both = set(getattr(rules, f"{name}s")) & set(getattr(rules, f"{name}_names"))
        if both:
            raise Invalid(
                f"mapping.{name}_names: {min(both)!r} is mapped to an existing one already: choose one rule"
            )


def mapped(rule: Mapping[str, str], id: str, name: str) -> str | None:
    """What the operator maps this thing to, None when no rule speaks of it."""
    return rule.get(id) or rule.get(name)


def option(manifest: Manifest, rule: str, id: str, name: str, target: str = "...") -> str:
    """What to type for a thing: ``--map network:lan=...``; its id where its name does not tell which."""
    kind = KINDS[rule]
    alike = [other for other, its in set(kind.things(manifest)) if its == name]
    source = id if id and (not name or "=" in name or len(alike) > 1) else name
    return f"--map {shlex.quote(f'{kind.word}:{source}={target}')}"


def listed(names: Iterable[str]) -> str:
    """Names for a message; those that several have are followed by how many."""
    counted = sorted(Counter(names).items())
    shown = [name if count == 1 else f"{name} ({count} of this name)" for name, count in counted]
    more = f" and {len(shown) - MOST_LISTED} more" if len(shown) > MOST_LISTED else ""
    return (", ".join(shown[:MOST_LISTED]) or "none") + more


def check_one(field_name: str, source: str, things: Things) -> None:
    """Refuse a name or id that is not that of exactly one of the things.  Raises Invalid."""
    known = set(things)
    if any(source == id for id, _ in known):
        return
    named = [id for id, name in known if name == source]
    if not named:
        there = listed(name or id for id, name in known)
        raise Invalid(f"{field_name}: the restore point has no {source!r}; it has: {there}")
    if len(named) > 1:
        raise Invalid(
            f"{field_name}: {source!r} is the name of {len(named)} things; "
            f"use one of {', '.join(sorted(named))}"
        )
