"""One image for a sync: copied from the source as a replication does, and found again by the same token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite.clouds import image_copies
from multisite.clouds.connect import CloudSite
from multisite.domain import fence
from multisite.domain.errors import Unavailable
from multisite.domain.image_copy import Wanted, digest_of
from multisite.domain.resource_sync import Record
from multisite.resources.images.pace import Pace
from multisite.resources.images.stream import Source, reason, send
from multisite.resources.images.target import Target

_SHOWN = ("name", "visibility", "os_hidden", "protected", "tags")


def copy(
    source: CloudSite, target: CloudSite, record: Record, fields: Mapping[str, Any], token: str, pace: Pace
) -> str:
    """The id of the copy.  ``fields``: of the record, with the target's ids for what they name.

    Unavailable when it could not be sent; SiteError, StepFailed as the two sites say it.
    """
    row = image_copies.read(source, record.id)
    algorithm, _, value = str(digest_of(row)).partition(":")
    plain = {n: v for n, v in fields.items() if n not in (*_SHOWN, "properties", "digest")}
    want = Wanted({**plain, **fields["properties"]}, {name: fields[name] for name in _SHOWN})
    one = Target(target, token, want, {algorithm: value})
    digests: Mapping[str, str] = {algorithm: value}
    if one.prepare():
        size = int(row.get("size") or 0)

        def told(count: int) -> None:
            fence.check()  # a lease is lengthened by whoever asks
            pace.take(source.name, [target.name], count)

        sent = send(Source(source, record.id, size, algorithm, value), {target.name: one.upload}, told)
        for error in sent.failed.values():
            raise Unavailable(f"image {record.name}: {reason(error)}") from error
        digests = sent.digests
    one.show(digests)
    return one.image_id
