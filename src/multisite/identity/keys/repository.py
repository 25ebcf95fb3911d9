"""A Fernet key repository as data: numbers and fingerprints, never keys.

The layout is Keystone's (keystone/common/fernet_utils.py): number 0 is **staged** (the next primary, validates only),
the highest number is **primary** (encrypts), all others validate only.  Keystone reads the folder for every token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

STAGED = 0


class Kind(StrEnum):
    """The repositories of Keystone that have to be the same at every site."""

    TOKENS = "fernet_tokens"
    RECEIPTS = "fernet_receipts"
    CREDENTIAL = "credential"


class Key:
    """A key's bytes.  It prints as its fingerprint, wherever it gets to."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value.strip()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self._value)

    def reveal(self) -> bytes:
        """The bytes, for writing them to a file and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return f"Key({self.fingerprint})"


def fingerprint(key: bytes) -> str:
    """16 hex digits of SHA-256.  A key is 256 random bits: nothing can be learned from it."""
    return hashlib.sha256(key.strip()).hexdigest()[:16]


@dataclass(frozen=True)
class Repository:
    """``keys``: fingerprint by number."""

    keys: Mapping[int, str] = field(default_factory=dict)

    @property
    def staged(self) -> str | None:
        return self.keys.get(STAGED)

    @property
    def primary(self) -> str | None:
        """What Keystone encrypts with: the highest number, also when that is 0."""
        return self.keys[max(self.keys)] if self.keys else None

    @property
    def fingerprints(self) -> frozenset[str]:
        return frozenset(self.keys.values())

    def promoted(self, next_staged: str) -> Repository:
        """The staged key becomes primary, ``next_staged`` is staged; nothing is purged.

        Raises ValueError without a staged key.
        """
        if self.staged is None:
            raise ValueError("there is no staged key to promote")
        return Repository({**self.keys, max(self.keys) + 1: self.staged, STAGED: next_staged})

    def replaced(self, primary: str, staged: str) -> Repository:
        """None of the old keys: a new primary above them, so that it counts as soon as it is written."""
        return Repository({STAGED: staged, max(self.keys, default=0) + 1: primary})

    def without(self, numbers: Iterable[int]) -> Repository:
        gone = set(numbers)
        return Repository({n: f for n, f in self.keys.items() if n not in gone})

    def __str__(self) -> str:
        return " ".join(f"{n}:{f}" for n, f in sorted(self.keys.items())) or "empty"
