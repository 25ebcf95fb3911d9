"""The epochs of applications, kept beside the backups: ``<store>/multisite/applications/<id>/epochs.jsonl``.

Two lines of JSON: the signature (``signatures``), and what it is of.  In one file, because it is replaced as a whole.
The store outlives this installation and its database, and another installation reads the same one: what is there is
the truth, and the database's columns are a cache of it.  So the file is written before the row.  Who is killed in
between runs the same step again, finds its recovery in the file, and writes the row; with the row first, a database
that was lost in between would leave no trace of which copy is the application.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from multisite.domain.epoch import Epoch, Epochs
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.manifest import ManifestError
from multisite.domain.validation import first_problem
from multisite.recovery.manifests import ManifestStore
from multisite.store.applications import ApplicationRepository

FOLDER, FILE = "applications", "epochs.jsonl"
_OF_EPOCHS = b"multisite.epochs\0"
_ADAPTER: TypeAdapter[Epochs] = TypeAdapter(Epochs)


class EpochStore:
    """Raises StoreUnavailable as ``manifests`` does."""

    def __init__(self, manifests: ManifestStore, applications: ApplicationRepository) -> None:
        self._manifests = manifests
        self._applications = applications

    def read(self, application_id: str) -> Epochs:
        """Conflict for a file that cannot be used: which copy is the application is unknown then, not the first.

        Nor can one that knows of less than the database (an older one was put back, or it was removed).
        """
        try:
            found = stored_epochs(self._manifests, application_id)
        except ManifestError as error:
            raise Conflict(str(error)) from error
        known = self._known(application_id)
        if found.highest >= known:
            return found
        why = f"it ends with epoch {found.highest}, and epoch {known} has begun"
        raise Conflict(_damaged(self._manifests, application_id, why))

    def numbers(self, application_ids: Iterable[str]) -> dict[str, int | Conflict]:
        """The current epoch of each of these applications; the Conflict of ``read`` where it is unknown."""
        ids = {*application_ids}
        found: dict[str, int | Conflict] = dict.fromkeys(ids, 0)
        for application_id in ids & {*self._manifests.folders(FOLDER), *self._applications.recovered()}:
            try:
                found[application_id] = self.read(application_id).number
            except Conflict as error:
                found[application_id] = error
        return found

    def begin(self, application_id: str, epoch: Epoch) -> None:
        """Harmless to repeat."""
        with self._applications.turn(application_id):
            self._write(self.read(application_id).begin(epoch))

    def withdraw(self, application_id: str, recovery_id: str) -> None:
        """The recovery is being undone: its copy is not the application any more.  Harmless to repeat."""
        with self._applications.turn(application_id):
            known = self.read(application_id)
            if any(e.recovery_id == recovery_id for e in known.begun):
                self._write(known.withdraw(recovery_id))

    def _known(self, application_id: str) -> int:
        try:
            return self._applications.get(application_id).epoch
        except NotFound:
            return 0

    def _write(self, epochs: Epochs) -> None:
        data = self._manifests.keys.seal(_OF_EPOCHS, _ADAPTER.dump_json(epochs))
        self._manifests.write_file(FOLDER, epochs.application_id, FILE, data)
        with suppress(NotFound):  # forgotten here, or of another installation
            self._applications.change(
                epochs.application_id, lambda known: replace(known, epoch=epochs.number)
            )


def stored_epochs(manifests: ManifestStore, application_id: str) -> Epochs:
    """As the file says; none when there is no file.  ManifestError for one that cannot be used."""
    data = manifests.read_file(FOLDER, application_id, FILE)
    if data is None:
        return Epochs(application_id)
    try:
        found = _ADAPTER.validate_json(manifests.keys.open(_OF_EPOCHS, data))
    except ValidationError as error:
        raise ManifestError(_damaged(manifests, application_id, first_problem(error))) from error
    except ManifestError as error:
        raise ManifestError(_damaged(manifests, application_id, str(error))) from error
    if found.application_id != application_id:
        raise ManifestError(
            _damaged(manifests, application_id, f"it is of application {found.application_id}")
        )
    return found


def _damaged(manifests: ManifestStore, application_id: str, why: str) -> str:
    return (
        f"{manifests.shown(FOLDER, application_id, FILE)} is damaged: {why}: which copy of the "
        "application counts is unknown: restore the file from a backup of the store"
    )
