"""What a manifest keeps of a volume this method protected: which image at the other storage, and which point of it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from multisite.clouds.mirror.backend import MirrorImage, MirrorMode, MirrorPoint
from multisite.domain.manifest import Manifest, ManifestError, Payload, VolumeRecord
from multisite.domain.validation import first_problem
from multisite.recovery.recover.losses import REPLICATION

NAME = REPLICATION


@dataclass(frozen=True)
class Copy:
    """``site``: where the copy is, ``storage`` the id of the storage there, ``image_id`` that of the copy in it: a copy
    that was made anew has another one.  ``image``, ``source_storage``: the volume's own.  ``snapshot_id``: Cinder's id
    of the snapshot that is the point, ``snapshot`` its name in the storage, ``number`` of the mirror snapshot with it.
    """

    site: str
    storage: str
    image_id: str
    source_storage: str
    image: str
    global_id: str
    mode: MirrorMode
    snapshot_id: str
    snapshot: str
    number: int | None

    @property
    def point(self) -> MirrorPoint:
        return MirrorPoint(self.global_id, self.snapshot, self.number)

    def note(self, *, whole: bool) -> str:
        """What is left at a promoted copy; a later recovery sees by it what it is."""
        return self.snapshot if whole else f"incomplete-{self.snapshot}"

    def is_whole(self, image: MirrorImage) -> bool:
        """Whether all data of the point are in this copy, which is still one.

        A journal's first copy is told by the image's id: the run that made the point saw the copy complete.
        """
        return image.has(self.point) and (self.mode is MirrorMode.SNAPSHOT or image.id == self.image_id)


def copies_of(manifest: Manifest) -> list[tuple[VolumeRecord, Copy]]:
    """The volumes of a manifest that this method protected.  As ``copy_of``."""
    return [(v, copy_of(v)) for v in manifest.volumes if v.payload and v.payload.method == NAME]


_COPY: TypeAdapter[Copy] = TypeAdapter(Copy)


def payload_of(copy: Copy) -> Payload:
    """The copy as a manifest keeps it."""
    return Payload(NAME, _COPY.dump_python(copy, mode="json"))


def copy_of(volume: VolumeRecord) -> Copy:
    """The copy to restore a volume from.  Raises ManifestError naming the field for another method's payload."""
    if volume.payload is None or volume.payload.method != NAME:
        given = volume.payload.method if volume.payload else None
        raise ManifestError(f"volume {volume.id}: payload.method: {given!r} is not {NAME!r}")
    try:
        return _COPY.validate_python(volume.payload.data)
    except ValidationError as error:
        raise ManifestError(f"volume {volume.id}: {first_problem(error, 'payload', 'data')}") from error
