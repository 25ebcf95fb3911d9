# SPDX-License-Identifier: Apache-2.0
"""Freeze a guest, and see to it that it is thawed: one watcher in every nova-api process.

A freeze is written down before it is sent. From then on every process's watcher knows or finds the record, and when it
is due the first to claim it sends the thaw, until the guest confirms one that nothing sent before can undo.
"""

import concurrent.futures
import dataclasses
import functools
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from nova import context as nova_context
from nova import exception, objects
from oslo_config import cfg
from oslo_log import log as logging

from multisite_nova import guest, records
from multisite_nova.records import FAILED, OK, REFUSED, UNKNOWN, Record

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

TICK = 0.5
OVERLAP = 60.0  # rows this young are looked at again: a transaction may commit after one that began later

Answer = concurrent.futures.Future[Any]
Target = tuple[nova_context.RequestContext, objects.Instance]


class Conflict(Exception):
    """The server cannot be frozen or thawed now; the text is the reason, for the caller."""


@dataclasses.dataclass
class Watched:
    """A pending record in this process's memory; `due` is when this process looks at it, a little late if not its own."""

    record: Record
    due: float
    busy: bool = False
    target: Target | None = None


def background(work: Callable[..., Any], *args: Any) -> Answer:
    """Run something in a thread of its own: what waits for one guest must not hold up another's thaw."""
    answer: Answer = concurrent.futures.Future()

    def run() -> None:
        try:
            answer.set_result(work(*args))
        except BaseException as error:  # handed to whoever asks for the answer
            answer.set_exception(error)

    threading.Thread(target=run, name="multisite-quiesce", daemon=True).start()
    return answer


class Watcher:
    """Freezes and thaws servers, and thaws on time those nobody thaws."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._watched: dict[str, Watched] = {}
        self._lock = threading.Lock()
        self._marks: dict[str, tuple[int, int, float]] = {}
        self._wake = threading.Event()
        self._scanning: Answer | None = None
        self._scan_due = self._ticked = 0.0
        self._thread: threading.Thread | None = None

    # -- life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread, unless it runs; after a fork in the child too, where threads do not survive."""
        if self._pid != os.getpid():
            self._reset()
        if self._thread is None or not self._thread.is_alive():
            self._ticked = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="multisite-quiesce-watcher", daemon=True)
            self._thread.start()

    def healthy(self) -> bool:
        """Whether this process keeps time: without that it must not freeze anything."""
        self.start()
        return time.monotonic() - self._ticked < 20 * TICK

    def _run(self) -> None:
        LOG.info("Quiesce watcher started in process %s", self._pid)
        watched = self._watched
        while watched is self._watched:
            try:
                self._tick()
            except Exception:
                LOG.exception("The quiesce watcher goes on after an error")
            self._wake.wait(TICK)
            self._wake.clear()

    def _tick(self) -> None:
        self._ticked = time.monotonic()
        if self._ticked >= self._scan_due and (self._scanning is None or self._scanning.done()):
            self._scan_due = self._ticked + CONF.multisite_quiesce.scan_interval
            self._scanning = background(self._scan)
        now = time.time()
        for uuid, watched in list(self._watched.items()):
            if not watched.busy and watched.due <= now:
                watched.busy = True
                background(self._thaw_due, uuid, watched)

    def _scan(self) -> None:
        """Learn of servers frozen through other processes, or through this one before it was killed."""
        try:
            context = nova_context.get_admin_context()
            for cell, result in nova_context.scatter_gather_skip_cell0(context, self._scan_cell).items():
                if nova_context.is_cell_failure_sentinel(result):
                    LOG.warning("Cannot look for frozen servers in cell %s: %s", cell, result)
        except Exception:
            LOG.exception("Cannot look for frozen servers")

    def _scan_cell(self, context: nova_context.RequestContext) -> None:
        cell = context.cell_uuid
        low, high, since = self._marks.get(cell, (0, 0, 0.0))
        newest, found = records.scan(context, low)
        for uuid, record in found:
            known = self._watched.get(uuid)
            if known is None or known.record.asked_at < record.asked_at:
                LOG.info("Found server %s %s by request %s", uuid, record.state, record.request_id)
                self._watch(uuid, record, delay=self._courtesy())
        if time.monotonic() - since > OVERLAP:
            low, high, since = high, newest, time.monotonic()
        self._marks[cell] = (low, high, since)

    @staticmethod
    def _courtesy() -> float:
        """Let the process that froze a server be the first to thaw it."""
        return random.uniform(0.2, 1.0)  # noqa: S311 - no secret

    def _watch(self, uuid: str, record: Record | None, delay: float = 0.0, target: Target | None = None) -> None:
        """Keep in mind what a record says now, or forget a server that is thawed. Older news is no news."""
        with self._lock:
            known = self._watched.get(uuid)
            if known and record and known.record.asked_at > record.asked_at:
                return
            if record is None or not record.pending:
                self._watched.pop(uuid, None)
            elif known is None or known.record.token != record.token:
                self._watched[uuid] = Watched(record, record.act_at + delay, target=target)
            else:
                known.record, known.due = record, record.act_at + delay
        self._wake.set()

    # -- freeze ----------------------------------------------------------------------------------------------

    def freeze(self, server: objects.Instance, timeout: int, request_id: str) -> Record:
        """Freeze a guest for at most `timeout` seconds, or raise Conflict and have it thawed."""
        options_, uuid = CONF.multisite_quiesce, server.uuid
        context = guest.cell_context(uuid, request_id)
        self._finish_last(context, uuid, request_id)
        began = time.time()

        def begin(last: Record | None) -> Record:
            if last and last.pending:
                raise Conflict(self._taken(last))
            answer_by, settle_at = began + options_.freeze_timeout, began + options_.late_period
            return records.successor(last, records.FREEZING, timeout, request_id, began, answer_by, settle_at)

        record, _ = records.change(context, uuid, begin)
        self._watch(uuid, record, target=(context, server))
        answer = background(guest.send, context, server, "quiesce_instance", options_.late_period)
        concurrent.futures.wait([answer], options_.freeze_timeout)
        if answer.done():
            return self._freeze_answered(uuid, record, answer)
        self._settle(uuid, record, UNKNOWN)
        answer.add_done_callback(functools.partial(self._freeze_answered_late, uuid, record))
        raise Conflict(
            f"The guest did not confirm the freeze within {options_.freeze_timeout} seconds: its agent or nova-compute "
            "on its host does not answer. It is thawed as soon as it does."
        )

    def _finish_last(self, context: nova_context.RequestContext, uuid: str, request_id: str) -> None:
        """Before a new freeze end the last one, if its thaw is all that is missing."""
        last = records.get(context, uuid)
        if last and last.state == records.THAWING:
            record, error = self.thaw(uuid, request_id)
            if record.pending:
                raise Conflict(f"{self._taken(record)} {guest.reason_of(error) if error else ''}".strip())

    @staticmethod
    def _taken(record: Record) -> str:
        if record.state == records.THAWING:
            return f"The server still has to be thawed after the freeze of request {record.request_id}."
        return f"The server is {record.state} already, by request {record.request_id}."

    def _settle(self, uuid: str, record: Record, outcome: str) -> Record | None:
        context = guest.cell_context(uuid, record.request_id)

        def decide(current: Record | None) -> Record | None:
            return current and records.freeze_answered(current, record.token, outcome, time.time())

        after, _ = records.change(context, uuid, decide)
        if after and after.token == record.token:
            self._watch(uuid, after)
        return after

    def _freeze_answered(self, uuid: str, record: Record, answer: Answer) -> Record:
        error = answer.exception()
        after = self._settle(uuid, record, guest.outcome_of(error))
        took = time.time() - record.asked_at
        if error is None and after and after.token == record.token and after.state == records.FROZEN:
            LOG.info("Froze server %s in %.2f s for request %s", uuid, took, record.request_id)
            return after
        reason = guest.reason_of(error) if error else "The guest confirmed the freeze too late; it is being thawed."
        LOG.warning("Freezing server %s for request %s: failed, %s", uuid, record.request_id, reason)
        raise Conflict(reason)

    def _freeze_answered_late(self, uuid: str, record: Record, answer: Answer) -> None:
        """Thaw at once when the answer nobody waits for any more arrives. Called in the thread that waited for it."""
        outcome = guest.outcome_of(answer.exception())
        took = time.time() - record.asked_at
        LOG.warning("Freeze of server %s for request %s ended late (%.2f s): %s", uuid, record.request_id, took, outcome)
        if outcome != UNKNOWN:
            try:
                self._settle(uuid, record, outcome)
            except Exception:
                LOG.exception("Cannot write down the late answer of server %s; its thaw goes on", uuid)

    # -- thaw ----------------------------------------------------------------------------------------------

    def thaw(self, uuid: str, request_id: str) -> tuple[Record, BaseException | None]:
        """Thaw a guest because somebody asks for it. Return its record and what, if anything, went wrong."""
        context, patience = guest.cell_context(uuid, request_id), CONF.multisite_quiesce.freeze_timeout
        last = records.get(context, uuid)
        claimed, _ = records.change(context, uuid, lambda r: records.claim_now(r, request_id, time.time(), self._lease()))
        answer = background(self._thaw_claimed, context, uuid, claimed, not (last and last.pending))
        concurrent.futures.wait([answer], patience)
        if answer.done():
            return answer.result()
        self._watch(uuid, claimed)
        return claimed, TimeoutError(f"The guest did not confirm the thaw within {patience} seconds.")

    @staticmethod
    def _lease() -> float:
        return CONF.multisite_quiesce.thaw_timeout + records.GRACE

    def _thaw_due(self, uuid: str, watched: Watched) -> None:
        """Make an attempt for a server whose time has come, if no other process does."""
        known = watched.record
        try:
            claim = functools.partial(records.claim_due, known=known, now=time.time(), lease=self._lease())
            try:
                context = guest.cell_context(uuid, known.request_id)
                record, claimed = records.change(context, uuid, claim)
            except (exception.InstanceNotFound, exception.InstanceMappingNotFound):
                self._watch(uuid, None)
            except Exception:
                LOG.exception("Cannot read or change the quiesce record of server %s", uuid)
                watched.due = time.time() + records.RETRY
                self._thaw_blindly(uuid, watched)
            else:
                if claimed:
                    self._thaw_claimed(context, uuid, record)
                else:
                    self._watch(uuid, record, delay=self._courtesy())
        except Exception:
            LOG.exception("Cannot thaw server %s yet", uuid)
        finally:
            watched.due = max(watched.due, time.time() + TICK)
            watched.busy = False

    def _thaw_claimed(
        self, context: nova_context.RequestContext, uuid: str, claimed: Record, idle: bool = False
    ) -> tuple[Record, BaseException | None]:
        """Send the thaw and write down how it ended. `idle`: nothing was known to be frozen, so a failure is no harm."""
        error: BaseException | None = None
        try:
            server = objects.Instance.get_by_uuid(context, uuid, expected_attrs=["system_metadata", "flavor"])
            if server.host and server.vm_state not in guest.POWERED_OFF:
                guest.send(context, server, "unquiesce_instance", CONF.multisite_quiesce.thaw_timeout)
        except Exception as failure:
            error = failure
        outcome = guest.outcome_of(error)
        if outcome == REFUSED or (idle and outcome == FAILED):
            outcome = OK
        now, late = time.time(), CONF.multisite_quiesce.late_period
        after, _ = records.change(
            context, uuid, lambda r: r and records.thaw_answered(r, claimed, outcome, now, late)
        )
        self._watch(uuid, after)
        self._report(uuid, after, error)
        return after, error

    def _thaw_blindly(self, uuid: str, watched: Watched) -> None:
        """Without the database a thaw can still be sent once, to where this process froze the server.

        Only once: the record stays as it is, and once it can be read again says what is left to do.
        """
        target, watched.target = watched.target, None
        if target:
            guest.send(*target, "unquiesce_instance", CONF.multisite_quiesce.thaw_timeout)
            LOG.warning("Thawed server %s for request %s without the database", uuid, watched.record.request_id)

    @staticmethod
    def _report(uuid: str, record: Record, error: BaseException | None) -> None:
        why = "its limit was over" if record.expired else "as asked"
        frozen = record.thawed_at - record.frozen_at if record.frozen_at and record.thawed_at else 0.0
        if not record.pending:
            LOG.info("Thawed server %s of request %s (%s), frozen for %.2f s", uuid, record.request_id, why, frozen)
        elif error:
            LOG.warning("Thawing server %s of request %s: %s", uuid, record.request_id, guest.reason_of(error))
        else:
            LOG.info("Thawed server %s of request %s, not for the last time", uuid, record.request_id)


def launch(watcher: Watcher) -> None:
    """Start a watcher as the application is loaded, in uWSGI's workers rather than in the process they are forked from."""
    try:
        import uwsgi
    except ImportError:
        watcher.start()
        return
    if uwsgi.worker_id():
        watcher.start()
        return
    earlier = getattr(uwsgi, "post_fork_hook", None)

    def forked() -> None:
        if earlier:
            earlier()
        watcher.start()

    uwsgi.post_fork_hook = forked
