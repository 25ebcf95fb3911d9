"""Manifests that whoever else reads the backup store cannot read: Fernet (AES-CBC with HMAC-SHA256).

A manifest holds what servers were made with, user data too, which may hold passwords.  The keys are in a file apart
from the store, one in a line as ``Fernet.generate_key`` makes it; the first encrypts, all decrypt:
https://cryptography.io/en/latest/fernet/#cryptography.fernet.MultiFernet
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.manifest import ManifestError
from multisite.recovery.files import TooLarge, read_file, write_durably
from multisite.recovery.signatures import KeyUnusable

OPTION = "[backup_store] encryption_keys"
LARGEST = 1 << 16
"""Bytes of the file of keys; each takes 45."""
_TOKEN = b"gAAAA"
"""A Fernet token begins with the version 0x80 and the high bytes of a time, in base64; JSON never does."""


@dataclass(frozen=True)
class Encryption:
    """``keys``: the file; None leaves what is written as it is.  It is read anew each time, without a restart."""

    keys: Path | None = None

    def seal(self, data: bytes) -> bytes:
        """What is written for ``data``.  Raises KeyUnusable."""
        return data if self.keys is None else self._fernet().encrypt(data)

    def open(self, shown: str, stored: bytes) -> bytes:
        """What was sealed, or never was; ``shown`` names it in the message.

        ManifestError when no key of the file decrypts it; KeyUnusable.
        """
        if not is_sealed(stored):
            return stored
        if self.keys is None:
            raise ManifestError(
                f"{shown}: encrypted: set {OPTION} to a file with the key it was encrypted with"
            )
        try:
            return self._fernet().decrypt(stored)
        except InvalidToken as error:
            raise ManifestError(
                f"{shown}: encrypted with a key that is not in {OPTION} {self.keys}, or damaged: add that key as a line"
            ) from error

    def sealed_with_newest(self, stored: bytes) -> bool:
        """Whether the key decrypts it that encrypts now."""
        if not is_sealed(stored):
            return False
        try:
            self._lines()[0].decrypt(stored)
        except InvalidToken:
            return False
        return True

    def make_key(self, *, replace: bool) -> Path:
        """Make a key that encrypts from now on; earlier ones stay, to decrypt.  Returns the file.

        Conflict when there is one and it is not to be replaced; Invalid when no file is configured.
        """
        if self.keys is None:
            raise Invalid(f"{OPTION}: not set: name a file outside of the backup store")
        there = self._read() if self.keys.exists() else b""
        if there and not replace:
            raise Conflict(
                f"{self.keys}: there is a key; --replace makes a new one, earlier ones stay to decrypt"
            )
        try:
            write_durably(self.keys, Fernet.generate_key() + b"\n" + there)
        except OSError as error:
            raise self._unusable(str(error.strerror or error)) from error
        return self.keys

    def _fernet(self) -> MultiFernet:
        return MultiFernet(self._lines())

    def _lines(self) -> list[Fernet]:
        try:
            found = [Fernet(line) for line in self._read().split()]
        except ValueError as error:
            raise self._unusable("a line is not a Fernet key") from error
        if not found:
            raise self._unusable("no key in it")
        return found

    def _read(self) -> bytes:
        assert self.keys is not None
        try:
            return read_file(self.keys, LARGEST)
        except (OSError, TooLarge) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise self._unusable(
                f"{why}: has uid {os.geteuid()} been denied it, or was it never made"
            ) from error

    def _unusable(self, why: str) -> KeyUnusable:
        return KeyUnusable(
            f"{OPTION} {self.keys}: {why} (`multisite-manage store encryption create-key` makes one)"
        )


PLAIN = Encryption()


def is_sealed(stored: bytes) -> bool:
    """Whether bytes of the store are encrypted."""
    return stored.startswith(_TOKEN)
