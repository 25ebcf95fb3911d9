"""How the service reaches a site's folders.  Two ways, one contract: ``directory`` and ``ssh``.

Paths are the site's.  Whoever calls sets the time limit (``fleet.py``); a transport only has to be interruptible.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from multisite.domain.errors import Invalid
from multisite.identity.keys.transport.model import SiteFiles
from multisite.identity.topology.model import IdentitySite, KeyHome

Connect = Callable[[IdentitySite], AbstractAsyncContextManager[SiteFiles]]


def connect(site: IdentitySite) -> AbstractAsyncContextManager[SiteFiles]:
    """The site's files by the transport its ``keys`` name (Invalid when it is none we know)."""
    home = home_of(site)
    if home.transport == "directory":
        from multisite.identity.keys.transport.directory import open_directory

        return open_directory(home.fernet_tokens)
    if home.transport == "ssh":
        from multisite.identity.keys.transport.ssh import open_ssh

        return open_ssh(home)
    raise Invalid(f"sites.{site.name}.keys.transport: {home.transport!r} is unknown; use directory or ssh")


def home_of(site: IdentitySite) -> KeyHome:
    if site.keys is None:
        raise Invalid(f"sites.{site.name}.keys: not set, and the site has a Keystone: say where its keys are")
    return site.keys
