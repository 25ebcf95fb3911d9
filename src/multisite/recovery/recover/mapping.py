"""The operator's rules for one recovery: what the source's names mean at the target, and how to proceed.

Rules are JSON.  Mappings go from a name or id of the source to a name or id of the target; an id wins over a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from multisite.domain.errors import Invalid
from multisite.domain.manifest import Manifest
from multisite.domain.validation import Expression, validated

NameOrId = Annotated[
    str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]
Pairs = Annotated[dict[NameOrId, NameOrId], Field(max_length=100)]
Seconds = Annotated[float, Field(gt=0, le=24 * 3600.0)]


@dataclass(frozen=True)
class Rules:
    """The operator's rules: what is called otherwise at the target, and how to proceed there.

    Maps go from a name or id of the source to a name or id of the target; ``network_names`` and
    ``security_group_names`` make it under another name.
    """

    networks: Pairs = field(default_factory=dict)
    network_names: Pairs = field(default_factory=dict)
    flavors: Pairs = field(default_factory=dict)
    availability_zones: Pairs = field(default_factory=dict)
    volume_types: Pairs = field(default_factory=dict)
    keypairs: Pairs = field(default_factory=dict)
    security_groups: Pairs = field(default_factory=dict)
    security_group_names: Pairs = field(default_factory=dict)
    create_missing_flavors: Annotated[bool, Field(description="Make flavors the target lacks")] = False
    keep_addresses: Annotated[
        bool, Field(description="False: in mapped networks take any free address and MAC")
    ] = True
    source_is_fenced: Annotated[
        bool, Field(description="The operator vouches that the source's servers cannot answer any more")
    ] = False
    parallel_boot: Annotated[bool, Field(description="Do not wait for one server before the next")] = False
    ready_console: Annotated[
        Expression | None, Field(description="A server is ready when its console shows this")
    ] = None
    ready_timeout: Seconds = 600.0
    boot_timeout: Seconds = 600.0


def parse(raw: Mapping[str, Any] | None) -> Rules:
    """Check a mapping as it came from the operator.  Raises Invalid; the message begins with the field's name."""
    return Rules() if raw is None else validated(Rules, raw, "mapping", "rule")


def check_names(rules: Rules, manifest: Manifest) -> None:
    """Refuse rules for things the restore point does not have: most likely a slip of the pen.

    Raises Invalid naming the field and what there is.
    """
    zones = {s.availability_zone for s in manifest.servers if s.availability_zone}
    types = {v.volume_type for v in manifest.volumes if v.volume_type}
    groups = [(g.id, g.name) for g in manifest.security_groups]
    remote = {r.remote_group_id for g in manifest.security_groups for r in g.rules if r.remote_group_id}
    networks = [(n.id, n.name) for n in manifest.networks]
    there = {
        "networks": networks,
        "network_names": networks,
        "flavors": [(s.flavor.id, s.flavor.name) for s in manifest.servers],
        "availability_zones": [(z, z) for z in zones],
        "volume_types": [(t, t) for t in types],
        "keypairs": [(k.name, k.name) for k in manifest.keypairs],
        "security_groups": groups + [(r, r) for r in remote],
        "security_group_names": groups,
    }
    for name, things in there.items():
        for source in getattr(rules, name):
            _check_one(f"mapping.{name}", source, things)
    for name in ("network", "security_group"):
        both = set(getattr(rules, f"{name}s")) & set(getattr(rules, f"{name}_names"))
        if both:
            raise Invalid(
                f"mapping.{name}_names: {min(both)!r} is mapped to an existing one already: choose one rule"
            )


def mapped(rule: Mapping[str, str], id: str, name: str) -> str | None:
    """What the operator maps this thing to, None when no rule speaks of it."""
    return rule.get(id) or rule.get(name)


def _check_one(field_name: str, source: str, things: Iterable[tuple[str, str]]) -> None:
    known = set(things)
    if any(source == id for id, _ in known):
        return
    named = [id for id, name in known if name == source]
    if not named:
        listed = ", ".join(sorted({name for _, name in known})) or "none"
        raise Invalid(f"{field_name}: the restore point has no {source!r}; it has: {listed}")
    if len(named) > 1:
        raise Invalid(
            f"{field_name}: {source!r} is the name of {len(named)} things; "
            f"use one of {', '.join(sorted(named))}"
        )
