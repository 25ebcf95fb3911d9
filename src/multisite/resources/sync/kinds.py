"""The kinds of resources that are kept in sync, as a table: a new kind is a row, and its module of ``clouds``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multisite.clouds.connect import CloudSite
from multisite.clouds.tenant_resources import (
    flavors,
    images,
    keypairs,
    qos_policies,
    security_groups,
    server_groups,
    volume_types,
)
from multisite.domain.resource_sync import Record
from multisite.resources.images import follow
from multisite.resources.images.pace import Pace
from multisite.resources.sync.document import entries
from multisite.resources.sync.document.entries import Entry

Fields = Mapping[str, Any]
Copies = Callable[[CloudSite, CloudSite, Record, Fields, str, Pace], str]


@dataclass(frozen=True)
class SyncKind:
    """``for_administrators``: it is the whole site's, not a project's.  ``fixed``, ``first``, ``given``: see
    ``decide.Rules``.  ``translated``: a record with other ids for what it names; ``written``: fields likewise.
    ``entry``: what a document says of one; None: it is in none.  ``told``: by id of a source site's what is not carried
    and in no list.
    """

    read: Callable[[CloudSite], dict[str, Record]]
    is_there: Callable[[CloudSite, str], bool]
    create: Callable[[CloudSite, Fields], str]
    update: Callable[[CloudSite, str, Fields], None]
    delete: Callable[[CloudSite, str], None]
    for_administrators: bool = False
    fixed: frozenset[str] = frozenset()
    first: tuple[str, ...] | None = None
    given: frozenset[str] = frozenset()
    translated: Callable[[Record, Mapping[str, str]], Record] = field(default=lambda record, _: record)
    written: Callable[[Mapping[str, str], Fields], dict[str, Any]] = field(
        default=lambda _, fields: dict(fields)
    )
    names: Callable[[Fields], set[str]] = field(default=lambda _: set())
    entry: Entry | None = None
    told: Callable[[CloudSite, Mapping[str, Record]], dict[str, str]] | None = None
    copied: Copies | None = None
    """In place of ``create``, for what has more than fields; gets a token by which it finds what it made before."""


KINDS: Mapping[str, SyncKind] = {
    "security-group": SyncKind(
        security_groups.read, security_groups.is_there, security_groups.create, security_groups.update,
        security_groups.delete, first=("name", "description", "stateful"), given=frozenset({"default"}),
        translated=security_groups.translated, written=security_groups.in_words, names=security_groups.named,
        entry=entries.SECURITY_GROUP,
    ),
    "image": SyncKind(
        images.read, images.is_there, images.create, images.update, images.delete, fixed=images.FIXED,
        translated=images.translated, written=images.in_words, names=images.named, copied=follow.copy,
    ),
    "server-group": SyncKind(
        server_groups.read, server_groups.is_there, server_groups.create, server_groups.update, server_groups.delete,
        fixed=frozenset({"name", "policy", "rules"}), entry=entries.SERVER_GROUP,
    ),
    "qos-policy": SyncKind(
        qos_policies.read, qos_policies.is_there, qos_policies.create, qos_policies.update, qos_policies.delete,
        for_administrators=True, first=("name", "description", "shared", "is_default"), entry=entries.QOS_POLICY,
    ),
    "keypair": SyncKind(
        keypairs.read, keypairs.is_there, keypairs.create, keypairs.update, keypairs.delete, for_administrators=True,
        fixed=keypairs.FIXED, entry=entries.KEY_PAIR,
    ),
    "flavor": SyncKind(
        flavors.read, flavors.is_there, flavors.create, flavors.update, flavors.delete, for_administrators=True,
        fixed=flavors.FIXED, first=(*sorted(flavors.FIXED), "description"), entry=entries.FLAVOR,
    ),
    "volume-type": SyncKind(
        volume_types.read, volume_types.is_there, volume_types.create, volume_types.update, volume_types.delete,
        for_administrators=True, first=("name", "description", "public"), given=frozenset({"__DEFAULT__"}),
        entry=entries.VOLUME_TYPE, told=volume_types.told,
    ),
}  # fmt: skip
