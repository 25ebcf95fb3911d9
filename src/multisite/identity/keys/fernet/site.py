"""The Fernet repositories of one site: read as fingerprints, brought in sync, read again.

Half-written files live in ``.multisite``, a folder inside the repository: Keystone opens every *file* of the
repository, whatever its name, and answers 500 when it may not read it or it is gone again (fernet_utils.py,
``_get_key_files``); folders it passes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from multisite.identity.files import PRIVATE_FILE
from multisite.identity.keys.fernet import install, usable
from multisite.identity.keys.repository import Key, Kind, Repository, fingerprint
from multisite.identity.keys.state import Seen
from multisite.identity.keys.transport.model import Facts, SiteFiles, SiteProblem
from multisite.identity.keys.transport.staging import make_staging
from multisite.identity.topology.model import KeyHome


@dataclass(frozen=True)
class Wanted:
    """What a site should hold.  ``known``: fingerprints that may be overwritten; None: whatever is there."""

    repository: Repository
    known: Collection[str] | None


def folder_of(home: KeyHome, kind: Kind) -> str:
    return str(getattr(home, kind.value)).rstrip("/")


async def read(files: SiteFiles, home: KeyHome, kind: Kind, now: Callable[[], float]) -> Seen:
    """Raises SiteProblem.  No folder is an empty repository: nothing is there, and that is known."""
    folder = folder_of(home, kind)
    found = await files.names(folder) or {}
    owner = await files.account(home.owner, home.group) if found else None
    numbers = {int(name): facts for name, facts in found.items() if _is_key(folder, name)}
    contents = await asyncio.gather(*(files.read(f"{folder}/{number}") for number in numbers))
    known = {
        n: data for n, data in zip(numbers, contents, strict=True) if data
    }  # Keystone passes over empty files
    unfit = tuple(sorted(n for n in known if not _fit(numbers[n], owner)))
    flaws = tuple(f"{folder}/{n} {why}" for n, data in sorted(known.items()) if (why := usable.flaw(data)))
    closed = tuple(await usable.closed(files, home, folder, found, owner))
    keys = {n: fingerprint(data) for n, data in known.items()}
    return Seen(now(), Repository(keys), unfit, flaws, closed)


def _is_key(folder: str, name: str) -> bool:
    try:
        number = int(name)
    except ValueError:
        return False
    if name != str(number) or number < 0:
        raise SiteProblem(f"{folder}/{name}: Keystone takes it for key {number}; move it away")
    return True


def _fit(facts: Facts, owner: tuple[int, int] | None) -> bool:
    wanted = owner or (-1, -1)
    right = all(want in (-1, is_) for want, is_ in zip(wanted, (facts.uid, facts.gid), strict=True))
    return right and facts.mode == PRIVATE_FILE


async def synchronize(
    files: SiteFiles, home: KeyHome, kind: Kind, wanted: Wanted, seen: Seen,
    get: Callable[[str], Key], now: Callable[[], float],
) -> Seen:  # fmt: skip
    """Carry out ``install.plan``; what the site holds afterwards, read back.  Leaves foreign keys alone."""
    if wanted.known is not None and install.foreign(seen.repository, wanted.known):
        return seen
    operations = install.plan(wanted.repository, seen.repository, seen.unfit)
    if not operations:
        return seen
    folder = folder_of(home, kind)
    owner = await files.account(home.owner, home.group)
    staging = await make_staging(files, folder, owner)
    for operation in operations:
        path = f"{folder}/{operation.number}"
        if isinstance(operation, install.Put):
            data = get(operation.fingerprint).reveal()
            await files.put(path, data, owner, PRIVATE_FILE, staging)
        else:
            await files.remove(path)
    return await read(files, home, kind, now)
