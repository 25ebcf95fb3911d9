"""Resources of OpenStack by kind and token: see ``kinds`` for the table, ``lifecycle`` for what can be done."""

from multisite.clouds.resources.kinds import KINDS, Kind, ResourceKind, TokenPlace
from multisite.clouds.resources.lifecycle import (
    Found,
    create,
    delete_one,
    ensure,
    find,
    find_of_job,
    list_all,
    look_again,
    read,
    read_or_none,
    remove,
    rows,
    tag,
    tag_and_describe,
    twice_if_late,
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
    "find",
    "find_of_job",
    "list_all",
    "look_again",
    "read",
    "read_or_none",
    "remove",
    "rows",
    "tag",
    "tag_and_describe",
    "twice_if_late",
]
