"""One target of a replication: made hidden under an id of the job, filled, compared with the source, then shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds import image_copies
from multisite.clouds.administrator import PUBLISH_IMAGE, administrator
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite
from multisite.domain.image_copy import Row, Wanted, copy_id, differences, same_data
from multisite.jobs.model import StepFailed
from multisite.resources.images.stream import Feed

ATTEMPTS = 8
"""Half images that a target may have left, each of which used up an id."""


@dataclass
class Target:
    """``token``: of the step; ``digest``: of the source, hex by algorithm; ``image_id``: the copy, once it is known."""

    site: CloudSite
    token: str
    want: Wanted
    digest: Mapping[str, str]
    image_id: str = ""

    def prepare(self) -> bool:
        """Make its image, or take what an earlier try left; whether its data still have to be sent.

        What was left half filled is deleted: Glance does not go on with it.  Raises StepFailed, SiteError.
        """
        for attempt in range(ATTEMPTS):
            self.image_id = copy_id(self.token, self.site.name, attempt)
            row = image_copies.read_or_none(self.site, self.image_id)
            if row is None:
                try:
                    row = image_copies.create(self.site, self.image_id, self._hidden())
                except ConflictInSite:
                    continue  # it was there, and was deleted
            if row["status"] == "queued":
                return True
            if row["status"] == "active" and same_data(row, self.digest):
                return False
            image_copies.remove(self.site, self.image_id)
        raise StepFailed(
            f"site {self.site.name}: {ATTEMPTS} tries left half images, which were deleted: look into its Glance's "
            "log, then replicate the image anew"
        )

    def upload(self, feed: Feed) -> None:
        """Its data; raises StepFailed when Glance has something else then, and deletes that."""
        image_copies.upload(self.site, self.image_id, feed)
        row = image_copies.read(self.site, self.image_id)
        if row["status"] != "active" or same_data(row, self.digest) is False:
            said = f"{row.get('os_hash_algo')} {row.get('os_hash_value')}, status {row['status']}"
            image_copies.remove(self.site, self.image_id)
            raise StepFailed(
                f"site {self.site.name}: what arrived is not what was sent ({said}); it was deleted: resume"
            )

    def show(self, digests: Mapping[str, str]) -> None:
        """Once its data are those with ``digests``: give it its name, visibility and the rest, in one request."""
        row = image_copies.read(self.site, self.image_id)
        if not same_data(row, digests):
            raise StepFailed(
                f"site {self.site.name}: its Glance says {row.get('os_hash_algo')} of image {self.image_id}, which "
                "cannot be compared with what was sent: set [DEFAULT] hashing_algorithm there as at the source"
            )
        update(self.site, row, self.want)

    def _hidden(self) -> Mapping[str, Any]:
        return {**self.want.made, "name": self.token, "visibility": "private", "os_hidden": True}


def update(site: CloudSite, row: Row, want: Wanted) -> list[str]:
    """Make an image what it is to be; the fields that were not, in words."""
    changed = differences(row, want)
    if changed:
        publishes = changed.get("visibility", ("", ""))[1] == "public"
        by = administrator(site, PUBLISH_IMAGE) if publishes else site
        image_copies.change(by, row["id"], {name: pair[1] for name, pair in changed.items()}, row)
    return [f"{name}: {old!r} -> {new!r}" for name, (old, new) in changed.items()]


def remove(site: CloudSite, token: str) -> None:
    """All images that the tries of this token have left."""
    for attempt in range(ATTEMPTS):
        image_copies.remove(site, copy_id(token, site.name, attempt))


def left(site: CloudSite, token: str) -> list[str]:
    """The ids of those that are there."""
    ids = (copy_id(token, site.name, attempt) for attempt in range(ATTEMPTS))
    return [id for id in ids if image_copies.read_or_none(site, id) is not None]
