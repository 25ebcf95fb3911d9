"""The storages that replicate, as ``multisite.conf`` names them: a line for each site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields

from multisite.clouds.mirror.backend import MirrorBackend
from multisite.clouds.mirror.rbd import RbdMirror, RbdSettings
from multisite.domain.audit import Trail
from multisite.domain.errors import Invalid

OPTION = "[replication] backends"
_FORM = "<site> rbd conf=<ceph.conf> host=<Cinder's host> [pool=...] [user=...] [keyring=...]"


def _rbd(site: str, settings: Mapping[str, str], trail: Trail | None) -> MirrorBackend:
    known = {field.name for field in fields(RbdSettings)}
    if unknown := sorted(set(settings) - known):
        raise Invalid(
            f"{OPTION}: {site}: {unknown[0]} is no setting of rbd; there are: {', '.join(sorted(known))}"
        )
    for name in ("conf", "host"):
        if not settings.get(name):
            raise Invalid(f"{OPTION}: {site}: {name}= is missing: {_FORM}")
    return RbdMirror(site, RbdSettings(**settings), trail)


DRIVERS: Mapping[str, Callable[[str, Mapping[str, str], Trail | None], MirrorBackend]] = {"rbd": _rbd}


def parsed(lines: Iterable[str], trail: Trail | None = None) -> dict[str, MirrorBackend]:
    """By site.  Raises Invalid naming the option, the site and what is wrong."""
    found: dict[str, MirrorBackend] = {}
    for line in lines:
        words = line.split()
        pairs = [word.partition("=") for word in words[2:]]
        if len(words) < 3 or not all(name and equals for name, equals, _ in pairs):
            raise Invalid(f"{OPTION}: {line!r} must be {_FORM}")
        site, driver = words[:2]
        if driver not in DRIVERS:
            raise Invalid(
                f"{OPTION}: {site}: there is no driver {driver!r}; there are: {', '.join(sorted(DRIVERS))}"
            )
        if site in found:
            raise Invalid(f"{OPTION}: {site} is named twice")
        found[site] = DRIVERS[driver](site, {name: value for name, _, value in pairs}, trail)
    return found
