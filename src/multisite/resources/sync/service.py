"""What operators do with resources of several sites: say what is kept in sync, see the difference, have it made."""

from __future__ import annotations

import builtins
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from multisite.clouds.connect import Sites
from multisite.domain import work
from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid, MultisiteError, NotFound, Unavailable
from multisite.domain.page import ALL, Page
from multisite.domain.resource_sync import Change, OnConflict, Record, ResourceSync, SyncItem, SyncResult
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, Json, Step, StepContext
from multisite.jobs.values import decode
from multisite.periodic.lease import held
from multisite.resources.images.pace import Pace
from multisite.resources.sync.document.lines import MOST_BYTES
from multisite.resources.sync.document.read import desired
from multisite.resources.sync.document.write import document
from multisite.resources.sync.kinds import KINDS
from multisite.resources.sync.run import Pass, SyncRunner
from multisite.store.database import Database
from multisite.store.resource_syncs import ResourceSyncRepository, SyncItemRepository

LOG = logging.getLogger(__name__)
KIND = "sync-resources"
SECONDS = 5.0
"""How often it is looked which syncs are due."""
LEAST_INTERVAL = 10
PATIENCE = 120.0
MOST_TARGETS = 32


@dataclass(frozen=True)
class PassOrder:
    """The parameters of a job."""

    sync_id: str
    delete_many: bool = False


class ResourceSyncService:
    """The verbs, and the periodic task ``run``.  Registers the kind of job "sync-resources" with ``jobs``.

    ``pace``: how fast images may be sent, shared with replications.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobEngine,
        clouds: Sites,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: Pace | None = None,
    ) -> None:
        self._database, self._jobs, self._clouds, self._now = database, jobs, clouds, now
        self._rows, self._items = ResourceSyncRepository(database), SyncItemRepository(database)
        self._runner = SyncRunner(clouds, self._items, now, pace)
        jobs.register(JobKind(KIND, self._build, on_failure="pause", rule="resource_sync:apply"))

    def create(self, caller: Caller, name: str, **wanted: Any) -> ResourceSync:
        """``wanted``: fields of ``ResourceSync``, of which only the target sites have no default, and the source:
        a site and kinds, or a document, which says its kinds.

        Nothing is changed in a site.  Invalid naming the field, Conflict when the name is taken.
        """
        text = wanted.get("document")
        sync = ResourceSync(
            str(uuid.uuid4()), name, caller.project_id, wanted.get("source_site"), tuple(wanted["target_sites"]),
            _kinds(text, wanted), OnConflict(wanted.get("on_conflict") or OnConflict.STOP),
            bool(wanted.get("deletes", True)), wanted.get("interval_seconds"), False, caller.user_name,
            wanted.get("only_tag"), document=text,
        )  # fmt: skip
        self._refuse_wrong(caller, sync)
        return self._rows.add(sync)

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[ResourceSync]:
        """By name."""
        return self._rows.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> ResourceSync:
        """By id; NotFound also for one of another project."""
        return self._rows.get(id, caller.scope)

    def items(self, caller: Caller, id: str, page: Page = ALL) -> builtins.list[SyncItem]:
        """Every pair that it keeps in sync, by kind and name."""
        return self._items.list(self.get(caller, id).id, page)

    def change(self, caller: Caller, id: str, wanted: Mapping[str, Any]) -> ResourceSync:
        """Fields as for ``create`` but a source site, and ``paused``; those not given stay.

        What the last pass found is forgotten with the document it was of.
        """
        known = self.get(caller, id)
        text = wanted.get("document")
        if text is not None and known.document is None:
            raise Invalid(
                f"document: the source of this sync is site {known.source_site}: make another sync of it"
            )
        if known.document is not None:
            wanted = {**wanted, "kinds": _kinds(text or known.document, wanted)}

        def changed(known: ResourceSync) -> ResourceSync:
            fields: dict[str, Any] = {
                n: tuple(v) if n in ("target_sites", "kinds") else v for n, v in wanted.items()
            }
            if "on_conflict" in fields:
                fields["on_conflict"] = OnConflict(fields["on_conflict"])
            if text not in (None, known.document):
                fields["result"] = SyncResult()
            return replace(known, **fields)

        self._refuse_wrong(caller, changed(known))
        return self._rows.change(id, changed)

    def delete(self, caller: Caller, id: str) -> None:
        """Forget it: what it made stays in the sites."""
        self.get(caller, id)
        with self._database.session():
            self._items.forget(id)
            self._rows.delete(id)

    def plan(self, caller: Caller, id: str) -> builtins.list[Change]:
        """What a pass would do now, and what it would not and why; asks the sites and changes nothing."""
        sync = self.get(caller, id)
        self._refuse_wrong(caller, sync)
        return self._runner.plan(sync).plan

    def export(
        self, caller: Caller, source_site: str, kinds: Sequence[str], only_tag: str | None = None
    ) -> tuple[str, builtins.list[str]]:
        """The document of what a site has, and what of it is not carried; changes nothing.

        Raises Invalid naming the field, and what the site raises when it does not answer.
        """
        self._refuse_kinds(caller, kinds)
        if without := sorted(kind for kind in kinds if KINDS[kind].entry is None):
            raise Invalid(f"kinds: {', '.join(without)}: in no document: use a sync with a source site")
        site = self._clouds.open(source_site, for_project=caller.project_id)
        found: dict[str, dict[str, Record]] = {}
        notes: builtins.list[str] = []
        for kind in kinds:
            row = KINDS[kind]
            read = {id: one for id, one in row.read(site).items() if not one.ours}
            found[kind] = {
                id: r for id, r in read.items() if only_tag is None or r.tags is None or only_tag in r.tags
            }
            notes += [f"{kind} {one.name}: {note}" for one in found[kind].values() for note in one.notes]
            besides = row.told(site, found[kind]) if row.told else {}
            notes += [f"{kind} {found[kind][id].name}: {note}" for id, note in besides.items()]
        text = document(found, notes)
        if len(text.encode()) > MOST_BYTES:
            limit = f"{MOST_BYTES // 1024} KiB"
            raise Invalid(
                f"kinds: the document would have more than {limit}: export fewer kinds, or those with a tag"
            )
        return text, notes

    def apply(self, caller: Caller, id: str, *, delete_many: bool = False) -> str:
        """Start the job of one pass; its id."""
        sync = self.get(caller, id)
        self._refuse_wrong(caller, sync)
        return self._jobs.start(
            KIND, PassOrder(sync.id, delete_many), title=f"Bring resources of sync {sync.name} in sync",
            project_id=sync.project_id, requested_by=caller.user_name, request_id=caller.request_id, subject=sync.id,
        )  # fmt: skip

    def run(self) -> None:
        """A pass of each that is due; for the loop."""
        for sync in self._rows.list():
            if self._is_due(sync):
                with work.doing(work.Work("multisite", sync.project_id, subject=sync.id)):
                    self._periodic(sync)

    def _periodic(self, sync: ResourceSync) -> None:
        try:
            with held(self._database, f"resource-sync {sync.id}", 0.0):
                found = self._runner.run(sync)
                self._keep(found)
        except Unavailable as error:
            LOG.info("resource sync %s: %s", sync.name, error)
        except MultisiteError as error:
            LOG.warning("resource sync %s: %s", sync.name, error)
            self._told(sync, SyncResult(self._now(), None, {}, (str(error),)))

    def _is_due(self, sync: ResourceSync) -> bool:
        if sync.paused or sync.interval_seconds is None:
            return False
        last = sync.result.at
        return last is None or self._now() - last >= timedelta(seconds=sync.interval_seconds)

    def _build(self, params: Mapping[str, Json]) -> builtins.list[Step]:
        order = decode(params, PassOrder, KIND)

        def one_pass(ctx: StepContext) -> object:
            sync = self._rows.get(order.sync_id)
            with held(self._database, f"resource-sync {sync.id}", PATIENCE):
                found = self._runner.run(
                    sync,
                    delete_many=order.delete_many,
                    told=lambda done, of: ctx.progress(done, of, "changes"),
                )
                for change, why in found.failed:
                    ctx.event(f"{change.target_site}: {change.kind} {change.name}: {why}")
                return self._keep(found).counts

        return [Step("pass", "Compare and change", one_pass)]

    def _keep(self, found: Pass) -> SyncResult:
        result = self._runner.result(found)
        if found.done or found.failed:
            LOG.info(
                "resource sync %s: %s, %d failed", found.sync.name, dict(result.counts), len(found.failed)
            )
        self._told(found.sync, result)
        return result

    def _told(self, sync: ResourceSync, result: SyncResult) -> None:
        """Not what was found with a document that another has replaced meanwhile."""
        id = sync.id
        try:
            self._rows.change(
                id, lambda known: replace(known, result=result) if known.document == sync.document else known
            )
        except NotFound:
            LOG.info("resource sync %s was deleted meanwhile", id)

    def _refuse_wrong(self, caller: Caller, sync: ResourceSync) -> None:
        _refuse_sites(sync.source_site, sync.target_sites)
        if (sync.source_site is None) == (sync.document is None):
            raise Invalid("source_site, document: give one of them")
        if sync.document is not None and sync.only_tag is not None:
            raise Invalid("only_tag: a document says what is wanted, and has no tags: leave it out")
        self._refuse_kinds(caller, sync.kinds)
        if sync.interval_seconds is not None and sync.interval_seconds < LEAST_INTERVAL:
            raise Invalid(f"interval_seconds: at least {LEAST_INTERVAL}")
        for name in (sync.source_site, *sync.target_sites):
            if name is not None:
                self._clouds.open(name, for_project=sync.project_id)

    def _refuse_kinds(self, caller: Caller, kinds: Sequence[str]) -> None:
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise Invalid(f"kinds: {', '.join(unknown)}: there are {', '.join(KINDS)}")
        if not kinds or len(set(kinds)) != len(kinds):
            raise Invalid(f"kinds: name each once, of {', '.join(KINDS)}")
        whole = [kind for kind in kinds if KINDS[kind].for_administrators]
        if whole and not caller.is_admin:
            raise Invalid(f"kinds: {', '.join(whole)}: they are the whole site's: ask an administrator")


def _kinds(text: str | None, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """As they were asked for, or those that a document has."""
    if text is None:
        return tuple(wanted.get("kinds") or ())
    if wanted.get("kinds"):
        raise Invalid("kinds: the document says them: leave them out")
    return tuple(desired(text))


def _refuse_sites(source: str | None, targets: Sequence[str]) -> None:
    if not targets or len(targets) > MOST_TARGETS or len(set(targets)) != len(targets):
        raise Invalid(f"target_sites: name one to {MOST_TARGETS} sites, each once")
    if source in targets:
        raise Invalid(f"target_sites: {source!r} is the source")
