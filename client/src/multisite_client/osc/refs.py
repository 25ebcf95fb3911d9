"""Resolve what an operator types (a name or an id) to an id; an ambiguous name is an error that lists the ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from osc_lib.exceptions import CommandError

if TYPE_CHECKING:
    from multisite_client.proxy import Proxy

_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def one(noun: str, ref: str, items: Callable[[], Iterable[Any]], field: str = "name") -> str:
    """By id or ``field``; ``items`` is asked only when it is no id."""
    if _is_id(ref):
        return ref
    found = [i for i in items() if ref in (i.id, getattr(i, field))]
    if not found:
        raise CommandError(f"{noun}: there is no {noun} {ref!r} in this project")
    if len(found) > 1:
        raise CommandError(f"{noun}: {len(found)} match {ref!r}; use an id: {', '.join(i.id for i in found)}")
    return str(found[0].id)


def address(client: Proxy, ref: str) -> str:
    """A moving address by id, name, or the address itself."""
    found = [] if _is_id(ref) else [a for a in client.addresses() if ref in (a.id, a.name, a.address)]
    field = "address" if any(a.address == ref for a in found) else "name"
    return one("address", ref, lambda: found, field)


def protection(client: Proxy, ref: str) -> str:
    """By id, or the name of the application it protects."""
    return one("protection", ref, client.protections, "application")


def restore_point(client: Proxy, ref: str) -> str:
    """By id, or the name of an application: its newest usable one."""
    if _is_id(ref):
        return ref
    points = [p for p in client.restore_points() if ref in (p.id, p.application)]
    return _newest("restore point", ref, [p for p in points if p.state == "available" or p.id == ref])


def recovery(client: Proxy, ref: str) -> str:
    """By id, or the name of an application: its newest one."""
    if _is_id(ref):
        return ref
    return _newest("recovery", ref, [r for r in client.recoveries() if ref in (r.id, r.application)])


def drill(client: Proxy, ref: str) -> str:
    """By id, or the name of an application: its newest one."""
    if _is_id(ref):
        return ref
    return _newest("drill", ref, [d for d in client.drills() if ref in (d.id, d.application)])


def image_replication(client: Proxy, ref: str) -> str:
    """By id, or the name of an image: its newest one."""
    if _is_id(ref):
        return ref
    found = [r for r in client.image_replications() if ref in (r.id, r.image_name, r.image_id)]
    return _newest("image replication", ref, found)


def quota(client: Proxy, ref: str) -> str:
    """By the id of its project, or its own."""
    of_project = [str(one.id) for one in client.quotas() if ref == one.project_id]
    return of_project[0] if of_project else one("quota", ref, client.quotas, "project_id")


def site(client: Proxy, ref: str) -> str:
    """By name or id; the API knows sites by name."""
    return next((str(s.name) for s in client.sites() if s.id == ref), ref) if _is_id(ref) else ref


def as_given(_client: Proxy, ref: str) -> str:
    """For what the API itself knows by what an operator types."""
    return ref


def _is_id(ref: str) -> bool:
    return bool(_ID.fullmatch(ref))


def _newest(noun: str, ref: str, items: list[Any]) -> str:
    if not items:
        raise CommandError(f"{noun}: there is no usable {noun} {ref!r} in this project")
    return str(max(items, key=lambda i: str(i.created_at)).id)
