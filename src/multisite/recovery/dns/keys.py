"""TSIG keys: the file that ``tsig-keygen`` writes, one key after the other, for nobody's eyes but the service's.

The form is that of BIND's ``key`` clause (BIND 9 reference, "key block"), which ``nsupdate -k`` reads, too.
"""

from __future__ import annotations

import base64
import binascii
import re
import stat
from pathlib import Path

import dns.exception
import dns.name
import dns.tsig

from multisite.domain.errors import Unavailable
from multisite.recovery.dns.model import plain_name

OPTION = "[recovery_plans] dns_keys"
ALGORITHMS = {
    name: dns.name.from_text(name)
    for name in ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1")
}
_KEY = re.compile(r'key\s+"?(?P<name>[^\s"{;]+)"?\s*\{(?P<body>[^}]*)\}\s*;')
_FIELD = re.compile(r'\s*(algorithm|secret)\s+"?([^\s";]+)"?\s*;')
_COMMENT = re.compile(r"(?://|#)[^\n]*|/\*.*?\*/", re.DOTALL)


def read_key(file: Path, name: str) -> dns.tsig.Key:
    """The key of this name.  Raises Unavailable saying what is wrong with the file, never what is in it."""
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Unavailable(f"{OPTION}: {file}: {said}: write keys there with `tsig-keygen <name>`") from None
    if not stat.S_ISREG(mode) or mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise Unavailable(
            f"{OPTION}: {file} is open to others, with mode {stat.S_IMODE(mode):o}: chmod 640 {file}"
        )
    for found in _KEY.finditer(_without_comments(text)):
        if plain_name(found["name"]) == plain_name(name):
            return _made(file, name, dict(_FIELD.findall(found["body"])))
    raise Unavailable(
        f"{OPTION}: {file} has no key {name!r}: add what `tsig-keygen {name}` writes, there and at the server"
    )


def _without_comments(text: str) -> str:
    """Base64 has slashes: a comment begins a line, or follows a blank."""
    return re.sub(rf"(?<!\S)(?:{_COMMENT.pattern})", "", text, flags=re.DOTALL)


def _made(file: Path, name: str, fields: dict[str, str]) -> dns.tsig.Key:
    algorithm = ALGORITHMS.get(fields.get("algorithm", "").lower())
    try:
        secret = base64.b64decode(fields.get("secret", ""), validate=True)
        if algorithm is not None and secret:
            return dns.tsig.Key(name, secret, algorithm)
    except (binascii.Error, dns.exception.DNSException):
        pass
    raise Unavailable(
        f"{OPTION}: {file}: key {name!r} must have an algorithm ({', '.join(ALGORITHMS)}) and a secret in base64"
    )
