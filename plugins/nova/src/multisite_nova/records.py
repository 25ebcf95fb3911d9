# SPDX-License-Identifier: Apache-2.0
"""What nova-api has promised about one server, kept where every nova-api finds it.

A record is one row of the server's system metadata in Nova's cell database: no schema of our own, shared by all
nova-api processes, gone with the server. The first half of the module is pure: a record, and what becomes of it at each
event. The second half reads and changes the row, one server at a time under a lock on the server's own row.
"""

import dataclasses
import json
import uuid as uuids
from collections.abc import Callable

import sqlalchemy
from nova import context as nova_context
from nova import exception
from nova.db.main import api as main_db
from nova.db.main import models
from oslo_db import api as oslo_db_api
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

KEY = "multisite_quiesce"
VERSION = 1

FREEZING = "freezing"  # the freeze is written down and then sent; nobody knows the outcome yet
FROZEN = "frozen"  # the guest confirmed the freeze
THAWING = "thawing"  # the guest must be thawed and has not confirmed it yet
THAWED = "thawed"  # the guest confirmed the thaw, or cannot be frozen

# how a request to the guest ended
OK, FAILED, UNKNOWN, REFUSED = "ok", "failed", "unknown", "refused"

RETRY = 2.0  # seconds between two attempts to thaw, and what a thaw needs to settle
RETRY_AT_MOST = 30.0
GRACE = 5.0  # what a process may be late with the answer it got


@dataclasses.dataclass(frozen=True)
class Record:
    """One freeze of one server. Times are seconds since the epoch, 0 where not known."""

    token: str
    state: str
    timeout: int
    request_id: str
    asked_at: float
    act_at: float  # when the next attempt to thaw is due, whichever process makes it
    thaw_at: float
    settle_at: float  # until when a request without an answer may still take effect; 0 if none is outstanding
    frozen_at: float = 0.0
    thawed_at: float = 0.0
    expired: bool = False

    @property
    def pending(self) -> bool:
        """Whether somebody still has to thaw this server."""
        return self.state != THAWED

    def encode(self) -> str:
        """Fit the record into the 255 characters of a metadata value."""
        values = (round(v, 3) if isinstance(v, float) else v for v in dataclasses.astuple(self))
        return json.dumps([VERSION, *values], separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> "Record | None":
        """Read a record; None, and a line in the log, for what is none of ours."""
        try:
            version, *values = json.loads(text)
            return cls(*values) if version == VERSION else None
        except (TypeError, ValueError):
            LOG.warning("Ignoring a quiesce record that cannot be read: %s", text)
            return None


Decision = Callable[[Record | None], Record | None]


def successor(
    last: Record | None, state: str, timeout: int, request_id: str, now: float, answer_by: float, settle_at: float
) -> Record:
    """Make the record of a request that is about to be sent; later than the last one whatever the clocks say."""
    return Record(
        token=uuids.uuid4().hex[:8],
        state=state,
        timeout=timeout,
        request_id=request_id[:40],
        asked_at=max(now, last.asked_at + 0.001) if last else now,
        act_at=answer_by + GRACE,
        thaw_at=answer_by + timeout,
        settle_at=settle_at,
    )


def freeze_answered(record: Record, token: str, outcome: str, now: float) -> Record | None:
    """Take in how the freeze ended, on time or late: only one that is confirmed on time leaves the guest frozen."""
    if record.token != token or not record.pending:
        return None
    if record.state == FREEZING and outcome == REFUSED:
        return dataclasses.replace(record, state=THAWED, settle_at=0.0)
    if record.state == FREEZING and outcome == OK:
        until = now + record.timeout
        return dataclasses.replace(record, state=FROZEN, frozen_at=now, thaw_at=until, act_at=until, settle_at=0.0)
    settle_at = record.settle_at if outcome == UNKNOWN else 0.0
    return dataclasses.replace(record, state=THAWING, settle_at=settle_at, act_at=now)


def claim_due(record: Record | None, known: Record, now: float, lease: float) -> Record | None:
    """Claim a due thaw for this process, or None if it is not due, done, or about an older freeze than the record's.

    A record that is missing, or older than the one this process knows, was lost: some other part of Nova wrote the
    server's metadata back as it was before the freeze. What is known in memory then counts.
    """
    if record is None or (record.token != known.token and record.asked_at < known.asked_at):
        record = known
    if record.token != known.token or not record.pending or record.act_at > now:
        return None
    expired = record.expired or record.state == FROZEN
    return dataclasses.replace(record, state=THAWING, act_at=now + lease, expired=expired)


def claim_now(record: Record | None, request_id: str, now: float, lease: float) -> Record:
    """Claim a thaw somebody asked for, due or not, so that no freeze starts while it is under way."""
    record = record or successor(None, THAWED, 0, request_id, now, answer_by=now, settle_at=0.0)
    return dataclasses.replace(record, state=THAWING, act_at=now + lease)


def thaw_answered(record: Record, claimed: Record, outcome: str, now: float, late_period: float) -> Record | None:
    """Take in how an attempt to thaw ended: the guest counts as thawed once nothing sent before may undo it."""
    if record.token != claimed.token or not record.pending:
        return None
    if outcome == UNKNOWN:
        settle_at = max(record.settle_at, now + late_period)
        return dataclasses.replace(record, settle_at=settle_at, act_at=now + retry_after(record, now))
    if outcome == FAILED:
        return dataclasses.replace(record, act_at=now + retry_after(record, now))
    if claimed.settle_at == 0 and record.settle_at == 0:
        return dataclasses.replace(record, state=THAWED, thawed_at=record.thawed_at or now)
    if record.settle_at == 0:  # the late answer came while this thaw was under way: which was first?
        return dataclasses.replace(record, act_at=now)
    # nothing will answer any more: once more, so that a freeze handed out together with this thaw is undone too
    settle_at = record.settle_at if record.settle_at > now else 0.0
    return dataclasses.replace(record, settle_at=settle_at, act_at=now + RETRY)


def retry_after(record: Record, now: float) -> float:
    """Try often at first, then about as often as a fifth of the time spent so far."""
    return min(max((now - record.thaw_at) / 5, RETRY), RETRY_AT_MOST)


def _rows(context: nova_context.RequestContext, uuid: str) -> sqlalchemy.orm.Query:
    model = models.InstanceSystemMetadata
    query = context.session.query(model).filter_by(instance_uuid=uuid, key=KEY, deleted=0)
    return query.order_by(model.id.desc())


@main_db.pick_context_manager_reader
def get(context: nova_context.RequestContext, uuid: str) -> Record | None:
    """Read a server's record."""
    row = _rows(context, uuid).first()
    return Record.decode(row.value) if row else None


@oslo_db_api.wrap_db_retry(max_retries=5, retry_on_deadlock=True)
@main_db.pick_context_manager_writer
def change(context: nova_context.RequestContext, uuid: str, decide: Decision) -> tuple[Record | None, bool]:
    """Let a decision replace a server's record while nobody else can. Return the record, and whether it was replaced.

    Only our own row is written, never the server's whole metadata. A new freeze gets a new row: its growing id is
    what lets `scan` look at new rows only.
    """
    session = context.session
    if not session.query(models.Instance.id).filter_by(uuid=uuid, deleted=0).with_for_update().first():
        raise exception.InstanceNotFound(instance_id=uuid)
    rows = _rows(context, uuid).with_for_update().all()
    current = Record.decode(rows[0].value) if rows else None
    record = decide(current)
    if record is None:
        return current, False
    text = record.encode()
    if current and record.token == current.token:
        rows[0].value = text
    else:
        for row in rows:
            session.delete(row)
        session.add(models.InstanceSystemMetadata(instance_uuid=uuid, key=KEY, value=text))
    return Record.decode(text), True


@main_db.pick_context_manager_reader
def scan(context: nova_context.RequestContext, after: int) -> tuple[int, list[tuple[str, Record]]]:
    """Find the pending records in rows with a higher id than `after`; return the highest id as well."""
    model = models.InstanceSystemMetadata
    newest = context.session.query(sqlalchemy.func.max(model.id)).scalar() or 0
    rows = context.session.query(model.instance_uuid, model.value).filter(model.id > after)
    found = ((uuid, Record.decode(value)) for uuid, value in rows.filter(model.key == KEY, model.deleted == 0))
    return newest, [(uuid, record) for uuid, record in found if record and record.pending]
