"""The operator's rules for one recovery: what the source's names mean at the target, and how to proceed.

Rules are JSON.  Mappings go from a name or id of the source to a name or id of the target; an id wins over a
name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from multisite.domain.errors import Invalid
from multisite.domain.manifest import Manifest

LONGEST_WAIT = 24 * 3600.0


@dataclass(frozen=True)
class Rules:
    """What ``parse`` makes of a mapping; the fields are the keys of the JSON.

    Source name or id -> target name or id: ``networks``, ``flavors``, ``availability_zones``,
    ``volume_types``, ``keypairs``, ``security_groups``.  ``network_names`` and ``security_group_names``:
    make it under another name.

    ``create_missing_flavors``: make flavors the target lacks.  ``keep_addresses`` False: in networks that
    are mapped, take any free address and MAC.  ``source_is_fenced``: the operator vouches that the source's
    servers cannot answer any more.  ``parallel_boot``: do not wait for one server before booting the next.

    ``ready_console``: regular expression that must be found in a server's console before it counts as ready;
    ``ready_timeout`` and ``boot_timeout`` are seconds (see ``Readiness``).
    """

    networks: Mapping[str, str] = field(default_factory=dict)
    network_names: Mapping[str, str] = field(default_factory=dict)
    flavors: Mapping[str, str] = field(default_factory=dict)
    availability_zones: Mapping[str, str] = field(default_factory=dict)
    volume_types: Mapping[str, str] = field(default_factory=dict)
    keypairs: Mapping[str, str] = field(default_factory=dict)
    security_groups: Mapping[str, str] = field(default_factory=dict)
    security_group_names: Mapping[str, str] = field(default_factory=dict)
    create_missing_flavors: bool = False
    keep_addresses: bool = True
    source_is_fenced: bool = False
    parallel_boot: bool = False
    ready_console: str | None = None
    ready_timeout: float = 600.0
    boot_timeout: float = 600.0


_MAPS = frozenset({f.name for f in fields(Rules) if str(f.type).startswith("Mapping")})
_FLAGS = frozenset({f.name for f in fields(Rules) if f.type == "bool"})
_SECONDS = frozenset({f.name for f in fields(Rules) if f.type == "float"})


def parse(raw: Mapping[str, Any] | None) -> Rules:
    """Check a mapping as it came from the operator.  Raises Invalid; the message begins with the field's
    name.
    """
    if raw is None:
        return Rules()
    if not isinstance(raw, Mapping):
        raise Invalid(f"mapping: must be an object, not {_kind(raw)}")
    known = [f.name for f in fields(Rules)]
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in known:
            raise Invalid(f"mapping.{name}: there is no such rule; rules are {', '.join(known)}")
        if value is not None:
            values[name] = _checked(name, value)
    return Rules(**values)


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


def _checked(name: str, value: Any) -> Any:
    where = f"mapping.{name}"
    if name in _MAPS:
        return _mapping(where, value)
    if name in _FLAGS:
        if not isinstance(value, bool):
            raise Invalid(f"{where}: must be true or false, not {_kind(value)}")
        return value
    if name in _SECONDS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_WAIT:
            raise Invalid(f"{where}: must be seconds between 0 and {LONGEST_WAIT:.0f}, not {value!r}")
        return float(value)
    return _pattern(where, value)


def _mapping(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise Invalid(f"{where}: must map source names to target names, not {_kind(value)}")
    for source, target in value.items():
        if not isinstance(source, str) or not source:
            raise Invalid(f"{where}: {source!r} is not a name or id of the source")
        if not isinstance(target, str) or not target.strip():
            raise Invalid(f"{where}.{source}: must be a name or id of the target, not {target!r}")
    return dict(value)


def _pattern(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(f"{where}: must be a regular expression, not {_kind(value)}")
    try:
        re.compile(value)
    except re.error as error:
        raise Invalid(f"{where}: {value!r} is not a regular expression: {error}") from error
    return value


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
