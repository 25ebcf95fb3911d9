"""A manifest with nothing in it."""

from __future__ import annotations

from datetime import UTC, datetime

from multisite.domain.manifest import Manifest, SourceSite

NAME, LOCKED = "manifests", "locked"
"""Buckets; the first is a container, too."""
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def manifest(id: str = "rp-1", application: str = "demo") -> Manifest:
    return Manifest(
        id=id,
        application_id="app-1",
        application=application,
        project_id="p1",
        source=SourceSite("s1", "RegionOne", "http://keystone/v3"),
        method="consistent-backup",
        created_at=NOW,
        consistent_at=NOW,
        servers=(),
        volumes=(),
    )
