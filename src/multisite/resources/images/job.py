"""The job "replicate-image": one step, which reads the image once and gives it to every target that lacks it.

A target that fails does not hold up the others: theirs are shown, the step fails and says whose is missing, and a
resume does only that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from multisite.clouds import image_copies
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.domain.errors import MultisiteError
from multisite.domain.fence import FencedThreads
from multisite.domain.image_copy import (
    CopyState,
    ImageReplication,
    Row,
    Wanted,
    Words,
    digest_of,
    has_data,
    wanted,
)
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.resources.images.pace import Pace, Rate
from multisite.resources.images.stream import Source, reason, send
from multisite.resources.images.target import Target, remove, update
from multisite.store.image_replications import ImageReplicationRepository

COPY = "copy"
STREAMS = "image-streams"
_ERRORS = (MultisiteError, StepFailed)


@dataclass(frozen=True)
class ReplicationOrder:
    """The parameters of a job.  ``targets``: by site the project of it ("": the default).

    ``known``: by target an image with the same data, not to be sent again; ``own``: those of them that Multisite made,
    and so may change.  ``publish``, ``images`` (by target): see ``image_copy.Words``.
    """

    replication_id: str
    source_site: str
    source_project: str
    image_id: str
    digest: str
    targets: Mapping[str, str]
    known: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    publish: bool = False
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def digests(self) -> Mapping[str, str]:
        """Hex by algorithm."""
        algorithm, _, value = self.digest.partition(":")
        return {algorithm: value}


class ReplicationSteps:
    """Of one order."""

    def __init__(
        self, sites: Sites, rows: ImageReplicationRepository, pace: Pace, order: ReplicationOrder
    ) -> None:
        self._sites, self._rows, self._pace, self._order = sites, rows, pace, order

    def steps(self) -> list[Step]:
        title = f"Copy the image from {self._order.source_site} to {', '.join(self._order.targets)}"
        return [Step(COPY, title, self._copy, self._undo, (), STREAMS, self._order.source_site)]

    def _copy(self, ctx: StepContext) -> object:
        run = _Run(ctx, self._rows, self._order.replication_id)
        source = self._open(self._order.source_site, ctx.project_id)
        row = self._source_row(source)
        waiting = [name for name in self._order.targets if not run.is_ready(name)]
        for name in waiting:
            if name in self._order.known:
                run.attempt(name, partial(self._known, run, row, name))
        targets = {
            name: Target(
                self._open(name, ctx.project_id), ctx.token, self._want(row, name), self._order.digests
            )
            for name in waiting
            if name not in self._order.known
        }
        lacking = run.prepare(targets)
        digests = self._send(run, source, row, lacking) if lacking else self._order.digests
        fresh = self._source_row(source) if lacking else row  # deleted meanwhile, it is not shown elsewhere
        for name, target in targets.items():
            target.want = self._want(fresh, name)
            run.attempt(name, partial(_show, run, target, digests))
        if run.failed:
            raise StepFailed("; ".join(f"{name}: {why}" for name, why in run.failed.items()))
        return {"targets": sorted(self._order.targets)}

    def _source_row(self, source: CloudSite) -> Row:
        """As it is now; StepFailed when it is not what the job began with."""
        try:
            row = image_copies.read_visible(source, self._order.image_id)
        except NotFoundInSite as error:
            raise StepFailed(
                f"image {self._order.image_id} was deleted at {source.name} meanwhile: delete the replication"
            ) from error
        if digest_of(row) != self._order.digest:
            raise StepFailed(
                f"image {self._order.image_id} has other data at {source.name} by now: replicate it anew"
            )
        return row

    def _send(
        self, run: _Run, source: CloudSite, row: Row, targets: Mapping[str, Target]
    ) -> Mapping[str, str]:
        algorithm, _, value = self._order.digest.partition(":")
        size = int(row.get("size") or 0)
        rate = Rate(size)

        def told(count: int) -> None:
            self._pace.take(source.name, targets, count)
            detail = rate.add(count)
            run.ctx.progress(rate.done, size, "bytes", detail)

        uploads = {name: target.upload for name, target in targets.items()}
        sent = send(
            Source(source, self._order.image_id, size, algorithm, value), uploads, told, run.ctx.cancelled
        )
        run.ctx.event("read once", bytes=rate.done, targets=sorted(targets))
        for name, error in sent.failed.items():
            run.fails(name, error)
        return sent.digests

    def _known(self, run: _Run, row: Row, name: str) -> None:
        """One that was there: still is, with the same data, and as the source is if it is Multisite's."""
        site, image_id = self._open(name, run.ctx.project_id), self._order.known[name]
        found = image_copies.read_or_none(site, image_id)
        if found is None or not has_data(found, self._order.digest):
            raise StepFailed(f"image {image_id}, which had the same data, is gone: replicate it anew")
        if name in self._order.own and (changed := update(site, found, self._want(row, name))):
            run.ctx.event(f"{name}: brought in line with the source: {'; '.join(changed)}")
        run.tell(name, CopyState.FOUND, image_id)

    def _want(self, row: Row, name: str) -> Wanted:
        return wanted(row, Words(self._order.publish, self._order.images.get(name, {})))

    def _open(self, name: str, project_id: str) -> CloudSite:
        order = self._order
        project = order.source_project if name == order.source_site else order.targets[name]
        return self._sites.open(name, for_project=project_id, project=project or None)

    def _made(self) -> list[str]:
        return [name for name in self._order.targets if name not in self._order.known]

    def _undo(self, ctx: StepContext, _result: object) -> None:
        """Remove what this job made, half or whole; what was found stays."""
        run = _Run(ctx, self._rows, self._order.replication_id)
        for name in self._made():
            run.attempt(name, lambda name=name: remove(self._open(name, ctx.project_id), ctx.token))  # type: ignore[misc]
        if run.failed:
            raise StepFailed("; ".join(run.failed.values()))


class _Run:
    """One run of the step: what became of each target so far."""

    def __init__(self, ctx: StepContext, rows: ImageReplicationRepository, replication_id: str) -> None:
        self.ctx, self._rows, self._id = ctx, rows, replication_id
        self.failed: dict[str, str] = {}

    def prepare(self, targets: Mapping[str, Target]) -> dict[str, Target]:
        """All at once; those whose data have to be sent."""
        sending: dict[str, Target] = {}

        def prepared(name: str) -> None:
            if targets[name].prepare():
                sending[name] = targets[name]

        with FencedThreads(max(1, len(targets)), "image-targets") as threads:
            futures = [threads.submit(self.attempt, name, partial(prepared, name)) for name in targets]
        for future in futures:
            future.result()
        return {name: sending[name] for name in targets if name in sending}

    def attempt(self, name: str, act: Callable[[], object]) -> None:
        """Unless it has failed already; what goes wrong is this target's alone."""
        if name in self.failed:
            return
        try:
            act()
        except _ERRORS as error:
            self.fails(name, error)

    def fails(self, name: str, error: Exception) -> None:
        self.failed[name] = reason(error)
        self.ctx.event(f"{name}: {self.failed[name]}")
        self.tell(name, CopyState.FAILED, None, self.failed[name])

    def is_ready(self, name: str) -> bool:
        """Shown by an earlier run of the step."""
        copies = self._rows.get(self._id).copies
        return any(copy.site == name and copy.state is CopyState.READY for copy in copies)

    def tell(self, name: str, state: CopyState, image_id: str | None, why: str | None = None) -> None:
        def told(known: ImageReplication) -> ImageReplication:
            copies = (
                replace(copy, state=state, image_id=image_id, why=why) if copy.site == name else copy
                for copy in known.copies
            )
            return replace(known, copies=tuple(copies))

        self._rows.change(self._id, told)


def _show(run: _Run, target: Target, digests: Mapping[str, str]) -> None:
    target.show(digests)
    run.tell(target.site.name, CopyState.READY, target.image_id)
