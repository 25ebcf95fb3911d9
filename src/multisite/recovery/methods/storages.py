"""What a site's storage that replicates was seen to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multisite.clouds.managed import image_name
from multisite.clouds.mirror.backend import MirrorBackend, MirrorImage, StorageInfo


@dataclass(frozen=True)
class StorageSeen:
    """``images``: of the volumes that were asked for, by their ids; None: not in its pool."""

    site: str
    info: StorageInfo
    images: Mapping[str, MirrorImage | None]


def read_storage(mirror: MirrorBackend, volume_ids: Iterable[str] = ()) -> StorageSeen:
    """One question for the storage and one for each volume.  Raises SiteError."""
    info = mirror.info()
    return StorageSeen(mirror.site, info, {id: mirror.image(image_name(id)) for id in volume_ids})
