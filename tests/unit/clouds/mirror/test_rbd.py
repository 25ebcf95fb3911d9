"""The driver for rbd-mirror over what ``rbd`` of Ceph 16.2 wrote; the real thing is asked by ``make test-ceph``."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from multisite.clouds.errors import SiteError, UnknownOutcome, Unreachable, Unsupported
from multisite.clouds.mirror import command, rbd
from multisite.clouds.mirror.backend import MirrorMode, MirrorPoint, StorageRefused
from multisite.clouds.mirror.command import Done
from multisite.clouds.mirror.rbd import RbdMirror, RbdSettings
from multisite.domain import fence
from multisite.domain.audit import AuditOutcome, Ending, Intent

GLOBAL = "da0d2f05-c448-4af8-92bd-6b51c7a00e74"
UUID = "6bacbd41-446f-4666-8687-c47c758c9bf4"
NAME = "volume-1"
SPEC = f"volumes/{NAME}"


def info(primary: bool, mode: str = "snapshot") -> dict[str, object]:
    return {
        "name": NAME,
        "id": "1023d8e53ec5",
        "size": 16777216,
        "features": ["layering", "exclusive-lock"],
        "mirroring": {"mode": mode, "state": "enabled", "global_id": GLOBAL, "primary": primary},
    }


def copied(number: int, complete: bool, state: str = "non-primary") -> dict[str, object]:
    space = {"type": "mirror", "state": state, "mirror_peer_uuids": [], "complete": complete}
    space |= {"primary_mirror_uuid": UUID, "primary_snap_id": number, "last_copied_object_number": 4}
    return {"id": 90 + number, "name": f".mirror.non_primary.{GLOBAL}", "namespace": space}


USER = {"id": 10, "name": "snapshot-1", "size": 16777216, "namespace": {"type": "user"}}
OWN = {
    "id": 3,
    "name": f".mirror.primary.{GLOBAL}",
    "namespace": {"type": "mirror", "state": "primary", "mirror_peer_uuids": ["37"], "complete": True},
}
REPLAYING = {
    "state": "up+replaying",
    "description": 'replaying, {"bytes_per_second":0.0,"local_snapshot_timestamp":1795961046,'
    '"remote_snapshot_timestamp":1795961046,"replay_state":"syncing","syncing_percent":7}',
}
JOURNAL = {"state": "up+replaying", "description": 'replaying, {"entries_behind_primary":3}'}


class Ceph:
    """Answers commands by how they begin, and keeps those that were given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, Done] = {}
        self.asked: list[str] = []
        monkeypatch.setattr(rbd, "run", self.run)

    def say(self, begin: str, answer: object, status: int | None = 0, error: str = "") -> None:
        out = answer if isinstance(answer, str) else json.dumps(answer)
        self.answers[begin] = Done(status, out, error)

    def run(self, argv: Sequence[str], _seconds: float) -> Done:
        assert argv[:3] == ("rbd", "-c", "paris.conf")
        asked = " ".join(argv[argv.index("--rados_mon_op_timeout") + 2 :])
        self.asked.append(asked.removesuffix(" --format json"))
        for begin, answer in self.answers.items():
            if asked.startswith(begin):
                return answer
        return Done(errno.ENOENT, "", f"rbd: error opening image {NAME}: (2) No such file or directory\n")

    def image(self, primary: bool, *rows: dict[str, object], mode: str = "snapshot", status: object) -> None:
        self.say(f"info {SPEC}", info(primary, mode))
        self.say(f"snap ls --all {SPEC}", list(rows))
        self.say(f"mirror image status {SPEC}", status)


class Trail:
    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.endings: list[Ending] = []

    def begin(self, intent: Intent) -> None:
        self.intents.append(intent)

    def finish(self, ending: Ending) -> None:
        self.endings.append(ending)


@pytest.fixture
def ceph(monkeypatch: pytest.MonkeyPatch) -> Ceph:
    return Ceph(monkeypatch)


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
def mirror(ceph: Ceph, trail: Trail) -> RbdMirror:
    return RbdMirror("paris", RbdSettings("paris.conf", user="multisite", keyring="paris.keyring"), trail)


def test_a_snapshot_counts_when_its_data_are_here_and_not_when_its_name_is(
    ceph: Ceph, mirror: RbdMirror
) -> None:
    """As seen at the real thing: the user's snapshot is listed while the mirror snapshot with it is at 0 percent."""
    point = MirrorPoint(GLOBAL, "snapshot-1", 10)
    ceph.image(False, copied(7, True), USER, copied(10, False), status=REPLAYING)
    early = mirror.image(NAME)
    assert early is not None
    assert (early.received, early.percent, early.snapshots) == (7, 7, {"snapshot-1"})
    assert early.synced_at == datetime.fromtimestamp(1795961046, UTC)
    assert not early.has(point)
    ceph.image(False, USER, copied(10, True, "demoted"), status=REPLAYING)
    late = mirror.image(NAME)
    assert late is not None
    assert late.has(point)
    assert not late.has(MirrorPoint("another image", "snapshot-1", 10))
    assert not late.has(MirrorPoint(GLOBAL, "snapshot-2", 10))


def test_an_own_mirror_snapshot_was_not_received(ceph: Ceph, mirror: RbdMirror) -> None:
    ceph.image(True, OWN, USER, status={"state": "up+stopped", "description": "local image is primary"})
    found = mirror.image(NAME)
    assert found is not None
    assert (found.primary, found.received, found.detail) == (True, None, "local image is primary")


@pytest.mark.parametrize("state", ["up+syncing", "down+syncing", "up+starting_replay"])
def test_a_journal_that_is_copied_for_the_first_time_has_no_point(
    ceph: Ceph, mirror: RbdMirror, state: str
) -> None:
    point = MirrorPoint(GLOBAL, "snapshot-1", None)
    ceph.image(False, USER, mode="journal", status=JOURNAL)
    whole = mirror.image(NAME)
    ceph.image(False, USER, mode="journal", status={"state": state, "description": "bootstrapping"})
    half = mirror.image(NAME)
    assert whole is not None
    assert half is not None
    assert (whole.behind, whole.has(point), half.has(point)) == (3, True, False)


def test_an_image_that_is_not_mirrored_and_one_that_is_not_there(ceph: Ceph, mirror: RbdMirror) -> None:
    assert mirror.image(NAME) is None
    plain = {name: value for name, value in info(True).items() if name != "mirroring"}
    ceph.say(f"info {SPEC}", plain)
    found = mirror.image(NAME)
    assert found is not None
    assert (found.mode, found.global_id) == (None, "")


def test_a_copy_that_is_being_made_or_taken_away_is_not_mirrored(
    ceph: Ceph, mirror: RbdMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon makes copies again after a resync: the status is refused until, or from when, it is no copy."""
    no_status = Done(errno.EINVAL, "", "rbd: mirroring not enabled on the image\n")
    between = json.loads(json.dumps(info(False)))
    between["mirroring"]["state"] = "disabling"
    ceph.say(f"info {SPEC}", between)
    ceph.answers[f"mirror image status {SPEC}"] = no_status
    found = mirror.image(NAME)
    assert found is not None
    assert found.mode is None
    answers = [info(False), between]
    run = ceph.run

    def later(argv: Sequence[str], seconds: float) -> Done:
        return Done(0, json.dumps(answers.pop(0)), "") if "info" in argv else run(argv, seconds)

    monkeypatch.setattr(rbd, "run", later)
    found = mirror.image(NAME)
    assert found is not None
    assert found.mode is None
    answers = [info(False), info(False)]
    with pytest.raises(StorageRefused, match="mirroring not enabled"):
        mirror.image(NAME)


def test_mirroring_is_begun_once_and_says_by_whom(ceph: Ceph, mirror: RbdMirror) -> None:
    ceph.say(f"info {SPEC}", {"name": NAME, "id": "1", "size": 1})
    ceph.say("image-meta set", "")
    ceph.say("mirror image enable", "Mirroring enabled")
    mirror.enable(NAME, MirrorMode.SNAPSHOT, "multisite:j:s")
    changes = [line for line in ceph.asked if not line.startswith(("info", "snap"))]
    # The token first: whoever finds it mirrored finds by whom, too.
    assert changes == [
        f"image-meta set {SPEC} multisite_token multisite:j:s",
        f"mirror image enable {SPEC} snapshot",
    ]
    ceph.asked.clear()
    ceph.image(True, status={})
    mirror.enable(NAME, MirrorMode.SNAPSHOT, "multisite:j:s")
    assert not [line for line in ceph.asked if "enable" in line]
    with pytest.raises(StorageRefused, match="it is mirrored in mode snapshot, not journal"):
        mirror.enable(NAME, MirrorMode.JOURNAL, "multisite:j:s")


def test_a_primary_image_is_not_promoted_again_and_never_copied_over(ceph: Ceph, mirror: RbdMirror) -> None:
    ceph.image(True, status={})
    mirror.promote(NAME, force=True)
    with pytest.raises(StorageRefused, match="what only this site has would be lost"):
        mirror.resync(NAME)
    assert not [line for line in ceph.asked if "promote" in line or "resync" in line]


@pytest.mark.parametrize(
    ("done", "error", "outcome"),
    [
        (Done(1, "", "rbd: couldn't connect to the cluster!\n"), Unreachable, AuditOutcome.NOT_SENT),
        (Done(None, "", ""), UnknownOutcome, AuditOutcome.UNKNOWN),
        (Done(errno.ETIMEDOUT, "", "rbd: timed out\n"), UnknownOutcome, AuditOutcome.UNKNOWN),
        (Done(30, "", "rbd: error promoting image to primary\n"), StorageRefused, AuditOutcome.REFUSED),
    ],
)
def test_what_a_change_may_have_done_is_told_and_recorded(
    ceph: Ceph, mirror: RbdMirror, trail: Trail, done: Done, error: type[SiteError], outcome: AuditOutcome
) -> None:
    ceph.image(False, status=REPLAYING)
    ceph.answers["mirror image promote"] = done
    with pytest.raises(error, match="site paris: promote image volume-1"):
        mirror.promote(NAME, force=False)
    assert [(one.action, one.resource_id, one.service) for one in trail.intents] == [
        ("promote", NAME, "ceph")
    ]
    assert [one.outcome for one in trail.endings] == [outcome]


def test_a_question_without_an_answer_is_unreachable(ceph: Ceph, mirror: RbdMirror) -> None:
    ceph.answers["info"] = Done(None, "", "")
    with pytest.raises(Unreachable, match="had not ended after 60 s"):
        mirror.image(NAME)
    ceph.say("info", "no JSON")
    with pytest.raises(StorageRefused, match="cannot be read"):
        mirror.image(NAME)


def test_who_has_lost_the_right_to_act_changes_nothing(ceph: Ceph, mirror: RbdMirror, trail: Trail) -> None:
    class Lost:
        def check(self) -> None:
            raise KeyboardInterrupt

        def waits(self, why: str) -> None:
            raise AssertionError

    ceph.image(False, status=REPLAYING)
    with fence.around(Lost()), pytest.raises(KeyboardInterrupt):
        mirror.promote(NAME, force=True)
    assert trail.intents == []
    assert not [line for line in ceph.asked if "promote" in line]


@pytest.mark.parametrize("name", ["a/b", "a@b", "-c", "", "a b"])
def test_a_name_is_never_another_image(mirror: RbdMirror, ceph: Ceph, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        mirror.image(name)
    assert ceph.asked == []


def test_a_program_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    begun, child = time.monotonic(), tmp_path / "child"
    script = f'sleep 60 & echo "$!" > {child}; wait'
    assert command.run(("sh", "-c", script), 3.0).status is None
    assert time.monotonic() - begun < 30
    state = Path(f"/proc/{child.read_text().strip()}/stat")
    assert not state.exists() or " Z " in state.read_text()


def test_a_program_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, trail: Trail) -> None:
    monkeypatch.setattr(rbd, "PROGRAM", "no-such-rbd")
    mirror = RbdMirror("paris", RbdSettings("paris.conf"), trail)
    with pytest.raises(Unsupported, match="install ceph-common"):
        mirror.image(NAME)
