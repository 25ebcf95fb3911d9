"""Where an application is recovered when nobody says where: in the only target of its protection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from multisite.domain.errors import Invalid, NotFound
from multisite.domain.manifest import Manifest
from multisite.domain.model import Protection, Purpose
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.restore_points import RestorePointRepository


class KnownTargets:
    """Of the protection that made a restore point; where that is not known, of all protections of its application."""

    def __init__(self, database: Database) -> None:
        self._protections = ProtectionRepository(database)
        self._points = RestorePointRepository(database)

    def only(self, manifest: Manifest, purpose: Purpose = Purpose.DISASTER) -> str:
        """The one there is.  Invalid when there is none, or several: it has the names, and what to type."""
        found = list(dict.fromkeys(site for one in self._of(manifest) for site in one.target_sites))
        if len(found) == 1:
            return found[0]
        if not found:
            raise Invalid("target_site: name the site to recover in, or a recovery plan")
        more = "" if purpose is Purpose.DISASTER else f" --purpose {purpose}"
        raise Invalid(
            f"target_site: application {manifest.application} is protected to {len(found)} sites, {', '.join(found)}: "
            f"name the one to recover in: openstack multisite recovery preview {manifest.id} --target-site {found[0]}"
            f"{more}"
        )

    def _of(self, manifest: Manifest) -> Sequence[Protection]:
        known = [
            protection
            for protection in self._protections.list(application_id=manifest.application_id)
            if protection.project_id == manifest.project_id
        ]
        with suppress(NotFound):
            made_by = self._points.get(manifest.id).protection_id
            return [protection for protection in known if protection.id == made_by] or known
        return known
