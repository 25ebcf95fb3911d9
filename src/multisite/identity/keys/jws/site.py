"""The JWS folders of one site.  The private half is made there by openssl and never read: not one byte of it travels.

Files: ``private.pem`` is Keystone's (keystone/token/providers/jws/core.py); a waiting pair is ``.multisite/next.pem``
in the same folder, and begins to sign by a rename.  Public files are written through the same folder, because Keystone
opens every name of the public one, folders too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from multisite.identity.files import PRIVATE_FILE
from multisite.identity.keys.jws.plan import Task
from multisite.identity.keys.repository import fingerprint
from multisite.identity.keys.state import JwsSeen
from multisite.identity.keys.transport.model import SiteFiles, SiteProblem
from multisite.identity.keys.transport.staging import STAGING, make_staging
from multisite.identity.topology.model import KeyHome

PUBLIC_FILE, PUBLIC_FOLDER = 0o644, 0o755
_GENERATE = ("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out")
"""ES256, Keystone's default ``[jwt_tokens] jws_algorithm``; PKCS#8, as `keystone-manage create_jws_keypair` writes."""


@dataclass(frozen=True)
class JwsContents:
    """``pems``: public halves by fingerprint."""

    seen: JwsSeen
    pems: dict[str, str] = field(default_factory=dict)


async def read(files: SiteFiles, home: KeyHome, now: Callable[[], float]) -> JwsContents:
    public_folder, private_folder = home.jws_public.rstrip("/"), home.jws_private.rstrip("/")
    public = {}
    for name in await files.names(public_folder) or {}:
        public[name] = fingerprint(await files.read(f"{public_folder}/{name}"))
    pems: dict[str, str] = {}
    found: dict[str, str | None] = {"private.pem": None, "next.pem": None}
    for folder in (private_folder, f"{private_folder}/{STAGING}"):
        for name in (await files.names(folder) or {}).keys() & found.keys():
            pem = await _public_half(files, f"{folder}/{name}")
            found[name] = fingerprint(pem)
            pems[fingerprint(pem)] = pem.decode()
    return JwsContents(JwsSeen(now(), public, found["private.pem"], found["next.pem"]), pems)


async def _public_half(files: SiteFiles, path: str) -> bytes:
    pem = await files.run(("openssl", "pkey", "-in", path, "-pubout"))
    if not pem.startswith(b"-----BEGIN PUBLIC KEY-----"):
        raise SiteProblem(f"{path}: openssl shows no public key of it")
    return pem


async def synchronize(
    files: SiteFiles, home: KeyHome, task: Task, found: JwsContents, now: Callable[[], float]
) -> JwsContents:
    """Public files, a new pair, a pair that begins to sign; what is there afterwards, read back."""
    public_folder, private_folder = home.jws_public.rstrip("/"), home.jws_private.rstrip("/")
    owner = await files.account(home.owner, home.group)
    seen, next_pem = found.seen, f"{private_folder}/{STAGING}/next.pem"
    puts = {n: p for n, p in task.public.items() if seen.public.get(n) != p.fingerprint}
    gone = [n for n, f in seen.public.items() if n not in task.public and f in task.known]
    discard = seen.waiting if seen.waiting in task.discard else None
    make = task.make and (seen.waiting is None or discard)
    sign = task.sign_with is not None and seen.waiting == task.sign_with
    if not (puts or gone or discard or make or sign):
        return found
    await files.make_folder(private_folder, owner, 0o700)
    await files.make_folder(public_folder, owner, PUBLIC_FOLDER)
    staging = f"{private_folder}/{STAGING}"
    if await files.names(staging) is None:
        await make_staging(files, private_folder, owner)
    for name, pair in sorted(puts.items()):
        await files.put(f"{public_folder}/{name}", pair.pem.encode(), owner, PUBLIC_FILE, staging)
    for name in gone:
        await files.remove(f"{public_folder}/{name}")
    if discard:
        await files.remove(next_pem)
    if make:
        await _make(files, staging, next_pem)
        await files.own(next_pem, owner, PRIVATE_FILE)
    if sign:
        await files.own(next_pem, owner, PRIVATE_FILE)
        await files.rename(next_pem, f"{private_folder}/private.pem")
    again = await read(files, home, now)
    return replace(again, pems={**found.pems, **again.pems})


async def _make(files: SiteFiles, staging: str, next_pem: str) -> None:
    """Under another name first: a pair that is half written must not be taken for one."""
    half = f"{staging}/making.pem"
    await files.remove(half)
    await files.run((*_GENERATE, half))
    await files.rename(half, next_pem)
