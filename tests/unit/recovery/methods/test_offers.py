"""What each method offers for what both sites were seen to have, and which one is chosen."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from multisite.clouds.mirror.backend import MirrorImage, MirrorMode, StorageInfo
from multisite.domain.findings import Severity, unknown
from multisite.domain.model import Application, Capability, Known, Member, MemberRole
from multisite.recovery.methods.base import checked_options
from multisite.recovery.methods.cinder_backups.state import ApplicationState, ServerNow, VolumeNow
from multisite.recovery.methods.estimates import Every, Figures, PastRecovery, PastRun, rpo, rto, usable_after
from multisite.recovery.methods.offers import Candidate, Consistency, SiteSeen, choose
from multisite.recovery.methods.storages import StorageSeen
from multisite.recovery.methods.table import METHODS
from multisite.recovery.recover.speed import SpeedModel

CAN = ("compute", "block-storage", "backup", "admin", "quiesce", "image", "network")
SURE = {"hw_qemu_guest_agent": "yes", "os_require_quiesce": "yes"}
REPLICATION, BACKUP, SNAPSHOT = METHODS
SILENT = unknown("s1", "no answer", "")


def site(name, **known):
    seen = dict.fromkeys(CAN, Known.YES) | {one.replace("_", "-"): what for one, what in known.items()}
    return SiteSeen(name, [Capability(one, what, f"{one}: {what}") for one, what in seen.items()])


def state(*, image_backed=(), encrypted=(), problem=None, status="ACTIVE"):
    servers, volumes, records = [], {}, []
    for number in (1, 2):
        own = () if number in image_backed else (f"v{number}",)
        servers.append(
            ServerNow(
                f"id{number}",
                f"web{number}",
                number,
                True,
                status,
                own,
                None,
                problem,
                number in image_backed,
                "i",
            )
        )
        volumes |= {id: VolumeNow(id, id, 10, "in-use", "/dev/vda") for id in own}
        records.append(
            SimpleNamespace(id=f"id{number}", root_device="/dev/vda", flavor=SimpleNamespace(disk_gib=5))
        )
    rows = [
        SimpleNamespace(id=id, name=id, encrypted_type_id="luks" if id in encrypted else None)
        for id in volumes
    ]
    return ApplicationState(SimpleNamespace(servers=records, volumes=rows), tuple(servers), volumes)


def storages(mode=None, primary=True, peers=("s2",), at=("s1", "s2")):
    images = {f"v{n}": MirrorImage(f"volume-v{n}", "x", 1, mode, "g", primary) for n in (1, 2)}
    return {name: StorageSeen(name, StorageInfo(name, "volumes", peers), images) for name in at}


def candidate(seen=None, *, given=None, said=SURE, roles=(), **more):
    members = tuple(
        Member(f"id{n}", f"web{n}", n, role=MemberRole.STANDBY if n in roles else MemberRole.ACTIVE)
        for n in (1, 2)
    )
    values = {
        "application": Application("a", "mme", "p", "s1", members), "source": site("s1"), "target": site("s2"),
        "options": {name: checked_options(METHODS, name, given or {}) for name in METHODS},
        "state": seen or state(), "said": {"id1": said, "id2": said},
    }  # fmt: skip
    return Candidate(**values | more)


def offers(found):
    return {name: method.offer(found) for name, method in METHODS.items()}


def possible(found):
    return {name: str(offer.possible) for name, offer in offers(found).items()}


def chosen(found):
    return choose(list(offers(found).values()), "mme")


def words(offer):
    return " ".join(map(str, offer.gaps))


def test_the_order_of_preference_is_that_of_the_documentation():
    assert list(METHODS) == ["volume-replication", "consistent-backup", "instance-snapshot"]


def test_an_ordinary_application():
    found = offers(candidate())
    assert {name: str(offer.possible) for name, offer in found.items()} == {
        REPLICATION: "no", BACKUP: "yes", SNAPSHOT: "yes",
    }  # fmt: skip
    assert (found[BACKUP].consistency, found[SNAPSHOT].consistency) == (
        Consistency.APPLICATION,
        Consistency.SERVER,
    )
    assert "[replication] backends" in words(found[REPLICATION])
    choice = chosen(candidate())
    assert choice.method == BACKUP
    assert "consistent across the application's servers" in choice.why
    assert "volume-replication would come before it and is not possible" in choice.why
    assert [offer.method for offer in choice.offers] == list(METHODS)


@pytest.mark.parametrize(
    ("seen", "words_of"),
    [
        ({"storages": storages()}, ""),
        ({"storages": storages(at=("s1",))}, "site s2: replication"),
        ({"storages": storages(peers=())}, "it is mirrored with no other storage"),
        ({"storages": storages(MirrorMode.SNAPSHOT)}, ""),
        ({"storages": storages(MirrorMode.JOURNAL)}, "choose mirror_mode journal"),
        ({"storages": storages(MirrorMode.SNAPSHOT, primary=False)}, "a copy of another site's"),
        ({"storages": storages(), "seen": state(encrypted=("v2",))}, "volume v2: it is encrypted"),
        ({"storages": storages(), "seen": state(image_backed=(2,))}, "web2: it does not boot from a volume"),
        ({"storages": storages(), "target": site("s2", network=Known.NO)}, "site s2: network"),
        ({"storages": storages(), "target": None}, "target_site: is missing"),
        ({"storages": storages(), "target": site("s2", backup=Known.NO)}, ""),
    ],
)
def test_replication(seen, words_of):
    found = candidate(**seen)
    offer = offers(found)[REPLICATION]
    assert offer.possible is (Known.NO if words_of else Known.YES), offer.gaps
    assert words_of in words(offer)
    assert (chosen(found).method == REPLICATION) is not words_of


@pytest.mark.parametrize(
    ("seen", "words_of"),
    [
        ({"source": site("s1", quiesce=Known.NO)}, "install multisite-nova"),
        ({"source": site("s1", backup=Known.NO)}, "run cinder-backup there"),
        ({"target": site("s2", backup=Known.NO)}, "run cinder-backup there"),
        ({"target": site("s2", quiesce=Known.NO, image=Known.NO)}, ""),
        ({"seen": state(problem="its image has no agent")}, "web1: it cannot be frozen: its image has no agent"),
        ({"seen": state(problem="its image has no agent"), "given": {"quiesce": False}}, ""),
        ({"seen": state(status="ERROR")}, "web2: it is ERROR"),
        ({"seen": state(image_backed=(1,))}, "web1: it does not boot from a volume"),
        ({"given": {"standby_only": True}}, "none of its members is a standby"),
        ({"given": {"standby_only": True}, "roles": (2,)}, ""),
        ({"target": None}, ""),
    ],
)  # fmt: skip
def test_consistent_backup(seen, words_of):
    given = {"given": seen.get("given", {})}
    options = {BACKUP: checked_options(METHODS, BACKUP, given["given"])}
    found = replace(candidate(**{k: v for k, v in seen.items() if k != "given"}), options=options)
    offer = METHODS[BACKUP].offer(found)
    assert offer.possible is (Known.NO if words_of else Known.YES), offer.gaps
    assert words_of in words(offer)


def test_drivers_of_backups_that_do_not_fit():
    nfs, s3 = (
        SiteSeen(n, [*site(n).capabilities, Capability("backup-driver", Known.YES, n)]) for n in ("s1", "s2")
    )
    found = offers(candidate(source=nfs, target=s3))
    assert "give both sites the same backup store" in words(found[BACKUP])
    assert found[SNAPSHOT].possible is Known.NO
    same = offers(candidate(source=nfs, target=replace(s3, capabilities=nfs.capabilities)))
    assert same[BACKUP].possible is Known.YES


def test_servers_of_images_are_for_instance_snapshot():
    found = candidate(state(image_backed=(2,)))
    assert possible(found) == {REPLICATION: "no", BACKUP: "no", SNAPSHOT: "yes"}
    assert chosen(found).method == SNAPSHOT
    assert str(METHODS[SNAPSHOT].offer(replace(found, source=site("s1", image=Known.NO))).possible) == "no"


@pytest.mark.parametrize(
    ("said", "consistency"),
    [
        (SURE, Consistency.SERVER),
        ({"hw_qemu_guest_agent": "yes"}, Consistency.CRASH),
        ({}, Consistency.CRASH),
        (None, Consistency.CRASH),
    ],
)
def test_what_an_image_promises(said, consistency):
    assert METHODS[SNAPSHOT].offer(candidate(said=said)).consistency is consistency


def test_what_is_unknown_is_not_chosen():
    silent = candidate(state=None, unseen=SILENT, source=site("s1", **dict.fromkeys(CAN[:2], Known.UNKNOWN)))
    assert possible(silent) == {REPLICATION: "no", BACKUP: "unknown", SNAPSHOT: "unknown"}
    choice = chosen(silent)
    assert choice.method is None
    assert "--method consistent-backup" in choice.why
    mirrored = replace(candidate(), storages={"s1": SILENT, "s2": SILENT})
    assert possible(mirrored) == {REPLICATION: "unknown", BACKUP: "yes", SNAPSHOT: "yes"}
    assert chosen(mirrored).method is None, "a better one may be possible"


def test_none_is_possible():
    found = candidate(state(status="ERROR"))
    choice = chosen(found)
    assert choice.method is None
    for method in METHODS:
        assert f"{method}: " in choice.why


def test_a_method_without_the_options_is_out():
    found = candidate(refused={SNAPSHOT: "options.quiesce: there is no such option of instance-snapshot"})
    offer = offers(found)[SNAPSHOT]
    assert (offer.possible, offer.rpo.low_seconds) == (Known.NO, None)
    assert "leave the option out" in words(offer)


RUNS = (
    PastRun(BACKUP, True, False, 20, 60.0, 2.0), PastRun(BACKUP, True, True, 20, 30.0, 3.0),
    PastRun(SNAPSHOT, False, False, 10, 100.0), PastRun(SNAPSHOT, False, True, 10, 1.0),
)  # fmt: skip
SPEED = SpeedModel(seconds_per_gib=10, boot_seconds=7, restores_at_once=2, fixed_seconds=1)


def test_how_long_until_it_can_be_used():
    figures = Figures(RUNS)
    own = usable_after(figures, BACKUP, 20)
    assert (own.low_seconds, own.high_seconds, own.basis) == (30.0, 60.0, "from 2 past runs")
    others = usable_after(figures, SNAPSHOT, 20)
    assert (others.low_seconds, others.high_seconds) == (200.0, 200.0), "an incremental run tells no speed"
    assert usable_after(figures, SNAPSHOT, None).low_seconds is None
    assert usable_after(figures, REPLICATION, 20).low_seconds is None, "of another method"


def test_rpo_is_the_time_of_a_run_and_between_two():
    usable = usable_after(Figures(RUNS), BACKUP, 20)
    known = rpo(usable, Every("gold", 3600))
    assert (known.low_seconds, known.high_seconds) == (30.0, 3660.0)
    assert (rpo(usable, None).low_seconds, rpo(usable, None).high_seconds) == (30.0, None)
    unknown_run = rpo(usable_after(Figures(), BACKUP, 20), Every("gold", 3600))
    assert (unknown_run.low_seconds, unknown_run.high_seconds) == (None, None), "unknown is not zero"


def test_rto_follows_the_sizes_unless_nothing_is_restored():
    slow = replace(SPEED, seconds_per_gib=20)
    figures = Figures(
        (), (PastRecovery(BACKUP, SPEED), PastRecovery(SNAPSHOT, slow), PastRecovery(REPLICATION, SPEED))
    )
    restored = rto(figures, BACKUP, [10, 10, 10], 2)
    assert (restored.low_seconds, restored.high_seconds, restored.count) == (215, 215, 1), (
        "not of another method"
    )
    assert "from 1 past recoveries" in restored.basis
    assert rto(figures, SNAPSHOT, [10, 10, 10], 2).low_seconds == 1 + 400 + 14
    promoted = rto(figures, REPLICATION, None, 2)
    assert (promoted.low_seconds, promoted.high_seconds) == (15, 15)
    assert rto(Figures((), figures.recoveries[:2]), REPLICATION, None, 2).low_seconds is None, "of others"
    assert rto(Figures(), BACKUP, [10], 1).low_seconds is None


def test_rto_has_the_median_and_the_range_of_past_runs():
    speeds = [replace(SPEED, seconds_per_gib=rate) for rate in (30, 10, 11)]
    found = rto(Figures((), tuple(PastRecovery(BACKUP, speed) for speed in speeds)), BACKUP, [10], 1)
    assert (found.median_seconds, found.low_seconds, found.high_seconds, found.count) == (118, 108, 308, 3)


def test_offers_have_their_figures():
    figures = Figures(RUNS, (PastRecovery(BACKUP, SPEED),), Every("gold", 600))
    offer = offers(candidate(figures=figures))[BACKUP]
    assert (offer.rpo.low_seconds, offer.rpo.high_seconds) == (30.0, 660.0)
    assert offer.rto.low_seconds == 1 + 100 + 14, "two volumes of 10 GiB at once, two boots"
    stood = [finding for finding in offer.findings if finding.kind == "frozen"]
    assert [(one.severity, "2 to 3 s" in one.what) for one in stood] == [(Severity.NOTE, True)]
