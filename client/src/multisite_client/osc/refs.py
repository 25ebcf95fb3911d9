"""Resolve what an operator types (a name or an id) to an id; an ambiguous name is an error that lists the ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from osc_lib.exceptions import CommandError

if TYPE_CHECKING:
    from multisite_client.proxy import Proxy

_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def application(client: Proxy, ref: str) -> str:
    """By id or name."""
    return ref if _is_id(ref) else _one("application", ref, client.applications(), "name")


def address(client: Proxy, ref: str) -> str:
    """A moving address by id, name, or the address itself."""
    if _is_id(ref):
        return ref
    found = [a for a in client.addresses() if ref in (a.id, a.name, a.address)]
    return _one("address", ref, found, "address" if any(a.address == ref for a in found) else "name")


def path(client: Proxy, ref: str) -> str:
    """An L3 path by id or name."""
    return ref if _is_id(ref) else _one("path", ref, client.paths(), "name")


def protection(client: Proxy, ref: str) -> str:
    """By id, or the name of the application it protects."""
    return ref if _is_id(ref) else _one("protection", ref, client.protections(), "application")


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


def site(client: Proxy, ref: str) -> str:
    """By name or id; the API knows sites by name."""
    return _site_of_id(client, ref) if _is_id(ref) else ref


def _site_of_id(client: Proxy, ref: str) -> str:
    return next((str(s.name) for s in client.sites() if s.id == ref), ref)


def _is_id(ref: str) -> bool:
    return bool(_ID.fullmatch(ref))


def _one(noun: str, ref: str, items: Iterable[Any], field: str) -> str:
    found = [i for i in items if ref in (i.id, getattr(i, field))]
    if not found:
        raise CommandError(f"{noun}: there is no {noun} {ref!r} in this project")
    if len(found) > 1:
        raise CommandError(f"{noun}: {len(found)} match {ref!r}; use an id: {', '.join(i.id for i in found)}")
    return str(found[0].id)


def _newest(noun: str, ref: str, items: list[Any]) -> str:
    if not items:
        raise CommandError(f"{noun}: there is no usable {noun} {ref!r} in this project")
    return str(max(items, key=lambda i: str(i.created_at)).id)
