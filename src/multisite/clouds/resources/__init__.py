"""Resources of OpenStack by kind and token: see ``kinds`` for the table, ``lifecycle`` for what can be done."""

from multisite.clouds.resources.kinds import KINDS, Kind, ResourceKind, TokenPlace
from multisite.clouds.resources.lifecycle import (
    Found,
    create,
    delete_one,
    ensure,
    every,
    find,
    find_of_job,
    look_again,
    read,
    remove,
    rows,
    seal,
    tag,
)

__all__ = [
    "KINDS",
    "Found",
    "Kind",
    "ResourceKind",
    "TokenPlace",
    "create",
    "delete_one",
    "ensure",
    "every",
    "find",
    "find_of_job",
    "look_again",
    "read",
    "remove",
    "rows",
    "seal",
    "tag",
]
