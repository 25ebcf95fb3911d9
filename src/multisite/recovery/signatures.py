"""Who wrote a manifest: Ed25519 signatures (RFC 8032), checked against the public keys this installation trusts.

Whoever can write to the backup store can lay a manifest there and compute its digest, but not sign it.  Each
installation has one private key, which is never in the store, and trusts the public keys (PEM) in one folder: its
own, those it had before, and those of other installations that use the same store.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from multisite.domain.errors import Invalid, MultisiteError
from multisite.domain.manifest import ManifestError
from multisite.recovery.files import write_durably

SIGNING_KEY, TRUSTED_KEYS = "manifest-signing-key.pem", "manifest-keys"
"""Where they are in ``state_path`` unless the configuration says otherwise."""
LARGEST = 4096
"""Bytes of a signature and of a key; both take less than 200."""
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
_TRUST = "multisite-manage store keys"


class KeyUnusable(MultisiteError):
    """A key of this installation cannot be read or written; the message says which option and what to do."""

    status = 503


@dataclass(frozen=True)
class Signature:
    """What a signature file holds, as JSON: the key's id and the signature in base64."""

    key: str
    signature: str


_SIGNATURE: TypeAdapter[Signature] = TypeAdapter(Signature)


@dataclass(frozen=True)
class ManifestKeys:
    """``signing_key``: file of the private key.  ``trusted``: folder of public keys, ``*.pub``.

    Both are read anew each time: a key that is replaced, trusted or removed counts from then on, without a restart.
    """

    signing_key: Path
    trusted: Path

    @classmethod
    def at(cls, state: Path, signing_key: str | None = None, trusted: str | None = None) -> ManifestKeys:
        """In ``state`` unless said otherwise."""
        return cls(Path(signing_key or state / SIGNING_KEY), Path(trusted or state / TRUSTED_KEYS))

    def make(self) -> str:
        """The id of the signing key, which is made (readable for its owner only) when there is none, and trusted.

        Raises KeyUnusable.
        """
        if not self.signing_key.exists():
            self._write_private(Ed25519PrivateKey.generate(), replace=False)
        return self._publish(self._private().public_key())

    def replace(self) -> str:
        """A new signing key; the public half of the old one stays trusted.  Returns the new key's id."""
        self.make()
        new = Ed25519PrivateKey.generate()
        id = self._publish(new.public_key())  # before it signs anything
        self._write_private(new, replace=True)
        return id

    def sign(self, data: bytes) -> bytes:
        """The content of a signature file over these bytes.  Raises KeyUnusable."""
        key = self._private()
        made = Signature(key_id(key.public_key()), base64.b64encode(key.sign(data)).decode())
        return json.dumps(asdict(made)).encode() + b"\n"

    def verify(self, data: bytes, signature: bytes) -> None:
        """Raise ManifestError, with what to do, unless a trusted key signed these bytes."""
        try:
            found = _SIGNATURE.validate_json(signature, strict=True)
            value = base64.b64decode(found.signature, validate=True)
        except (ValidationError, ValueError) as error:
            raise ManifestError("not a signature: it was changed or damaged") from error
        key = dict(self._keys()).get(found.key)
        if key is None:
            raise ManifestError(
                f"signed by key {found.key[:64]!r}, which is not trusted here; if it is that of another installation"
                f" of yours: `{_TRUST} export > its.pub` there, `{_TRUST} trust its.pub` here"
            )
        try:
            key.verify(value, data)
        except InvalidSignature as error:
            raise ManifestError(
                f"the signature of key {found.key} is not of this content: one of them was changed or laid there;"
                " do not use it, get both from a copy of the store"
            ) from error

    def seal(self, purpose: bytes, data: bytes) -> bytes:
        """A file of a line with the signature and the data; nobody can pass it for one of another ``purpose``."""
        return self.sign(purpose + data) + data

    def open(self, purpose: bytes, sealed: bytes) -> bytes:
        """The data of such a file.  Raises as ``verify``."""
        signature, _, data = sealed.partition(b"\n")
        self.verify(purpose + data, signature)
        return data

    def ids(self) -> list[str]:
        """Ids of the keys that are trusted.  Raises KeyUnusable."""
        return sorted(dict(self._keys()))

    def signing_id(self) -> str | None:
        """Id of the signing key, None when there is none yet.  Raises KeyUnusable."""
        return key_id(self._private().public_key()) if self.signing_key.exists() else None

    def export(self) -> bytes:
        """The public half of the signing key, PEM: what another installation trusts.  Raises KeyUnusable."""
        return self._private().public_key().public_bytes(serialization.Encoding.PEM, _SPKI)

    def trust(self, file: Path) -> str:
        """Trust a public key from now on; returns its id.  Invalid for what is none."""
        key = _public(file)
        if key is None:
            raise Invalid(f"{file}: not the public key of an installation (`{_TRUST} export` prints one)")
        return self._publish(key)

    def _private(self) -> Ed25519PrivateKey:
        option = f"[backup_store] signing_key {self.signing_key}"
        try:
            key = serialization.load_pem_private_key(_read(self.signing_key), password=None)
        except OSError as error:
            remedy = f"has uid {os.geteuid()} been denied it, or was it never made (`{_TRUST} create`)?"
            raise KeyUnusable(f"{option}: {error.strerror or error}: {remedy}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyUnusable(f"{option}: not a private key in PEM without a password") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusable(
                f"{option}: not an Ed25519 key: move it away and make one with `{_TRUST} create`"
            )
        return key

    def _write_private(self, key: Ed25519PrivateKey, *, replace: bool) -> None:
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        try:
            self.signing_key.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self.signing_key, pem, replace=replace)
        except FileExistsError:
            return  # another process of this installation made one at the same time
        except OSError as error:
            raise KeyUnusable(f"[backup_store] signing_key {self.signing_key}: {error.strerror}") from error

    def _publish(self, key: Ed25519PublicKey) -> str:
        id = key_id(key)
        try:
            self.trusted.mkdir(parents=True, exist_ok=True)
            if id not in dict(self._keys()):
                pem = key.public_bytes(serialization.Encoding.PEM, _SPKI)
                write_durably(self.trusted / f"{id}.pub", pem)
        except OSError as error:
            raise KeyUnusable(f"[backup_store] trusted_keys {self.trusted}: {error.strerror}") from error
        return id

    def _keys(self) -> Iterator[tuple[str, Ed25519PublicKey]]:
        """By id; a file that is no key is nobody's."""
        try:
            files = sorted(file for file in self.trusted.iterdir() if file.suffix == ".pub")
        except FileNotFoundError:
            return
        except OSError as error:
            raise KeyUnusable(f"[backup_store] trusted_keys {self.trusted}: {error.strerror}") from error
        for file in files:
            key = _public(file)
            if key is not None:
                yield key_id(key), key


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _public(file: Path) -> Ed25519PublicKey | None:
    try:
        key = serialization.load_pem_public_key(_read(file))
    except (OSError, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LARGEST)
