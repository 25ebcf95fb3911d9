"""The consistency point: what stands still while snapshots are taken, and that nothing stays frozen."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multisite.clouds import quiesce, volumes
from multisite.clouds.errors import ConflictInSite, UnknownOutcome, Unreachable
from multisite.clouds.quiesce import Thawed
from multisite.jobs.model import StepFailed
from multisite.jobs.values import plain
from multisite.recovery.methods.cinder_backups.state import read_state
from multisite.recovery.methods.consistent_backup.capture import capture, undo_capture
from multisite.recovery.methods.consistent_backup.options import BackupOptions
from multisite.recovery.methods.consistent_backup.plan import make_plan
from tests.unit.recovery.carry_out import Context
from tests.unit.recovery.demo_site import nothing, now, unreachable

ALL = {"v1a", "v1b", "v2a", "v2b", "v3a", "v3b"}
TOKEN = "multisite:job1:capture"


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def cloud(demo_sites):
    with demo_sites.fresh(3).watched() as cloud:
        yield cloud


def plan_of(cloud, timeout=5, gap=0.0, **options):
    state = read_state(cloud.site, cloud.application, ask_quiesce=True)
    cloud.log.clear()
    chosen = BackupOptions(timeout, snapshot_gap_seconds=gap, **options)
    return make_plan(state.servers, state.volumes, (), None, chosen)


def take(cloud, timeout=5, plan=None, **context):
    ctx = Context("job1", "capture", {}, **context)
    return plain(capture(cloud.site, plan or plan_of(cloud, timeout), "demo-1", ctx), "capture")


def test_everything_stands_still_when_the_snapshots_are_complete(cloud):
    cloud.sim.settings.snapshot = 0.05
    result = take(cloud)
    assert set(result["snapshots"]) == ALL
    assert {s.frozen for s in cloud.snapshots.values()} == {frozenset({"id1", "id2", "id3"})}
    assert cloud.frozen == set()


def test_freezing_goes_in_order_and_thawing_in_reverse(cloud):
    take(cloud)
    assert cloud.verbs("freeze", "thaw") == [
        ("freeze", "id1"), ("freeze", "id2"), ("freeze", "id3"),
        ("thaw", "id3"), ("thaw", "id2"), ("thaw", "id1"),
    ]  # fmt: skip


def test_nothing_is_done_in_the_window_that_could_be_done_before(cloud):
    take(cloud)
    verbs = [verb for verb, _ in cloud.log]
    window = verbs[verbs.index("freeze") : len(verbs) - verbs[::-1].index("thaw")]
    assert set(window) == {"freeze", "snapshot", "snapshots_named", "thaw"}
    assert verbs.index("warm") < verbs.index("freeze")
    assert window.count("snapshots_named") == 1


def test_snapshots_are_asked_for_at_the_same_time(cloud):
    together = threading.Barrier(6, timeout=5)
    cloud.late = lambda verb, thing: together.wait() if verb == "snapshot" else None
    take(cloud)


def test_the_windows_are_measured_from_request_to_confirmation(cloud):
    cloud.sim.settings.snapshot = 0.1
    result = take(cloud)
    assert [w["server_name"] for w in result["windows"]] == ["web1", "web2", "web3"]
    first, second, third = (w["seconds"] for w in result["windows"])
    assert first >= second >= third >= 0.1
    assert result["frozen_seconds"] == pytest.approx(first, abs=0.02)
    assert result["windows"][2]["frozen_at"] <= result["consistent_at"] <= result["windows"][0]["thawed_at"]


def test_the_second_of_three_does_not_freeze(cloud):
    def refuse(verb, thing):
        if (verb, thing) == ("freeze", "id2"):
            raise ConflictInSite("s1", "freeze", "QEMU guest agent is not connected", site_status=409)

    cloud.trouble = refuse
    with pytest.raises(StepFailed, match=r"web2 could not be frozen: QEMU guest agent is not connected"):
        take(cloud)
    assert cloud.verbs("freeze", "thaw") == [
        ("freeze", "id1"), ("freeze", "id2"), ("thaw", "id2"), ("thaw", "id1"),
    ]  # fmt: skip
    assert cloud.frozen == set()
    assert cloud.snapshots == {}


def test_a_freeze_whose_answer_was_lost_is_thawed(cloud):
    def lose(verb, thing):
        if (verb, thing) == ("freeze", "id3"):
            raise UnknownOutcome("s1", "freeze", "the answer was lost")

    cloud.late = lose
    with pytest.raises(StepFailed, match="web3"):
        take(cloud)
    assert cloud.frozen == set()


def test_a_snapshot_that_fails_thaws_first_and_is_removed_by_undo(cloud):
    def fail(verb, thing):
        if (verb, thing) == ("snapshot", "v2b"):
            raise Unreachable("s1", "snapshot", "no answer")

    cloud.trouble = fail
    plan = plan_of(cloud)
    with pytest.raises(StepFailed, match="no answer"):
        take(cloud, plan=plan)
    assert cloud.frozen == set()
    undo_capture(cloud.site, plan, Context("job1", "capture", {}), None)
    assert cloud.snapshots == {}


def test_a_snapshot_in_error_is_not_waited_for(cloud):
    def break_it(verb, thing):
        if verb == "snapshots_named":
            next(s for s in cloud.snapshots.values() if s.volume_id == "v1a").row.status = "error"

    cloud.trouble = break_it
    cloud.sim.settings.snapshot = 60
    with pytest.raises(StepFailed, match="v1a ended in error"):
        take(cloud)
    assert cloud.frozen == set()


def test_a_thaw_that_fails_once_is_tried_again_after_the_others(cloud):
    failures = ["id2"]

    def fail(verb, thing):
        if verb == "thaw" and thing in failures:
            failures.remove(thing)
            raise Unreachable("s1", "thaw", "no answer")

    cloud.trouble = fail
    take(cloud)
    assert cloud.verbs("thaw") == [("thaw", "id3"), ("thaw", "id2"), ("thaw", "id1"), ("thaw", "id2")]
    assert cloud.frozen == set()


def test_a_thaw_that_never_works_is_named_and_the_others_are_thawed(cloud):
    cloud.trouble = lambda verb, thing: unreachable() if (verb, thing) == ("thaw", "id2") else None
    with pytest.raises(StepFailed, match=r"server web2 may still be frozen, nova-api goes on thawing it"):
        take(cloud, timeout=1)
    assert cloud.frozen <= {"id2"}
    time.sleep(1)
    assert cloud.frozen == set()  # the time limit in the site


def dead_agent(verb, thing):
    if verb in ("freeze", "thaw") and thing == "id2":
        words = "QEMU guest agent is not connected" if verb == "freeze" else "Not thawed for certain yet"
        raise ConflictInSite("s1", verb, words, site_status=409)


def test_a_dead_agent_that_never_froze_is_left_to_nova_and_nobody_waits(cloud):
    cloud.trouble = dead_agent
    plan = plan_of(cloud)
    begun = time.monotonic()
    with pytest.raises(StepFailed, match=r"web2 could not be frozen: QEMU guest agent is not connected$"):
        take(cloud, timeout=30, plan=plan)
    ctx = Context("job1", "capture", {})
    undo_capture(cloud.site, plan, ctx, None)
    assert time.monotonic() - begun < 10
    assert ctx.events == [
        "server web2 never confirmed its freeze and is left to nova-api: Not thawed for certain yet"
    ]
    assert cloud.frozen == set()


def test_an_agent_that_dies_while_frozen_is_waited_for_and_named(cloud):
    def die(verb, thing):
        if (verb, thing) == ("thaw", "id2"):
            raise ConflictInSite("s1", verb, "Not thawed for certain yet", site_status=409)

    cloud.trouble = die
    plan = plan_of(cloud)
    with pytest.raises(StepFailed, match=r"web2 may still be frozen.*Not thawed for certain"):
        take(cloud, timeout=1, plan=plan)
    assert cloud.verbs("thaw").count(("thaw", "id1")) == 1
    quiesce.freeze(cloud.site, "id2", 60)
    with pytest.raises(StepFailed, match="web2 may still be frozen"):
        undo_capture(cloud.site, plan, Context("job1", "capture", {}), None)


def test_a_thaw_that_is_not_confirmed_is_asked_for_again(cloud, monkeypatch):
    thaw, answers = quiesce.thaw, []

    def slow(site, server_id):
        found = thaw(site, server_id)
        answers.append(server_id)
        return found if answers.count(server_id) > 2 else Thawed(*_values(found), "thawing")

    monkeypatch.setattr(quiesce, "thaw", slow)
    take(cloud)
    assert answers.count("id1") == 3


def _values(thawed):
    return thawed.server_id, thawed.frozen_at or now(), None, thawed.expired


def test_snapshots_later_than_the_time_limit_are_not_consistent(cloud):
    cloud.sim.settings.snapshot = 60
    with pytest.raises(StepFailed, match="raise freeze_timeout"):
        take(cloud, timeout=1)
    assert cloud.frozen == set()


def test_an_answer_that_comes_after_the_time_limit_does_not_count(cloud):
    cloud.trouble = lambda verb, thing: time.sleep(1.1) if verb == "snapshots_named" else None
    with pytest.raises(StepFailed, match=r"web1 was to be frozen for 1 s but the snapshots took \d"):
        take(cloud, timeout=1)


@pytest.mark.parametrize("verb", ["snapshot", "snapshots_named"])
def test_a_call_cut_short_by_the_time_limit_says_so(cloud, verb):
    def cut_short(asked, _thing):
        if asked == verb:
            time.sleep(1.05)
            raise unreachable("no answer in time")

    cloud.trouble = cut_short
    with pytest.raises(StepFailed, match="raise freeze_timeout"):
        take(cloud, timeout=1)
    assert cloud.frozen == set()


def test_freezing_that_uses_up_the_time_limit_stops(cloud):
    cloud.late = lambda verb, thing: time.sleep(0.6) if verb == "freeze" else None
    with pytest.raises(StepFailed, match=r"took longer than the freeze limit.*web3"):
        take(cloud, timeout=1)
    assert ("freeze", "id3") not in cloud.log
    assert cloud.frozen == set()


def test_a_server_thawed_by_its_time_limit_loses_the_consistency_point(cloud):
    def expire(verb, thing):
        if verb == "thaw" and thing == "id1":
            cloud.expire("id1")

    cloud.trouble = expire
    with pytest.raises(StepFailed, match=r"web1 was thawed by nova-api after 5 s"):
        take(cloud)


def test_a_server_somebody_else_thawed_loses_it_too(cloud):
    def meddle(verb, thing):
        if verb == "snapshots_named":
            cloud.thaw_by_others("id2")
            time.sleep(0.15)

    cloud.trouble = meddle
    with pytest.raises(StepFailed, match=r"web2 was thawed by somebody else"):
        take(cloud)


def test_a_server_somebody_thawed_and_froze_again_loses_it_too(cloud):
    def meddle(verb, thing):
        if verb == "snapshots_named":
            time.sleep(0.15)
            cloud.thaw_by_others("id2")
            quiesce.freeze(cloud.site, "id2", 5, 5)

    cloud.trouble = meddle
    with pytest.raises(StepFailed, match=r"web2 was thawed by somebody else"):
        take(cloud)


def test_an_interrupted_capture_thaws_and_does_not_go_on(cloud):
    plan = plan_of(cloud)
    for server in plan.freeze[:2]:
        quiesce.freeze(cloud.site, server.id, 60, 60)
    volumes.create_snapshot(cloud.site, TOKEN, "v1a", "demo-1", 5)
    with pytest.raises(StepFailed, match="interrupted while frozen: the consistency point is lost"):
        take(cloud, plan=plan, interrupted=True, attempt=2)
    assert cloud.frozen == set()
    undo_capture(cloud.site, plan, Context("job1", "capture", {}), None)
    assert cloud.snapshots == {}


def test_a_stopping_worker_thaws_on_its_way_out(cloud):
    class Abandoned(BaseException):
        pass

    def stop(verb, thing):
        if verb == "snapshots_named":
            raise Abandoned

    cloud.trouble = stop
    with pytest.raises(Abandoned):
        take(cloud)
    assert cloud.frozen == set()


def test_members_that_must_not_be_frozen_are_snapshotted_running(cloud):
    cloud.unfrozen.add("id1")
    result = take(cloud)
    assert set(result["snapshots"]) == ALL
    assert ("freeze", "id1") not in cloud.log
    assert {s.frozen for s in cloud.snapshots.values()} == {frozenset({"id2", "id3"})}


def test_a_consistent_group_is_snapshotted_by_one_request(cloud):
    cloud.make_group()
    plan = plan_of(cloud)
    result = take(cloud, plan=plan)
    assert cloud.verbs("snapshot", "snapshot_group") == [("snapshot_group", "g1")]
    assert set(result["snapshots"]) == ALL
    undo_capture(cloud.site, plan, Context("job1", "capture", {}), ())
    assert cloud.snapshots == cloud.groups == {}


def test_the_negative_control_takes_them_one_after_the_other(cloud):
    begun = time.monotonic()
    result = take(cloud, plan=plan_of(cloud, gap=0.02, quiesce=False))
    assert time.monotonic() - begun >= 5 * 0.02
    assert result["windows"] == []
    assert result["frozen_seconds"] == 0.0
    assert cloud.verbs("freeze", "thaw", "snapshot_group") == []


def test_undo_of_a_finished_capture_does_not_touch_servers(cloud):
    plan = plan_of(cloud)
    take(cloud, plan=plan)
    cloud.log.clear()
    undo_capture(cloud.site, plan, Context("job1", "capture", {}), ())
    assert cloud.verbs("thaw") == []
    assert cloud.snapshots == {}


def test_undo_says_what_is_left(cloud):
    plan = plan_of(cloud)
    take(cloud, plan=plan)
    victim = next(id for id, s in cloud.snapshots.items() if s.volume_id == "v2a")
    cloud.trouble = lambda verb, thing: (
        unreachable() if (verb, thing) == ("delete_snapshot", victim) else None
    )
    with pytest.raises(StepFailed, match=rf"snapshot {victim} of volume v2a is left"):
        undo_capture(cloud.site, plan, Context("job1", "capture", {}), ())
    assert set(cloud.snapshots) == {victim}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    verb=st.sampled_from(["warm", "freeze", "snapshot", "snapshots_named", "thaw"]),
    number=st.integers(0, 6),
    before=st.booleans(),
    kind=st.sampled_from([Unreachable, UnknownOutcome, ConflictInSite, RuntimeError, KeyboardInterrupt]),
)
def test_whatever_fails_once_nothing_stays_frozen_and_undo_leaves_nothing(
    demo_sites, verb, number, before, kind
):
    with demo_sites.fresh(3).watched() as cloud:
        fails_once(cloud, verb, number, before, kind)


def fails_once(cloud, verb, number, before, kind):
    seen: list[str] = []
    lock = threading.Lock()

    def fail(this, thing):
        with lock:
            hit = this == verb and len(seen) == number
            if this == verb:
                seen.append(thing)
        if hit:
            raise (
                kind("s1", this, "trouble")
                if kind not in (RuntimeError, KeyboardInterrupt)
                else kind("trouble")
            )

    if before:
        cloud.trouble = fail
    else:
        cloud.late = fail
    plan = plan_of(cloud)
    try:
        result = take(cloud, plan=plan, timeout=2)
    except (StepFailed, RuntimeError, KeyboardInterrupt, Unreachable, UnknownOutcome, ConflictInSite):
        pass
    else:
        assert set(result["snapshots"]) == ALL
        assert {s.frozen for s in cloud.snapshots.values()} == {frozenset({"id1", "id2", "id3"})}
    if not (verb == "thaw" and kind is KeyboardInterrupt):
        assert cloud.frozen == set()
    cloud.trouble = cloud.late = nothing
    undo_capture(cloud.site, plan, Context("job1", "capture", {}), None)
    assert cloud.frozen == set()
    assert cloud.snapshots == {}
