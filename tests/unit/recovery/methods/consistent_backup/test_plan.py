"""Who is frozen, which backup is full and which incremental, and what forbids a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisite.clouds.volumes import Backup, next_parent
from multisite.domain.manifest import Manifest, SourceSite, VolumeRecord
from multisite.recovery.methods.cinder_backups.payload import BackupChain, BackupRecord, payload_of
from multisite.recovery.methods.cinder_backups.state import ServerNow, VolumeNow
from multisite.recovery.methods.consistent_backup.options import BackupOptions
from multisite.recovery.methods.consistent_backup.plan import differences, make_plan

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def server(n, **more):
    values = {"quiesce": True, "status": "ACTIVE", "volume_ids": (f"v{n}a", f"v{n}b"), **more}
    return ServerNow(f"id{n}", f"web{n}", n, **values)


def volume(id, size=1, status="in-use"):
    return VolumeNow(id, id, size, status, {"a": "/dev/vda", "b": "/dev/vdb"}.get(id[-1], "/dev/vdc"))


def volumes(*ids):
    return {id: volume(id) for id in ids or ("v1a", "v1b", "v2a", "v2b")}


def backup(id, volume_id, at=0, status="available"):
    moment = T0 + timedelta(seconds=at)
    return Backup(id, volume_id, status, False, 1, None, moment, moment)


def previous(**chains):
    records = tuple(
        VolumeRecord(
            id, id, 1, None, False, "/dev/vda",
            payload=payload_of(BackupChain(tuple(BackupRecord(b, False, T0, 1, {}) for b in chain))),
        )
        for id, chain in chains.items()
    )  # fmt: skip
    return Manifest(
        "rp-0", "app", "demo", "p1", SourceSite("s1", "R", ""), "consistent-backup", T0, T0, (), records
    )


def plan(servers=None, seen=None, backups=(), before=None, incremental=None, **options):
    return make_plan(
        servers or [server(1), server(2)],
        seen or volumes(),
        backups,
        before,
        BackupOptions(**options),
        incremental,
    )


def problems(*args, **kwargs):
    return [f"{p.kind}: {p.what}" for p in plan(*args, **kwargs).problems]


def test_order_of_freezing_is_the_boot_order():
    found = plan([server(2), server(1)])
    assert [s.id for s in found.freeze] == ["id1", "id2"]
    assert [v.id for v in found.volumes] == ["v1a", "v1b", "v2a", "v2b"]
    assert found.quiesced
    assert found.problems == found.notes == ()


def test_first_run_is_full():
    found = plan()
    assert not found.incremental
    assert found.parent_id is None
    assert {v.reason for v in found.volumes} == {"full: the application has no restore point yet"}


def test_steps_have_names_people_can_read_and_never_the_same():
    found = plan([server(1), replace(server(2), name="web1")])
    assert [v.step for v in found.volumes] == [
        "backup:web1:vda", "backup:web1:vdb", "backup:web1:vda-2", "backup:web1:vdb-2",
    ]  # fmt: skip
    strange = plan([replace(server(1), name="a,b é\n" + "x" * 200)])
    assert all(v.step.isascii() and "," not in v.step and len(v.step) < 80 for v in strange.volumes)


def test_an_active_member_is_not_frozen_and_that_is_said():
    found = plan([server(1, quiesce=False), server(2)])
    assert [s.id for s in found.freeze] == ["id2"]
    assert len(found.volumes) == 4
    assert found.quiesced
    (note,) = found.notes
    assert "web1 is not frozen" in note
    assert "crash-consistent" in note


def test_nobody_frozen_is_not_quiesced():
    assert not plan([server(1, quiesce=False), server(2, quiesce=False)]).quiesced
    assert not plan(quiesce=False).quiesced
    assert plan(quiesce=False).freeze == ()


def test_a_server_that_is_shut_off_needs_no_freeze():
    found = plan([server(1, status="SHUTOFF"), server(2)])
    assert [s.id for s in found.freeze] == ["id2"]
    assert found.quiesced
    assert found.problems == ()
    assert plan([server(1, status="SHUTOFF")], quiesce=False).quiesced


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ([server(1, status="ERROR")], "server web1: it is ERROR"),
        ([server(1, status="PAUSED")], "server web1: it is PAUSED"),
        ([server(1, task_state="migrating")], "server web1: it is busy (migrating)"),
        ([server(1, quiesce_problem="no filter")], "server web1: it cannot be frozen: no filter"),
        ([server(1, volume_ids=())], "application: its servers have no volumes"),
        ([server(1, volume_ids=("gone",))], "volume gone of server web1: Cinder does not show it"),
    ],
)
def test_what_forbids_a_run_is_named(servers, words):
    assert problems(servers) == [words]


def test_no_servers():
    made = make_plan([], {}, (), None, BackupOptions())
    assert made.problems[0].what == "it has no servers"
    assert not made.quiesced


def test_a_server_that_is_not_frozen_may_lack_the_agent():
    assert problems([server(1, quiesce=False, quiesce_problem="no filter"), server(2)]) == []


@pytest.mark.parametrize("status", ["error", "migrating", "unknown", "reserved"])
def test_a_volume_in_a_wrong_state_forbids_it(status):
    seen = volumes() | {"v1b": volume("v1b", status=status)}
    assert problems(seen=seen) == [f"volume v1b (/dev/vdb of server web1): it is {status}"]


def chain(**more):
    """One volume with a restore point and its backup in the site."""
    values = {
        "servers": [server(1, volume_ids=("v1a",))],
        "seen": volumes("v1a"),
        "backups": [backup("b1", "v1a")],
        "before": previous(v1a=["b1"]),
        **more,
    }
    found = plan(**values)
    return found.volumes[0].parent, found.volumes[0].reason


def test_the_second_run_is_incremental_on_the_first():
    assert chain() == ("b1", "incremental")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"incremental": False}, "full: asked for"),
        ({"before": None}, "full: the application has no restore point yet"),
        ({"before": previous(other=["b1"])}, "full: the volume is not in restore point rp-0"),
        ({"before": previous(v1a=[])}, "full: the volume is not in restore point rp-0"),
        ({"seen": {"v1a": volume("v1a", size=2)}}, "full: the volume's size changed from 1 to 2 GiB"),
        ({"full_every": 1}, "full: the chain has 1 backups, a full one is due"),
        ({"backups": []}, "full: backup b1 of the chain is gone in the site"),
        (
            {"backups": [backup("b1", "v1a", status="error")]},
            "full: backup b1 of the chain is error in the site",
        ),
        (
            {"backups": [backup("b1", "v1a"), backup("b9", "v1a", at=5)]},
            "full: Cinder would build on backup b9, which is not of this chain",
        ),
    ],
)
def test_why_a_backup_is_full(more, reason):
    assert chain(**more) == (None, reason)


def test_asking_for_incremental_goes_beyond_full_every_but_not_beyond_what_cinder_can_do():
    assert chain(full_every=1, incremental=True)[0] == "b1"
    assert chain(backups=[], incremental=True)[0] is None


def test_one_volume_may_be_full_while_another_is_incremental():
    found = plan(
        backups=[backup(f"b{v}", v) for v in ("v1a", "v1b", "v2a")],
        before=previous(v1a=["bv1a"], v1b=["bv1b"], v2a=["bv2a"]),
    )
    assert [v.incremental for v in found.volumes] == [True, True, True, False]
    assert found.incremental
    assert found.parent_id == "rp-0"


@given(
    full_every=st.integers(1, 9),
    asked=st.lists(st.sampled_from([None, None, None, True, False]), min_size=1, max_size=30),
    foreign=st.sets(st.integers(0, 30)),
    lost=st.sets(st.integers(0, 30)),
)
def test_chains_over_many_runs(full_every, asked, foreign, lost):
    """Every incremental is on the newest backup of its own chain, and no chain is longer than it may be."""
    there: dict[str, Backup] = {}
    links: tuple[str, ...] = ()
    before = None
    for run, wish in enumerate(asked):
        if run in foreign:  # a tenant's own backup
            there[f"s{run}"] = backup(f"s{run}", "v1a", at=10 * run + 1)
        if run in lost and links:
            there.pop(links[-1])
        found = plan(
            [server(1, volume_ids=("v1a",))], volumes("v1a"), tuple(there.values()), before,
            incremental=wish, full_every=full_every,
        )  # fmt: skip
        parent = found.volumes[0].parent
        usable = links and links[-1] in there and run not in foreign and all(b in there for b in links)
        if wish is False or not usable:
            assert parent is None
        elif wish is True or len(links) < full_every:
            assert parent == links[-1]
        if parent is not None:
            assert next_parent(there.values(), "v1a").id == parent  # Cinder builds on the same
            assert before is not None
            assert found.parent_id == before.id
        if wish is None:
            assert parent is None or len(links) + 1 <= full_every
        links = (*links, f"b{run}") if parent is not None else (f"b{run}",)
        there[f"b{run}"] = backup(f"b{run}", "v1a", at=10 * run + 5)
        before = replace(previous(v1a=links), id=f"rp-{run}")


@given(
    flags=st.lists(
        st.tuples(st.booleans(), st.sampled_from(["ACTIVE", "SHUTOFF", "PAUSED", "ERROR"])),
        min_size=1,
        max_size=6,
    ),
    quiesce=st.booleans(),
)
def test_who_is_frozen(flags, quiesce):
    members = [
        server(n, quiesce=wanted, status=status, volume_ids=(f"v{n}a",))
        for n, (wanted, status) in enumerate(flags, start=1)
    ]
    seen = volumes(*(f"v{n}a" for n in range(1, len(flags) + 1)))
    found = plan(members, seen, quiesce=quiesce)
    frozen = {f.id for f in found.freeze}
    for member in members:
        assert (member.id in frozen) == (quiesce and member.quiesce and member.status != "SHUTOFF")
        if member.id not in frozen:
            assert any(member.name in note for note in found.notes)
    assert {v.id for v in found.volumes} == set(seen)
    assert bool(found.problems) == any(status in ("PAUSED", "ERROR") for _, status in flags)


def test_a_plan_that_still_fits():
    servers, seen = [server(1), server(2)], volumes()
    assert differences(plan(servers, seen), servers, seen) == []


@pytest.mark.parametrize(
    ("servers", "seen"),
    [
        ([server(1)], volumes()),
        ([server(1), server(2, status="SHUTOFF")], volumes()),
        ([server(1), server(2)], volumes() | {"v1a": volume("v1a", size=9)}),
        ([server(1), server(2, volume_ids=("v2a",))], volumes()),
    ],
)
def test_an_application_that_has_changed_is_not_protected_by_an_old_plan(servers, seen):
    old = plan([server(1), server(2)], volumes())
    assert "changed since" in differences(old, servers, seen)[0]


def test_a_server_that_broke_since_is_named():
    old = plan([server(1), server(2)], volumes())
    found = differences(old, [server(1), server(2, status="ERROR")], volumes())
    assert found == ["server web2: it is ERROR (remedy: it must be ACTIVE or SHUTOFF: start or stop it)"]
