"""What operators do with images of several sites: replicate one, see how far it is, remove the copies."""

from __future__ import annotations

import builtins
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from multisite.clouds import image_copies
from multisite.clouds.ask import ask_all
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.resources.tokens import job_prefix
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.image_copy import (
    OTHER_IMAGES,
    CopyState,
    ImageCopy,
    ImageReplication,
    ReplicationState,
    Row,
    Words,
    digest_of,
    has_data,
    obstacle,
    wanted,
)
from multisite.domain.page import ALL, Page
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import Ended, JobKind, JobState, Json, Step
from multisite.jobs.outcome import Outcome
from multisite.jobs.values import decode
from multisite.resources.images.job import COPY, STREAMS, ReplicationOrder, ReplicationSteps
from multisite.resources.images.pace import Pace
from multisite.resources.images.target import left
from multisite.store.database import Database
from multisite.store.image_replications import ImageReplicationRepository

KIND = "replicate-image"
MOST_TARGETS = 32
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
OUTCOME: Mapping[JobState, ReplicationState] = {
    JobState.DONE: ReplicationState.DONE,
    JobState.UNDONE: ReplicationState.FAILED,
    JobState.PAUSED: ReplicationState.STOPPED,
    JobState.UNDO_FAILED: ReplicationState.STOPPED,
}


@dataclass(frozen=True)
class _Found:
    """At a target: ``image_id`` has the same data; ``own``: Multisite made it; ``images``: see ``image_copy.Words``."""

    image_id: str | None
    own: bool
    images: Mapping[str, str]


class ImageService:
    """The verbs.  Registers the kind of job "replicate-image" with ``jobs``.

    ``streams``: images sent at the same time; ``pace``: how fast, shared with what else sends images.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobEngine,
        clouds: Sites,
        *,
        streams: int = 2,
        pace: Pace | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._jobs, self._clouds, self._now = database, jobs, clouds, now
        self._rows = ImageReplicationRepository(database)
        self._pace = pace or Pace(0)
        jobs.register(
            JobKind(
                KIND, self._build, on_failure="pause", limits={STREAMS: streams}, left=self._left,
                outcome=Outcome(self._rows, "replication_id", OUTCOME, _gone), rule="image_replication:create",
            )
        )  # fmt: skip

    def create(
        self, caller: Caller, image: str, source_site: str, targets: Sequence[str]
    ) -> ImageReplication:
        """Copy an image, by id or a name that only one has, to other sites, into the projects granted to the caller's.

        A target that has it already, by an earlier replication or with the same name and digest, gets no second one.
        Raises Invalid naming the field, NotFound, Conflict, SiteError; a target that cannot be asked is refused.
        """
        _refuse_wrong(source_site, targets)
        source = self._clouds.open(source_site, for_project=caller.project_id)
        row = _readable(source, image)
        image_id = str(row["id"])
        known = self._known_copies(caller.project_id, source_site, image_id)
        asked = ask_all(
            targets,
            partial(self._look, caller, row, source_site, known),
            errors=(MultisiteError,),
        )
        for error in asked.unknown.values():
            raise error
        order = ReplicationOrder(
            str(uuid.uuid4()), source_site, source.scope or "", image_id, str(digest_of(row)),
            {name: self._project(caller, name) for name in targets},
            {name: found.image_id for name, found in asked.known.items() if found.image_id},
            tuple(name for name, found in asked.known.items() if found.own), caller.is_admin,
            {name: found.images for name, found in asked.known.items()},
        )  # fmt: skip
        return self._start(caller, row, order)

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[ImageReplication]:
        """Newest first."""
        return self._rows.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> ImageReplication:
        """By id; NotFound also for one of another project."""
        return self._rows.get(id, caller.scope)

    def delete(self, caller: Caller, id: str) -> ImageReplication | None:
        """Remove the copies that it made; None when there are none any more and it is forgotten.

        Conflict while it copies: cancel its job first.
        """
        known = self.get(caller, id)
        if known.state is ReplicationState.FAILED:
            self._rows.delete(id)
            return None
        if known.state is ReplicationState.COPYING:
            raise Conflict(
                f"image replication: it is being copied: `openstack multisite job cancel {known.job_id}` first"
            )
        with self._database.session():
            self._jobs.undo(known.job_id, caller.user_name)
            return self._rows.update(replace(known, state=ReplicationState.REMOVING, error=None))

    def _start(self, caller: Caller, row: Row, order: ReplicationOrder) -> ImageReplication:
        name = str(row.get("name") or order.image_id)
        copies = tuple(ImageCopy(site, project) for site, project in order.targets.items())
        with self._database.session():
            job_id = self._jobs.start(
                KIND, order, title=f"Replicate image {name} from {order.source_site}",
                project_id=caller.project_id, requested_by=caller.user_name, request_id=caller.request_id,
                subject=order.replication_id,
            )  # fmt: skip
            return self._rows.add(
                ImageReplication(
                    order.replication_id, caller.project_id, order.source_site, order.image_id, name[:255],
                    int(row.get("size") or 0), order.digest, copies, wanted(row, Words(order.publish)).notes,
                    ReplicationState.COPYING, job_id, caller.user_name, self._now(),
                )
            )  # fmt: skip

    def _look(
        self, caller: Caller, row: Row, source_site: str, known: Mapping[str, str], name: str
    ) -> _Found:
        """What is there of it already."""
        site = self._clouds.open(name, for_project=caller.project_id)
        images = self._other_images(caller, row, source_site, name)
        digest = digest_of(row)
        if name in known:
            there = image_copies.read_or_none(site, known[name])
            if there is not None and has_data(there, digest):
                return _Found(known[name], True, images)
        for there in image_copies.of_name(site, str(row.get("name") or "")) if row.get("name") else ():
            if has_data(there, digest):
                return _Found(there["id"], False, images)
        return _Found(None, False, images)

    def _other_images(self, caller: Caller, row: Row, source_site: str, name: str) -> Mapping[str, str]:
        """Of the kernel and the RAM disk it boots with, the copies at a target; Invalid when they are not there."""
        found = {}
        for field in OTHER_IMAGES:
            if not (other := row.get(field)):
                continue
            copies = self._known_copies(caller.project_id, source_site, str(other))
            if name not in copies:
                raise Invalid(
                    f"image: its {field} {other} is not replicated to {name}: `openstack multisite image replicate "
                    f"{other} --source-site {source_site} --target-site {name}` first"
                )
            found[str(other)] = copies[name]
        return found

    def _known_copies(self, project_id: str, source_site: str, image_id: str) -> dict[str, str]:
        """By target the id of the newest copy."""
        found: dict[str, str] = {}
        for one in self._rows.of_image(project_id, source_site, image_id):
            for copy in one.copies:
                if copy.image_id and copy.state in (CopyState.READY, CopyState.FOUND):
                    found.setdefault(copy.site, copy.image_id)
        return found

    def _project(self, caller: Caller, name: str) -> str:
        return self._clouds.open(name, for_project=caller.project_id).scope or ""

    def _build(self, params: Mapping[str, Json]) -> builtins.list[Step]:
        order = decode(params, ReplicationOrder, KIND)
        return ReplicationSteps(self._clouds, self._rows, self._pace, order).steps()

    def _left(
        self, job_id: str, project_id: str, _begun: Mapping[str, str]
    ) -> builtins.list[tuple[str, str]]:
        """For ``JobKind.left``; of one that is forgotten nothing is known."""
        found, known = [], self._rows.of_job(job_id)
        for copy in known.copies if known else ():
            site = self._clouds.open(copy.site, for_project=project_id, project=copy.site_project_id or None)
            there = left(site, f"{job_prefix(job_id)}{COPY}")
            found += [(COPY, f"site {copy.site} still has image {id}") for id in there]
        return found


def _gone(known: ImageReplication, wanted: ImageReplication, job: Ended) -> ImageReplication | None:
    """One that was deleted, and is undone now, is forgotten."""
    deleted = job.state is JobState.UNDONE and known.state is ReplicationState.REMOVING
    return None if deleted else wanted


def _readable(source: CloudSite, image: str) -> dict[str, Any]:
    found = [_by_id(source, image)] if _UUID.fullmatch(image) else image_copies.of_name(source, image)
    rows = [row for row in found if row is not None]
    if not rows:
        raise NotFound(f"image: there is no image {image!r} in {source.name}")
    if len(rows) > 1:
        ids = ", ".join(sorted(str(row["id"]) for row in rows))
        raise Invalid(f"image: {len(rows)} images of {source.name} are called {image!r}; use an id: {ids}")
    if why := obstacle(rows[0]):
        raise Invalid(why)
    return rows[0]


def _by_id(source: CloudSite, image_id: str) -> dict[str, Any] | None:
    with suppress(NotFoundInSite):
        return image_copies.read_visible(source, image_id)
    return None


def _refuse_wrong(source_site: str, targets: Sequence[str]) -> None:
    if not targets or len(targets) > MOST_TARGETS:
        raise Invalid(f"target_sites: name one to {MOST_TARGETS} sites")
    if len(set(targets)) != len(targets):
        raise Invalid("target_sites: each site once")
    if source_site in targets:
        raise Invalid(f"target_sites: {source_site!r} is the site the image is in")
