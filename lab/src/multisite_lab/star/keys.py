"""Each site's key repositories: folders of its own, equal when the lab is made.

Fernet keys of tokens and receipts and the credential keys: with any of them different a token, a second step of a
login or a stored credential of one site is refused at the others.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from cryptography.fernet import Fernet

from multisite_lab.model import ALL_SITES, Site
from multisite_lab.passwords import write_private

REPOSITORIES = ("fernet-tokens", "fernet-receipts", "credential")


def folder(site: Site, repository: str) -> Path:
    """One of a site's repositories."""
    return site.var / "keystone" / repository


def ensure(site: Site) -> None:
    """Give a site that has no keys those of another one, or the first keys there are."""
    for repository in REPOSITORIES:
        target = folder(site, repository)
        if target.is_dir():
            continue
        fresh = target.with_name(f".{target.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        elsewhere = [folder(other, repository) for other in ALL_SITES.values()]
        source = next((found for found in elsewhere if found.is_dir()), None)
        if source is not None:
            shutil.copytree(source, fresh)
        else:
            # What `keystone-manage fernet_setup` makes: 0 is the next key, 1 the one in use.
            for name in ("0", "1"):
                write_private(fresh / name, Fernet.generate_key().decode())
        fresh.chmod(0o700)
        fresh.rename(target)
