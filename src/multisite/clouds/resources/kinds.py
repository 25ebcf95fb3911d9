"""The kinds of OpenStack resources Multisite makes, as data: a new kind is a row of ``KINDS`` and its name in ``Kind``.

| the token is in | kinds | how it is found |
|---|---|---|
| the name, which is the token (of a volume and a snapshot, too, where others write their metadata or none) | image | list, matched here |
| metadata ``multisite_token`` | server, volume, snapshot, backup (3.43) | list, matched here: Nova refuses ``metadata`` as a filter, which filters Cinder knows is up to its deployer, an unknown one is dropped silently and answers everything |
| the description of the create request, then a tag | kinds of Neutron | filters ``tags`` and ``description`` |
| the description of the create request, then a key of the extra specs | flavor (2.55) | list, matched here |
| the description | group snapshot | list, matched here |
| a suffix of the name, made of digests | key pair, server group: nothing else can be written | list, matched here |
| nowhere | imported backup: importing takes the record as it is | by its id, which importing keeps |

Neutron takes no tags when it creates (but for ports), and between a create and a second call a crash fits.  So the
description carries the token first; then the resource is tagged and gets the description it should have.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

Kind = Literal[
    "server",
    "volume",
    "snapshot",
    "group_snapshot",
    "backup",
    "network",
    "subnet",
    "port",
    "security_group",
    "router",
    "floating_ip",
    "trunk",
    "keypair",
    "flavor",
    "server_group",
    "image",
]


class TokenPlace(Enum):
    """Where a kind carries its token."""

    METADATA = "metadata"
    TAG = "tag"
    DESCRIPTION = "description"
    SPECS = "extra specs"
    NAME = "name"


@dataclass(frozen=True)
class ResourceKind:
    """How a kind is spoken of with its service.

    ``service``: property of CloudSite.  ``path`` of the collection, ``key`` of one in a body, ``keys`` of many.
    ``listing``: what is behind the path to list with everything.  ``microversion`` is pinned where the shape of an
    answer depends on it, ``listed_at`` where listing needs another one.  ``filters`` of every list.
    ``lags``: lists show one for a while after it is gone.  ``optional``: a service may not know the kind (404),
    a Neutron only when it has not loaded ``extension``.  ``bare``: one in an answer is not below its key.
    """

    service: Literal["compute", "volume", "network", "image"]
    path: str
    key: str
    keys: str
    token: TokenPlace
    listing: str = ""
    microversion: str | None = None
    listed_at: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    nested: bool = False
    lags: bool = False
    optional: bool = False
    extension: str | None = None
    bare: bool = False


CINDER_VERSION = "3.43"
"""Shows a backup's metadata; snapshots of attached volumes need "force", which 3.66 and later refuse."""


def _neutron(path: str, key: str, keys: str, extension: str | None = None) -> ResourceKind:
    return ResourceKind("network", path, key, keys, TokenPlace.TAG, extension=extension)


def _cinder(key: str, token: TokenPlace = TokenPlace.METADATA, *, optional: bool = False) -> ResourceKind:
    return ResourceKind(
        "volume", f"/{key}s", key, f"{key}s", token, "/detail", CINDER_VERSION, optional=optional
    )


# Pinned for Nova: 2.90 (Yoga) takes a host name; lists of 2.69 and later show servers of a cell that is down without
# their metadata; 2.55 and later show a flavor's description, 2.10 user ids of key pairs.  "is_public": private
# flavors too, for administrators; it is ignored for others.
KINDS: Mapping[Kind, ResourceKind] = {
    "server": ResourceKind(
        "compute", "/servers", "server", "servers", TokenPlace.METADATA, "/detail", "2.90", "2.1", lags=True
    ),
    "volume": _cinder("volume"),
    "snapshot": _cinder("snapshot"),
    "group_snapshot": _cinder("group_snapshot", TokenPlace.DESCRIPTION, optional=True),
    "backup": _cinder("backup"),
    "network": _neutron("/networks", "network", "networks"),
    "subnet": _neutron("/subnets", "subnet", "subnets"),
    "port": _neutron("/ports", "port", "ports"),
    "security_group": _neutron("/security-groups", "security_group", "security_groups", "security-group"),
    "router": _neutron("/routers", "router", "routers", "router"),
    "floating_ip": _neutron("/floatingips", "floatingip", "floatingips", "router"),
    "trunk": _neutron("/trunks", "trunk", "trunks", "trunk"),
    "flavor": ResourceKind(
        "compute", "/flavors", "flavor", "flavors", TokenPlace.SPECS, "/detail", "2.61",
        filters={"is_public": "None"}, lags=True,
    ),
    "keypair": ResourceKind(
        "compute", "/os-keypairs", "keypair", "keypairs", TokenPlace.NAME, microversion="2.35", nested=True
    ),
    "server_group": ResourceKind(
        "compute", "/os-server-groups", "server_group", "server_groups", TokenPlace.NAME, microversion="2.64",
        lags=True,
    ),
    # Those that servers' images are: another project's are not ours to find.
    "image": ResourceKind(
        "image", "/images", "image", "images", TokenPlace.METADATA,
        filters={"visibility": "private", "limit": "500"}, bare=True,
    ),
}  # fmt: skip


def label(kind: Kind) -> str:
    """A kind in words: "security group"."""
    return kind.replace("_ip", " IP").replace("keypair", "key pair").replace("_", " ")
