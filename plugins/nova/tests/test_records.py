# SPDX-License-Identifier: Apache-2.0
"""The record of a freeze: what becomes of it at each event, and that it stays where it is written."""

import dataclasses

import pytest
from nova import exception, objects

from multisite_nova import records
from multisite_nova.records import FAILED, FREEZING, FROZEN, OK, REFUSED, THAWED, THAWING, UNKNOWN

NOW = 1_763_690_000.123
LEASE, LATE = records.LEASE, 120.0


def freezing(last=None, timeout=30, now=NOW):
    return records.successor(last, FREEZING, timeout, "req-1", now, now + 10, now + LATE)


def frozen(**values):
    record = freezing()
    record = records.freeze_answered(record, record.token, OK, NOW + 1)
    return dataclasses.replace(record, **values)


def thawing(settle_at=0.0):
    return dataclasses.replace(freezing(), state=THAWING, settle_at=settle_at)


def test_the_longest_record_fits_and_is_read_back():
    record = records.Record("f" * 8, FREEZING, 10**6, "req-" + "f" * 36, *[NOW * 10] * 6, False)
    assert len(record.encode()) <= 255
    assert records.Record.decode(record.encode()) == record


@pytest.mark.parametrize(
    "text", ["", "x", "{}", "[]", "[1]", '[2,"a"]', "[1,2,3,4,5,6,7,8,9,10,11,12,13]", "null", "7"]
)
def test_what_is_no_record_is_none(text):
    assert records.Record.decode(text) is None


def test_a_successor_is_later_than_the_last_whatever_the_clock_says():
    first = freezing()
    assert freezing(first, now=NOW - 3600).asked_at > first.asked_at


def test_the_limit_counts_from_the_confirmed_freeze():
    record = frozen()
    assert (record.state, record.frozen_at, record.thaw_at, record.act_at) == (
        FROZEN,
        NOW + 1,
        NOW + 31,
        NOW + 31,
    )
    assert record.settle_at == 0


@pytest.mark.parametrize(
    ("state", "outcome", "then", "settled"),
    [
        (FREEZING, FAILED, THAWING, True),
        (FREEZING, UNKNOWN, THAWING, False),
        (FREEZING, REFUSED, THAWED, True),
        (THAWING, OK, THAWING, True),  # late: it is frozen now, so thaw it
        (THAWING, FAILED, THAWING, True),
        (THAWING, REFUSED, THAWING, True),
    ],
)
def test_a_freeze_that_is_not_confirmed_on_time_is_undone(state, outcome, then, settled):
    record = dataclasses.replace(freezing(), state=state)
    after = records.freeze_answered(record, record.token, outcome, NOW + 5)
    assert after.state == then
    assert (after.settle_at == 0) is settled
    assert not after.pending or after.act_at == NOW + 5


def test_an_answer_to_an_older_freeze_changes_nothing():
    assert records.freeze_answered(freezing(), "other", OK, NOW) is None
    assert records.freeze_answered(dataclasses.replace(freezing(), state=THAWED), "other", OK, NOW) is None


def test_a_thaw_is_claimed_once_and_when_due():
    record = frozen()
    assert records.claim_due(record, record, record.act_at - 0.1) is None
    claimed = records.claim_due(record, record, record.act_at)
    assert (claimed.state, claimed.expired) == (THAWING, True)
    assert records.claim_due(claimed, record, record.act_at + LEASE - 1) is None
    assert records.claim_due(claimed, record, record.act_at + LEASE)


def test_a_newer_freeze_is_not_claimed_for_an_older_deadline():
    old = frozen()
    newer = freezing(old)
    assert records.claim_due(newer, old, old.act_at + 1000) is None


@pytest.mark.parametrize("lost", [None, "older"])
def test_a_record_that_was_lost_is_claimed_from_memory(lost):
    older = dataclasses.replace(freezing(now=NOW - 100), state=THAWED)
    known = frozen()
    claimed = records.claim_due(older if lost else None, known, known.act_at)
    assert (claimed.token, claimed.state) == (known.token, THAWING)


def test_a_thawed_server_is_not_claimed():
    record = dataclasses.replace(frozen(), state=THAWED)
    assert records.claim_due(record, frozen(token=record.token), NOW + 1000) is None


def test_one_confirmed_thaw_is_enough_when_nothing_is_outstanding():
    record = thawing()
    assert records.thaw_answered(record, record, OK, NOW + 50, LATE).state == THAWED


def test_while_a_freeze_is_outstanding_a_confirmed_thaw_is_not_the_last():
    record = thawing(settle_at=NOW + LATE)
    after = records.thaw_answered(record, record, OK, NOW + 50, LATE)
    assert (after.state, after.settle_at, after.act_at) == (THAWING, NOW + LATE, NOW + 50 + records.RETRY)
    # the time is over: one more, sent after a confirmed one
    after = records.thaw_answered(after, after, OK, NOW + LATE + 1, LATE)
    assert (after.state, after.settle_at) == (THAWING, 0)
    assert records.thaw_answered(after, after, OK, NOW + LATE + 4, LATE).state == THAWED


def test_a_thaw_sent_before_the_late_answer_does_not_count():
    claimed = thawing(settle_at=NOW + LATE)
    answered = records.freeze_answered(claimed, claimed.token, OK, NOW + 20)
    after = records.thaw_answered(answered, claimed, OK, NOW + 21, LATE)
    assert (after.state, after.act_at) == (THAWING, NOW + 21)


def test_a_thaw_without_an_answer_may_come_late_too():
    record = thawing()
    after = records.thaw_answered(record, record, UNKNOWN, NOW + 50, LATE)
    assert (after.state, after.settle_at) == (THAWING, NOW + 50 + LATE)


def test_attempts_become_rarer_but_never_end():
    record, waits = dataclasses.replace(thawing(), thaw_at=NOW), []
    for now in (NOW + seconds for seconds in (-30, 0, 5, 50, 100, 10**6)):
        after = records.thaw_answered(record, record, FAILED, now, LATE)
        assert after.pending
        waits.append(round(after.act_at - now, 3))
    assert waits == [2, 2, 2, 10, 20, 30]


def test_a_thaw_of_an_older_freeze_changes_nothing():
    assert records.thaw_answered(freezing(), thawing(), OK, NOW, LATE) is None


@pytest.fixture
def cloud(cloud):
    """With nobody watching: these records are of the past, a watcher would act on them at once."""
    cloud.kill()
    return cloud


def test_a_change_touches_no_other_metadata(cloud):
    guest = cloud.boot()
    context = cloud.cell(guest)
    record, changed = records.change(context, guest.uuid, freezing)
    assert changed
    assert records.get(context, guest.uuid) == record
    assert records.change(context, guest.uuid, lambda current: None) == (record, False)
    server = objects.Instance.get_by_uuid(context, guest.uuid, expected_attrs=["system_metadata"])
    assert server.system_metadata == {"image_hw_qemu_guest_agent": "yes", records.KEY: record.encode()}


def test_a_scan_looks_at_new_rows_only(cloud):
    first, second, third = cloud.boot(), cloud.boot(), cloud.boot()
    context = cloud.cell(first)
    one, _ = records.change(context, first.uuid, freezing)
    records.change(context, third.uuid, lambda _: dataclasses.replace(freezing(), state=THAWED))
    newest, found = records.scan(context, 0)
    assert found == [(first.uuid, one)]
    two, _ = records.change(context, second.uuid, freezing)
    assert records.scan(context, newest)[1] == [(second.uuid, two)]
    again, _ = records.change(context, first.uuid, freezing)  # a new freeze is a new row
    assert dict(records.scan(context, newest)[1]) == {first.uuid: again, second.uuid: two}


def test_a_record_goes_with_its_server(cloud):
    guest = cloud.boot()
    context = cloud.cell(guest)
    records.change(context, guest.uuid, freezing)
    objects.Instance.get_by_uuid(context, guest.uuid).destroy()
    assert records.scan(context, 0)[1] == []
    with pytest.raises(exception.InstanceNotFound):
        records.change(context, guest.uuid, freezing)


def test_nova_does_write_metadata_back_as_it_was(cloud):
    """Why a record in memory outlives the one in the database: shown on Nova's own object."""
    guest = cloud.boot()
    context = cloud.cell(guest)
    stale = objects.Instance.get_by_uuid(context, guest.uuid, expected_attrs=["system_metadata"])
    records.change(context, guest.uuid, freezing)
    stale.system_metadata["password_0"] = "x"
    stale.save()
    assert records.get(context, guest.uuid) is None
