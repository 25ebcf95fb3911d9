# SPDX-License-Identifier: Apache-2.0
"""Freeze a guest, and see to it that it is thawed: one watcher in every nova-api process.

A freeze is written down before it is sent. From then on every process's watcher knows the record or finds it,
and when it is due the first to claim it sends the thaw, again and again until the guest confirms one that
nothing sent earlier can undo.
"""

import concurrent.futures
import dataclasses
import functools
import os
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
COURTESY = 0.5  # how much later than the process that froze a server the others look at it
OVERLAP = 60.0  # rows this young are looked at again: a transaction may commit after one that began later

Answer = concurrent.futures.Future[Any]


class Conflict(Exception):
    """The server cannot be frozen now; the text is the reason, for the caller."""


@dataclasses.dataclass
class Watched:
    """A pending record in this process's memory, and when this process looks at it again."""

    record: Record
    due: float
    target: tuple[nova_context.RequestContext, objects.Instance] | None = None  # if frozen by this process
    attempt: Answer | None = None


def background(work: Callable[..., Any], *args: Any) -> Answer:
    """Run something in a thread of its own: waiting for one guest must not hold up another's thaw."""
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

    # -- keeping time --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread unless it runs; in a forked child too, where threads do not survive."""
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
            if watched.due <= now and (watched.attempt is None or watched.attempt.done()):
                watched.attempt = background(self._thaw_due, uuid, watched)

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
        low, high, since = self._marks.get(context.cell_uuid, (0, 0, 0.0))
        newest, found = records.scan(context, low)
        for uuid, record in found:
            known = self._watched.get(uuid)
            if known is None or known.record.asked_at < record.asked_at:
                LOG.info("Found server %s %s by request %s", uuid, record.state, record.request_id)
                self._watch(uuid, record, COURTESY)
        if time.monotonic() - since > OVERLAP:
            low, high, since = high, newest, time.monotonic()
        self._marks[context.cell_uuid] = (low, high, since)

    def _watch(self, uuid: str, record: Record | None, delay: float = 0.0) -> Watched | None:
        """Keep in mind what a record says now, or forget a server that is thawed. Older news is no news."""
        with self._lock:
            known = self._watched.get(uuid)
            if known and record and known.record.asked_at > record.asked_at:
                return None
            if record is None or not record.pending:
                return self._watched.pop(uuid, None)
            if known is None or known.record.token != record.token:
                known = self._watched[uuid] = Watched(record, 0.0)
            known.record, known.due = record, record.act_at + delay
        self._wake.set()
        return known

    # -- freezing ------------------------------------------------------------------------------------------

    def freeze(self, server: objects.Instance, timeout: int, request_id: str) -> Record:
        """Freeze a guest for at most `timeout` seconds, or raise Conflict and have it thawed."""
        uuid, limits = server.uuid, CONF.multisite_quiesce
        context = guest.cell_context(uuid, request_id)
        last = records.get(context, uuid)
        if last and last.state == records.THAWING:  # perhaps its thaw is all that is missing
            last, error = self.thaw(uuid, request_id)
            if last.pending:
                raise Conflict(f"{self._taken(last)} {guest.reason_of(error) if error else ''}".strip())
        began = time.time()

        def begin(last: Record | None) -> Record:
            if last and last.pending:
                raise Conflict(self._taken(last))
            answer_by, settle_at = began + limits.freeze_timeout, began + limits.late_period
            return records.successor(last, records.FREEZING, timeout, request_id, began, answer_by, settle_at)

        record, _ = records.change(context, uuid, begin)
        if watched := self._watch(uuid, record):
            watched.target = (context, server)
        answer = background(guest.send, context, server, "quiesce_instance", limits.late_period)
        concurrent.futures.wait([answer], limits.freeze_timeout)
        if answer.done():
            return self._frozen(uuid, record, answer)
        self._settle(uuid, record, UNKNOWN)
        answer.add_done_callback(functools.partial(self._answered_late, uuid, record))
        raise Conflict(
            f"The guest did not confirm the freeze within {limits.freeze_timeout} seconds: its agent or the "
            "nova-compute of its host does not answer. It is thawed as soon as that is possible."
        )

    @staticmethod
    def _taken(record: Record) -> str:
        if record.state == records.THAWING:
            return f"The server still has to be thawed after the freeze of request {record.request_id}."
        return f"The server is {record.state} already, by request {record.request_id}."

    def _settle(self, uuid: str, record: Record, outcome: str) -> Record | None:
        """Write down how a freeze ended; whatever is not simply frozen is then thawed at once."""
        now, context = time.time(), guest.cell_context(uuid, record.request_id)
        after: Record | None
        after, _ = records.change(
            context, uuid, lambda r: r and records.freeze_answered(r, record.token, outcome, now)
        )
        self._watch(uuid, after)
        return after

    def _frozen(self, uuid: str, record: Record, answer: Answer) -> Record:
        error = answer.exception()
        after = self._settle(uuid, record, guest.outcome_of(error))
        if error is None and after and (after.token, after.state) == (record.token, records.FROZEN):
            took = after.frozen_at - record.asked_at
            LOG.info("Froze server %s for request %s in %.2f s", uuid, record.request_id, took)
            return after
        reason = guest.reason_of(error) if error else "The guest confirmed the freeze too late; it is thawed."
        LOG.warning("Freezing server %s for request %s failed: %s", uuid, record.request_id, reason)
        raise Conflict(reason)

    def _answered_late(self, uuid: str, record: Record, answer: Answer) -> None:
        """Thaw as soon as the answer arrives that nobody waits for any more; runs in the thread that did."""
        outcome, took = guest.outcome_of(answer.exception()), time.time() - record.asked_at
        LOG.warning("Late answer of server %s to %s: %s after %.2f s", uuid, record.request_id, outcome, took)
        try:
            self._settle(uuid, record, outcome)
        except Exception:
            LOG.exception("Cannot write down the late answer of server %s; its thaw goes on", uuid)

    # -- thawing -------------------------------------------------------------------------------------------

    def thaw(self, uuid: str, request_id: str) -> tuple[Record, BaseException | None]:
        """Thaw a guest because somebody asks for it. Return its record and what, if anything, went wrong."""
        context, patience = guest.cell_context(uuid, request_id), CONF.multisite_quiesce.freeze_timeout
        now, last = time.time(), records.get(context, uuid)
        claimed, _ = records.change(context, uuid, lambda r: records.claim_now(r, request_id, now))
        answer = background(self._thaw, context, uuid, claimed, not (last and last.pending))
        concurrent.futures.wait([answer], patience)
        if answer.done():
            record, error = answer.result()
            return record, error
        self._watch(uuid, claimed)
        return claimed, TimeoutError(f"The guest did not confirm the thaw within {patience} seconds.")

    def _thaw_due(self, uuid: str, watched: Watched) -> None:
        """Make an attempt for a server whose time has come, if no other process does."""
        known = watched.record
        watched.due = time.time() + records.RETRY  # should all else fail
        try:
            claim = functools.partial(records.claim_due, known=known, now=time.time())
            context = guest.cell_context(uuid, known.request_id)
            record, claimed = records.change(context, uuid, claim)
            if claimed:
                self._thaw(context, uuid, record)
            else:
                self._watch(uuid, record, COURTESY)
        except (exception.InstanceNotFound, exception.InstanceMappingNotFound):
            self._watch(uuid, None)
        except Exception:
            LOG.exception("Cannot thaw server %s yet", uuid)
            self._thaw_blindly(uuid, watched)

    def _thaw(
        self, context: nova_context.RequestContext, uuid: str, claimed: Record, idle: bool = False
    ) -> tuple[Record, BaseException | None]:
        """Send the thaw and write down how it ended. `idle`: nothing is known to be frozen, it may fail."""
        error: BaseException | None = None
        try:
            server = objects.Instance.get_by_uuid(context, uuid, ["system_metadata", "flavor"])
            if server.host and server.vm_state not in guest.OFF:
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
        if error:
            LOG.warning("Thawing server %s, request %s: %s", uuid, claimed.request_id, guest.reason_of(error))
        else:
            took = now - claimed.frozen_at if claimed.frozen_at else 0.0
            how = "limit over, " if claimed.expired else ""
            LOG.info("Thawed server %s, request %s, %sfrozen %.2f s", uuid, claimed.request_id, how, took)
        return after, error

    def _thaw_blindly(self, uuid: str, watched: Watched) -> None:
        """Without the database the process that froze a server can still thaw it, where it then was.

        Only once: another nova-api may have the database and with it the say. The record is left as it is.
        """
        target, watched.target = watched.target, None
        if target:
            guest.send(*target, "unquiesce_instance", CONF.multisite_quiesce.thaw_timeout)
            LOG.warning("Thawed server %s without a record, request %s", uuid, watched.record.request_id)


def launch(watcher: Watcher) -> None:
    """Start a watcher when the application is loaded, but in uWSGI's workers, not where they fork from."""
    try:
        import uwsgi
    except ImportError:
        return watcher.start()
    if uwsgi.worker_id():
        return watcher.start()
    earlier = getattr(uwsgi, "post_fork_hook", None)

    def forked() -> None:
        if earlier:
            earlier()
        watcher.start()

    uwsgi.post_fork_hook = forked
    return None
