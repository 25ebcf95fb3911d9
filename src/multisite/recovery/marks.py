"""The marks of databases, kept beside the backups: ``<store>/multisite/installations/<id>/<counter>.json``.

Each is signed (``ManifestKeys.seal``), and a file of its own that is never written over: a write that hung, and is
made when others have gone on, cannot put an older mark in place of a newer one.  The highest number counts; some of
the lower ones are kept for who is just reading them.
"""

from __future__ import annotations

import re

from pydantic import TypeAdapter, ValidationError

from multisite.domain.installation import Mark
from multisite.domain.manifest import ManifestError
from multisite.domain.validation import first_problem
from multisite.recovery.manifests import ManifestStore, StoreUnavailable

FOLDER = "installations"
KEPT = 3
TRIES = 5
_OF_MARKS = b"multisite.mark\0"
_NAME = re.compile(r"([0-9]{1,9})\.json")
_LEFT = re.compile(r"\.([0-9]{1,9})\.json\.[0-9a-f]+\.tmp")
"""By a process that died while writing."""
_ADAPTER: TypeAdapter[Mark] = TypeAdapter(Mark)


class MarkStore:
    """Raises StoreUnavailable as ``manifests`` does, and KeyUnusable."""

    def __init__(self, manifests: ManifestStore) -> None:
        self._manifests = manifests

    def newest(self, installation_id: str) -> Mark | None:
        """None when there is none; ManifestError, with what to do, when it is damaged or of somebody else."""
        for _ in range(TRIES):
            number = self.highest(installation_id)
            if number == 0:
                return None
            data = self._manifests.read_file(FOLDER, installation_id, f"{number}.json")
            if data is not None:
                return self._opened(installation_id, number, data)
        raise StoreUnavailable(f"backup store {self._manifests.place}: its marks change all the time")

    def highest(self, installation_id: str) -> int:
        """Of all numbers there are, also of damaged marks; 0 when there is none."""
        names = self._manifests.names(FOLDER, installation_id)
        return max((int(found[1]) for name in names if (found := _NAME.fullmatch(name))), default=0)

    def write(self, mark: Mark) -> bool:
        """False when there is one of this number: nobody who has the same database gives a number twice."""
        data = self._manifests.keys.seal(_OF_MARKS, _ADAPTER.dump_json(mark))
        if not self._manifests.write_file(
            FOLDER, mark.installation_id, f"{mark.counter}.json", data, replace=False
        ):
            return False
        for name in self._manifests.names(FOLDER, mark.installation_id):
            found = _NAME.fullmatch(name) or _LEFT.fullmatch(name)
            if found and int(found[1]) <= mark.counter - KEPT:
                self._manifests.remove_file(FOLDER, mark.installation_id, name)
        return True

    def _opened(self, installation_id: str, number: int, data: bytes) -> Mark:
        path = self._manifests.shown(FOLDER, installation_id, f"{number}.json")
        try:
            mark = _ADAPTER.validate_json(self._manifests.keys.open(_OF_MARKS, data))
        except ValidationError as error:
            raise ManifestError(f"{path}: {first_problem(error)}") from error
        except ManifestError as error:
            raise ManifestError(f"{path}: {error}") from error
        if (mark.installation_id, mark.counter) != (installation_id, number):
            raise ManifestError(
                f"{path}: it is mark {mark.counter} of installation {mark.installation_id}: copied here"
            )
        return mark
