"""The master copy: one file per key, named by its fingerprint, in a folder only the service's user can enter.

Files are only added and removed, never changed, and mean nothing until the journal names them.  So a key is made
in two steps that may be interrupted anywhere: write its file; name it in the journal.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Collection
from pathlib import Path

from multisite.domain.errors import Invalid, Unavailable
from multisite.identity import files
from multisite.identity.keys.fernet.usable import flaw
from multisite.identity.keys.repository import Key

KEY_BYTES = 32


class Vault:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ready(self) -> None:
        """Make the folder, or raise Unavailable when others may look into it."""
        for folder in (self._folder.parent, self._folder):
            files.private_folder(folder)

    def new(self) -> str:
        """A new Fernet key (https://github.com/fernet/spec: 256 bits, base64url), kept; its fingerprint."""
        return self.keep(Key(base64.urlsafe_b64encode(os.urandom(KEY_BYTES))))

    def keep(self, key: Key) -> str:
        """Raises Invalid for what Keystone could not use."""
        if why := flaw(key.reveal()):
            raise Invalid(f"key {key.fingerprint}: it {why}")
        files.write(self._folder / key.fingerprint, key.reveal())
        return key.fingerprint

    def get(self, fingerprint: str) -> Key:
        """Raises Unavailable when it is not there or not itself."""
        try:
            key = Key((self._folder / fingerprint).read_bytes())
        except OSError as error:
            raise Unavailable(f"key {fingerprint}: {error.strerror} in the vault {self._folder}") from None
        if key.fingerprint != fingerprint:
            raise Unavailable(f"key {fingerprint}: its file in the vault {self._folder} is damaged")
        return key

    def missing(self, wanted: Collection[str]) -> list[str]:
        """Which of these are not there or damaged."""
        found = []
        for fingerprint in sorted(wanted):
            try:
                self.get(fingerprint)
            except Unavailable:
                found.append(fingerprint)
        return found

    def forget_all_but(self, wanted: Collection[str]) -> None:
        """Remove keys nobody names any more, and what a killed process left half made."""
        for path in self._folder.iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)
