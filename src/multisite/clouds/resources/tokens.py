"""The token ``multisite:<job>:<step>``: how it is written on a resource, and read in what a list shows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from multisite.clouds.resources.kinds import KINDS, Kind, TokenPlace

PREFIX = "multisite:"
KEY = "multisite_token"
APPLICATION_KEY, EPOCH_KEY = "multisite_application", "multisite_epoch"
"""Metadata of recovered servers: of which application, by which of its recoveries (``domain.epoch``)."""
LEFT_KEY = "multisite_left"
"""Extra spec of a flavor that a recovery has left to others (``clouds.flavors``)."""
DRILL_KEY = "multisite_drill"
"""Metadata of the servers of a drill, which are no application: the drill's id."""
STANDBY_KEY = "multisite_standby"
"""Metadata of a volume that is kept restored for a recovery to come: the digest of its restore point's manifest."""
OWN_KEYS = frozenset({KEY, APPLICATION_KEY, EPOCH_KEY, DRILL_KEY, STANDBY_KEY})
"""Never of the application itself."""
OF_NOVA = "snapshot for "
"""Begins the names of the snapshots that Nova makes for an image, whose name follows (``snapshot_volume_backed``)."""
LONGEST = 255
"""Length limit of a Neutron tag, a description there, and a metadata value of Nova and Cinder."""

_SUFFIX = re.compile(r"-ms-[0-9a-f]{8}-[0-9a-f]{8}$")


def job_prefix(job_id: str) -> str:
    """What the tokens of all steps of a job begin with."""
    return f"{PREFIX}{job_id}:"


def prefix_of(token: str) -> str:
    """``job_prefix`` of the job a token is of."""
    return job_prefix(token.split(":")[1])


def is_token(word: object) -> TypeGuard[str]:
    """Whether a tag, a description or a name is one, of whatever job."""
    return isinstance(word, str) and word.startswith(PREFIX)


def is_our_spec(key: str) -> bool:
    """Whether an extra spec of a flavor is Multisite's."""
    return is_token(key) or key == LEFT_KEY


def checked(token: str) -> str:
    """The token, if every service accepts it; ValueError says why not (it is made of our own names)."""
    if not is_token(token) or token.count(":") < 2:
        raise ValueError(f"{token!r} is not multisite:<job>:<step>")
    if len(token) > LONGEST or "," in token or not token.isprintable():
        raise ValueError(
            f"{token!r}: at most {LONGEST} printable characters, no comma (Neutron separates tags by it)"
        )
    return token


def mark(kind: Kind, token: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` of a create request with the token where this kind carries it; a kind marked in its name gets a
    longer one.
    """
    checked(token)
    marked, place = dict(fields), KINDS[kind].token
    if place is TokenPlace.METADATA:
        marked["metadata"] = {**(fields.get("metadata") or {}), KEY: token}
    elif place is TokenPlace.NAME:
        marked["name"] = named(str(fields["name"]), token)
    else:
        marked["description"] = token
    return marked


def named(name: str, token: str) -> str:
    """``name`` with the token's digests behind it, in letters every release takes for a key pair.

    The first digest is the job's, the second the token's; 255 characters at most, the name is cut.
    """
    suffix = _suffix(token)
    return name[: LONGEST - len(suffix)] + suffix


def unnamed(name: str) -> str:
    """What ``named`` put a suffix on, unless it was cut; another name as it is."""
    return _SUFFIX.sub("", name)


def carries(kind: Kind, row: Mapping[str, Any], token: str) -> bool:
    """Whether what a list shows has exactly this token.  Where metadata counts, a name that *is* the token does too."""
    if KINDS[kind].token is TokenPlace.NAME:
        return str(row["name"]).endswith(_suffix(token))
    return token in read(kind, row)


def carries_of_job(kind: Kind, row: Mapping[str, Any], job_id: str) -> bool:
    """Whether what a list shows has a token of any step of this job."""
    prefix = job_prefix(job_id)
    if KINDS[kind].token is TokenPlace.NAME:
        return _suffix(prefix)[: -len(_digest(prefix))] in str(row["name"])
    return any(token.startswith(prefix) for token in read(kind, row))


def read(kind: Kind, row: Mapping[str, Any]) -> list[str]:
    """The tokens that can be read in a row: none for kinds marked in their name."""
    place = KINDS[kind].token
    if place is TokenPlace.METADATA:
        name = str(row.get("name") or "")
        places = [
            (row.get("metadata") or {}).get(KEY),
            name.removeprefix(OF_NOVA) if kind == "snapshot" else name,
        ]
    elif place is TokenPlace.TAG:
        places = [*row.get("tags", ()), row.get("description")]
    elif place is TokenPlace.SPECS:
        places = [row.get("description"), *(row.get("extra_specs") or ())]
    else:
        places = [row.get("description")]
    return [place for place in places if is_token(place)]


def _suffix(token: str) -> str:
    job = ":".join(token.split(":")[:2])
    return f"-ms-{_digest(job)}-{_digest(token)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
