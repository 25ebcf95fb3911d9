"""Where files are written before they are renamed into a site's folder."""

from __future__ import annotations

from pathlib import PurePosixPath

from multisite.identity.files import PRIVATE_FOLDER
from multisite.identity.keys.transport.model import SiteFiles

STAGING = ".multisite"


async def make_staging(files: SiteFiles, folder: str, owner: tuple[int, int] | None) -> str:
    """The folder for half-written files, without what a killed process left in it."""
    await files.make_folder(folder, owner, PRIVATE_FOLDER)
    staging = str(PurePosixPath(folder) / STAGING)
    left = await files.names(staging)
    if left is None:
        await files.make_folder(staging, owner, PRIVATE_FOLDER)
    for name in left or {}:
        await files.remove(f"{staging}/{name}")
    return staging
