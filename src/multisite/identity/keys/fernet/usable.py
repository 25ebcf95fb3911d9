"""Whether Keystone can use what is in a repository: judged as it opens it, by its user and with its library.

Sources: keystone/common/fernet_utils.py (``validate_key_repository``: the folder must be readable and enterable;
``_get_key_files``: every file in it is opened, whatever its name) and cryptography's ``Fernet``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from cryptography.fernet import Fernet

from multisite.identity.keys.transport.model import Facts, SiteFiles
from multisite.identity.topology.model import KeyHome

READ, ENTER = 4, 1
_NULL = bytes(32)
"""Keystone's NULL_KEY, of installations that never made credential keys: everybody knows it."""


def flaw(data: bytes) -> str | None:
    """Why Keystone cannot, or must not, encrypt with this key, in words; never the key."""
    try:
        text = data.decode()
        Fernet(text)
    except ValueError:
        return "is no Fernet key (32 bytes, in 44 characters of URL-safe base64): Keystone refuses every token with it"
    return "is the null key, which everybody knows" if base64.urlsafe_b64decode(text) == _NULL else None


async def closed(
    files: SiteFiles, home: KeyHome, folder: str, found: Mapping[str, Facts], account: tuple[int, int] | None
) -> list[str]:
    """What Keystone's user cannot open, in words.

    ``found``: the folder's files.  ``account``: its user and group; who is not named is the owner of the keys.
    """
    who = _keystone(found, account)
    if who is None:
        return []
    paths = [(folder, READ | ENTER)]
    if home.transport == "ssh":  # else the folders above are those of a mount
        paths += [(str(path), ENTER) for path in PurePosixPath(folder).parents]
    facts = [(path, bits, await files.folder(path)) for path, bits in paths]
    return [
        *(_cannot(path, seen, who) for path, bits, seen in facts if seen and not _may(seen, who, bits)),
        *(
            _cannot(f"{folder}/{name}", seen, who)
            for name, seen in sorted(found.items())
            if not name.isdecimal() and not _may(seen, who, READ)  # keys get their owner and mode from us
        ),
    ]


def _keystone(found: Mapping[str, Facts], account: tuple[int, int] | None) -> tuple[int, int] | None:
    uid, gid = account or (-1, -1)
    if uid >= 0:
        return uid, gid
    keys = {int(name): facts for name, facts in found.items() if name.isdecimal()}
    return (keys[max(keys)].uid, gid) if keys else None


def _may(facts: Facts, who: tuple[int, int], bits: int) -> bool:
    """A group that is not known may be any."""
    uid, gid = who
    modes = list(_modes(facts, uid, gid))
    return uid == 0 or any(mode & bits == bits for mode in modes)


def _modes(facts: Facts, uid: int, gid: int) -> Iterator[int]:
    if uid == facts.uid:
        yield facts.mode >> 6
    elif gid == facts.gid:
        yield facts.mode >> 3
    else:
        yield facts.mode
        if gid < 0:
            yield facts.mode >> 3


def _cannot(path: str, facts: Facts, who: tuple[int, int]) -> str:
    return (
        f"{path} (uid {facts.uid}, gid {facts.gid}, mode {facts.mode:04o}) cannot be opened by Keystone's user "
        f"(uid {who[0]}): give it to that user, or move it away"
    )
