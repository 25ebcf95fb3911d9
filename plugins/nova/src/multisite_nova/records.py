# SPDX-License-Identifier: Apache-2.0
"""What nova-api has promised about one server, kept where every nova-api finds it.

A record is one row of the server's system metadata in Nova's cell database: no schema of our own, shared by
all nova-api processes, gone with the server. The first half of this module is pure: a record, and what
becomes of it at each event. The second half reads and changes the row, under a lock on the server's own row.
"""

import dataclasses
import json
import uuid as uuids
from collections.abc import Callable
from typing import Any

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

# how a request to the guest ended; refused: nova-compute will not even ask the guest
OK, FAILED, UNKNOWN, REFUSED = "ok", "failed", "unknown", "refused"

RETRY = 2.0  # seconds between two attempts to thaw, at first
RETRY_AT_MOST = 30.0
GRACE = 5.0  # seconds a process may take to write down the answer it waited for
LEASE = (
    10.0  # seconds others leave to a process for its attempt; it may die in it, and two attempts do no harm
)


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
    settle_at: float  # until when a request without an answer may still take effect; 0 if there is none
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


def successor(
    last: Record | None,
    state: str,
    timeout: int,
    request_id: str,
    now: float,
    answer_by: float,
    settle_at: float,
) -> Record:
    """Make the record of a request about to be sent; later than the last one, whatever the clocks say."""
    asked_at = max(now, last.asked_at + 0.001) if last else now
    token, act_at, thaw_at = uuids.uuid4().hex[:8], answer_by + GRACE, answer_by + timeout
    return Record(token, state, timeout, request_id[:40], asked_at, act_at, thaw_at, settle_at)


def freeze_answered(record: Record, token: str, outcome: str, now: float) -> Record | None:
    """Take in how the freeze ended, on time or late: only one confirmed on time leaves the guest frozen."""
    if record.token != token or not record.pending:
        return None
    settle_at = record.settle_at if outcome == UNKNOWN else 0.0
    if record.state == FREEZING and outcome == REFUSED:
        return dataclasses.replace(record, state=THAWED, settle_at=settle_at)
    if record.state == FREEZING and outcome == OK:
        end = now + record.timeout
        return dataclasses.replace(
            record, state=FROZEN, frozen_at=now, thaw_at=end, act_at=end, settle_at=settle_at
        )
    return dataclasses.replace(record, state=THAWING, settle_at=settle_at, act_at=now)


def claim_due(record: Record | None, known: Record, now: float) -> Record | None:
    """Claim a thaw for this process, or None if it is not due, or done, or meant for an earlier freeze.

    A record that is missing, or older than the one this process knows, was lost: some other part of Nova
    wrote the server's metadata back as it was before the freeze. What is known in memory then counts.
    """
    if record is None or (record.token != known.token and record.asked_at < known.asked_at):
        record = known
    if record.token != known.token or not record.pending or record.act_at > now:
        return None
    expired = record.expired or record.state == FROZEN
    return dataclasses.replace(record, state=THAWING, act_at=now + LEASE, expired=expired)


def claim_now(record: Record | None, request_id: str, now: float) -> Record:
    """Claim a thaw somebody asked for, due or not, so that no freeze starts while it is under way."""
    record = record or successor(None, THAWED, 0, request_id, now, answer_by=now, settle_at=0.0)
    return dataclasses.replace(record, state=THAWING, act_at=now + LEASE)


def thaw_answered(record: Record, claimed: Record, outcome: str, now: float, late: float) -> Record | None:
    """Take in how a thaw ended: the guest counts as thawed once nothing sent earlier can freeze it again."""
    if record.token != claimed.token or not record.pending:
        return None
    act_at = now + min(max((now - record.thaw_at) / 5, RETRY), RETRY_AT_MOST)
    if outcome == UNKNOWN:
        return dataclasses.replace(record, settle_at=max(record.settle_at, now + late), act_at=act_at)
    if outcome == FAILED:
        return dataclasses.replace(record, act_at=act_at)
    if claimed.settle_at == record.settle_at == 0:
        return dataclasses.replace(record, state=THAWED, thawed_at=record.thawed_at or now)
    if record.settle_at == 0:  # the freeze was answered while this thaw was under way: which came first?
        return dataclasses.replace(record, act_at=now)
    # no answer is expected any more: once again, for a freeze that was handed out together with this thaw
    settle_at = record.settle_at if record.settle_at > now else 0.0
    return dataclasses.replace(record, settle_at=settle_at, act_at=now + RETRY)


def _rows(context: nova_context.RequestContext, uuid: str) -> Any:
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
def change(
    context: nova_context.RequestContext, uuid: str, decide: Callable[[Record | None], Record | None]
) -> tuple[Record | None, bool]:
    """Let a decision replace a server's record while nobody else can. Return the record, and whether it did.

    Only our own row is written, never the server's whole metadata. A new freeze gets a new row: its growing
    id is what lets `scan` look at new rows only.
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
    rows = context.session.query(model.instance_uuid, model.value).filter(
        model.id > after, model.key == KEY, model.deleted == 0
    )
    found = [(uuid, Record.decode(value)) for uuid, value in rows]
    return newest, [(uuid, record) for uuid, record in found if record and record.pending]
