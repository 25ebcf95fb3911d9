"""How the token ``multisite:<job>:<step>`` is put on each kind of resource, and how it is found again.

| kind | where it is | how it is found |
|---|---|---|
| server | metadata ``multisite_token`` | list, matched here: Nova refuses ``metadata`` as a filter |
| volume, snapshot, backup | metadata ``multisite_token`` (backup: 3.43) | list, matched here: which filters Cinder knows is up to its deployer, an unknown one is dropped silently and answers everything |
| imported backup | nowhere: importing takes the record as it is | by its id, which importing keeps |
| network, subnet, port, security_group, router | description in the create request, then a tag | filters ``tags`` and ``description`` |
| flavor | description (2.55) | list, matched here |
| keypair, server_group | a suffix of the name, made of digests: nothing else can be written | list, matched here |

Neutron takes no tags when it creates (but for ports), and between a create and a second call a crash
fits.  So the description carries the token first; ``seal`` then tags the resource and gives it the
description it should have.  A name that *is* a token counts too, where metadata does.
"""  # noqa: E501

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from multisite.clouds.call import call, read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Unsupported

Kind = Literal[
    "server",
    "volume",
    "snapshot",
    "backup",
    "network",
    "subnet",
    "port",
    "security_group",
    "router",
    "keypair",
    "flavor",
    "server_group",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

KEY = "multisite_token"
LONGEST = 255
"""Length limit of a Neutron tag, a description there, and a metadata value of Nova and Cinder."""

_IN_METADATA = frozenset({"server", "volume", "snapshot", "backup"})
_IN_TAG = frozenset({"network", "subnet", "port", "security_group", "router"})
_IN_NAME = frozenset({"keypair", "server_group"})


@dataclass(frozen=True)
class Found:
    """A resource that carries a token; for kinds marked in their name the token is not readable: None."""

    kind: Kind
    id: str
    name: str
    token: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class _Listing:
    service: Callable[[CloudSite], Any]
    path: str
    key: str
    microversion: str | None = None


# Pinned: 3.43 shows a backup's metadata, 2.55 a flavor's description, 2.10 user ids of key pairs.
_LISTINGS: Mapping[str, _Listing] = {
    "server": _Listing(lambda s: s.compute, "/servers/detail", "servers", "2.1"),
    "volume": _Listing(lambda s: s.volume, "/volumes/detail", "volumes", "3.43"),
    "snapshot": _Listing(lambda s: s.volume, "/snapshots/detail", "snapshots", "3.43"),
    "backup": _Listing(lambda s: s.volume, "/backups/detail", "backups", "3.43"),
    "network": _Listing(lambda s: s.network, "/networks", "networks"),
    "subnet": _Listing(lambda s: s.network, "/subnets", "subnets"),
    "port": _Listing(lambda s: s.network, "/ports", "ports"),
    "security_group": _Listing(lambda s: s.network, "/security-groups", "security_groups"),
    "router": _Listing(lambda s: s.network, "/routers", "routers"),
    "flavor": _Listing(lambda s: s.compute, "/flavors/detail", "flavors", "2.55"),
    "keypair": _Listing(lambda s: s.compute, "/os-keypairs", "keypairs", "2.35"),
    "server_group": _Listing(lambda s: s.compute, "/os-server-groups", "server_groups", "2.64"),
}


def job_prefix(job_id: str) -> str:
    """What the tokens of all steps of a job begin with."""
    return f"multisite:{job_id}:"


def checked(token: str) -> str:
    """The token, if every service accepts it; ValueError says why not (it is made of our own names)."""
    if not token.startswith("multisite:") or token.count(":") < 2:
        raise ValueError(f"{token!r} is not multisite:<job>:<step>")
    if len(token) > LONGEST or "," in token or not token.isprintable():
        raise ValueError(
            f"{token!r}: at most {LONGEST} printable characters, no comma (Neutron separates tags by it)"
        )
    return token


def mark(kind: Kind, token: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` of a create request (SDK names) with the token where this kind carries it.

    Neutron kinds must be ``seal``ed afterwards; ``keypair`` and ``server_group`` get a longer name.
    """
    checked(token)
    marked = dict(fields)
    if kind in _IN_METADATA:
        marked["metadata"] = {**(fields.get("metadata") or {}), KEY: token}
    elif kind in _IN_NAME:
        marked["name"] = named(str(fields["name"]), token)
    else:
        marked["description"] = token
    return marked


def seal(site: CloudSite, kind: Kind, resource_id: str, token: str, description: str = "") -> None:
    """Tag a Neutron resource made with ``mark`` and give it its own description.

    Idempotent; does nothing for other kinds.  Tags it has already are kept.  Raises what ``call`` raises.
    """
    if kind not in _IN_TAG:
        return
    path = f"{_LISTINGS[kind].path}/{resource_id}"
    what = f"tag {kind.replace('_', ' ')} {resource_id}"
    key = kind
    known = read_one(site, what, lambda: site.network, path, key)
    tags = [*known.get("tags", ()), *([token] if token not in known.get("tags", ()) else [])]
    if tags != known.get("tags"):
        call(site, what, lambda: site.network.put(f"{path}/tags", json={"tags": tags}), idempotent=True)
    if known.get("description") != description:
        body = {key: {"description": description}}
        call(site, what, lambda: site.network.put(path, json=body), idempotent=True)


def named(name: str, token: str) -> str:
    """``name`` with the token's digests behind it, in letters every release takes for a key pair.

    The first digest is the job's, the second the token's; 255 characters at most, the name is cut.
    """
    suffix = _suffix(token)
    return name[: LONGEST - len(suffix)] + suffix


def find_by_token(site: CloudSite, kind: Kind, token: str) -> list[Found]:
    """The resources of this kind, in our project, that carry exactly this token.

    Raises what ``call`` raises: an empty list means the site answered and has none.
    """
    checked(token)
    if kind in _IN_TAG:
        by_tag = _list(site, kind, tags=token)
        by_description = _list(site, kind, description=token)
        found = {row["id"]: row for row in (*by_tag, *by_description)}
        return [_found(kind, row) for row in found.values() if token in _tokens_of(kind, row)]
    if kind in _IN_NAME:
        suffix = _suffix(token)
        return [_found(kind, row) for row in _list(site, kind) if row["name"].endswith(suffix)]
    return [_found(kind, row) for row in _list(site, kind) if token in _tokens_of(kind, row)]


def sweep(site: CloudSite, job_id: str, kinds: tuple[Kind, ...] = KINDS) -> list[Found]:
    """Everything in our project that carries a token of this job: what an undo must not leave behind.

    One list per kind.  A kind whose service the site does not have is skipped: nothing of it can be there.
    Raises what ``call`` raises.
    """
    prefix = job_prefix(job_id)
    job_mark = _suffix(prefix)[: -len(_digest(prefix))]
    found: list[Found] = []
    for kind in kinds:
        try:
            rows = _list(site, kind)
        except Unsupported:
            continue
        for row in rows:
            marked = job_mark in row["name"] if kind in _IN_NAME else False
            if marked or any(token.startswith(prefix) for token in _tokens_of(kind, row)):
                found.append(_found(kind, row, prefix))
    return found


def _list(site: CloudSite, kind: Kind, **filters: str) -> list[dict[str, Any]]:
    listing = _LISTINGS[kind]
    what = f"list {kind.replace('_', ' ')}s"
    if kind == "flavor":
        filters["is_public"] = "None"  # private ones too, for administrators; ignored for others
    rows = read_all(
        site,
        what,
        lambda: listing.service(site),
        listing.path,
        listing.key,
        microversion=listing.microversion,
        **filters,
    )
    return [row["keypair"] for row in rows] if kind == "keypair" else rows


def _tokens_of(kind: Kind, row: Mapping[str, Any]) -> list[str]:
    if kind in _IN_METADATA:
        places = [(row.get("metadata") or {}).get(KEY), row.get("name")]
    elif kind in _IN_TAG:
        places = [*row.get("tags", ()), row.get("description")]
    else:
        places = [row.get("description")]
    return [place for place in places if isinstance(place, str) and place.startswith("multisite:")]


def _found(kind: Kind, row: Mapping[str, Any], prefix: str = "") -> Found:
    token = next((t for t in _tokens_of(kind, row) if t.startswith(prefix)), None)
    name = str(row.get("name") or "")
    return Found(kind, str(row.get("id") or name), name, token, row.get("status"))


def _suffix(token: str) -> str:
    job = ":".join(token.split(":")[:2])
    return f"-ms-{_digest(job)}-{_digest(token)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
