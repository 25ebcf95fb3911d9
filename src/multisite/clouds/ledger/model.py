"""What a table of the ledger is made of: a kind of resource, its fields, and what becomes of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue


class Verdict(StrEnum):
    """What becomes of a field in a restore point and at the target."""

    CARRIED = "carried"  # it is in the restore point, and at the target as it was
    DERIVED = "derived"  # the target computes it from what is carried
    OF_THE_SITE = "of the site"  # identifiers, states, times, hosts: the target has its own
    NOT_CARRIED = "not carried"  # it is lost, and said so


UNSET: tuple[JsonValue, ...] = (None, "", [], {}, False, 0)
"""What "not set" is for most fields."""


@dataclass(frozen=True)
class Field:
    """A field as the service names it.

    ``unset``: its values that say nothing, the service's default among them.  ``what``: what it is, or where a carried
    one is kept.  ``told``: the sentence when it is set ("{value}" is its value), with its ``remedy``; empty: nothing
    is lost.  ``extension``: the alias of the Neutron extension that brings it.
    """

    name: str
    verdict: Verdict
    what: str = ""
    told: str = ""
    remedy: str = ""
    unset: tuple[JsonValue, ...] = UNSET
    extension: str | None = None

    def is_set(self, value: JsonValue) -> bool:
        return value not in self.unset


@dataclass(frozen=True)
class Kind:
    """A kind of resource.  ``source``: where its fields are documented; ``part``: its part in a restore point."""

    name: str
    plural: str
    source: str
    part: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)

    def extension_of(self, name: str) -> str | None:
        """Alias of the extension that brings a field; None when it is always there."""
        field = self.field(name)
        return field.extension if field else None


def carried(what: str, *names: str, extension: str | None = None) -> tuple[Field, ...]:
    return tuple(Field(name, Verdict.CARRIED, what, extension=extension) for name in names)


def derived(what: str, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, Verdict.DERIVED, what) for name in names)


def of_the_site(what: str, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, Verdict.OF_THE_SITE, what) for name in names)


def not_carried(
    name: str,
    what: str,
    remedy: str,
    *,
    told: str = "",
    unset: tuple[JsonValue, ...] = UNSET,
    extension: str | None = None,
) -> tuple[Field, ...]:
    """``told``: by default "<what> {value} is not carried"."""
    said = told or f"{what} {{value}} is not carried"
    return (Field(name, Verdict.NOT_CARRIED, what, said, remedy, unset, extension),)
