"""Who is primary, and when: nothing is promoted before its data are there, nobody's second primary is overwritten."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from multisite.clouds.errors import Unreachable
from multisite.clouds.mirror.backend import MirrorImage, MirrorMode, StorageRefused
from multisite.domain.manifest import ManifestError, Payload, VolumeRecord
from multisite.jobs.model import StepFailed
from multisite.recovery.methods.volume_replication import copies
from multisite.recovery.methods.volume_replication.payload import Copy, copy_of, payload_of

COPY = Copy(
    "lyon", "fsid-l", "copy-id", "fsid-p", "volume-1", "g", MirrorMode.SNAPSHOT, "1", "snapshot-1", 10
)
THERE = MirrorImage(
    "volume-1", "copy-id", 1, MirrorMode.SNAPSHOT, "g", snapshots=frozenset({"snapshot-1"}), received=10
)


@dataclass
class Storage:
    """``patience``: how often a promotion in order is refused first; None: always."""

    site: str
    found: MirrorImage | None
    away: bool = False
    patience: int | None = 0
    note_there: str = ""
    done: list[str] = field(default_factory=list)

    def names(self) -> dict[str, str]:
        return {self.found.global_id: self.found.name} if self.found else {}

    def image(self, name: str) -> MirrorImage | None:
        if self.away:
            raise Unreachable(self.site, "read image", "no answer")
        return self.found if self.found and self.found.name == name else None

    def note(self, name: str) -> str:
        return self.note_there

    def set_note(self, name: str, text: str) -> None:
        self.note_there = text
        self.done.append(f"note {text}")

    def promote(self, name: str, *, force: bool) -> None:
        if not force and self.patience != 0:
            self.patience = None if self.patience is None else self.patience - 1
            raise StorageRefused(self.site, "promote", "not demoted")
        self.done.append("force" if force else "promote")
        self._set(primary=True)

    def demote(self, name: str) -> None:
        self.done.append("demote")
        self._set(primary=False)

    def roll_back(self, name: str, snapshot: str) -> None:
        self.done.append(f"roll back {snapshot}")

    def rename(self, name: str, new: str) -> None:
        self.done.append(f"rename {new}")
        self._set(name=new)

    def resync(self, name: str) -> None:
        self.done.append("resync")

    def _set(self, **changes: Any) -> None:
        assert self.found is not None
        self.found = replace(self.found, **changes)


@dataclass
class Context:
    attempt: int = 1
    interrupted: bool = False
    events: list[str] = field(default_factory=list)

    def event(self, message: str, **_: object) -> None:
        self.events.append(message)

    def progress(self, *_: object) -> None:
        """Nobody looks."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "POLL", 0.001)
    monkeypatch.setattr(copies, "PLANNED_SECONDS", 0.05)


def promote(target: Storage, source: Storage | None, ctx: Any = None, *, roll_back: bool = True) -> bool:
    ctx = ctx or Context()
    return copies.promote(ctx, target, source, COPY, roll_back=roll_back).forced  # type: ignore[arg-type]


def own(**changes: Any) -> Storage:
    return Storage("paris", replace(THERE, id="own", primary=True, **changes))


def test_the_source_steps_down_and_what_it_wrote_last_is_waited_for() -> None:
    target, source = Storage("lyon", THERE, patience=3), own()
    assert not promote(target, source)
    assert source.done == ["demote"]
    assert target.done == ["promote", "roll back snapshot-1", "note snapshot-1"]


@pytest.mark.parametrize("source", [None, Storage("paris", None), Storage("paris", THERE, away=True)])
def test_a_source_that_does_not_answer_is_passed_over(source: Storage | None) -> None:
    target = Storage("lyon", THERE, patience=None)
    assert promote(target, source)
    assert target.done == ["force", "roll back snapshot-1", "note snapshot-1"]


def test_what_does_not_come_is_not_waited_for_for_ever() -> None:
    ctx, target = Context(), Storage("lyon", THERE, patience=None)
    promote(target, own(), ctx)
    assert target.done[0] == "force"
    assert "promoted by force" in ctx.events[0]


@pytest.mark.parametrize(
    "seen",
    [
        replace(THERE, received=9),
        replace(THERE, received=None),
        replace(THERE, snapshots=frozenset()),
    ],
)
def test_nothing_changes_when_the_point_is_not_there(seen: MirrorImage) -> None:
    target, source = Storage("lyon", seen), own()
    with pytest.raises(StepFailed, match="nothing was promoted"):
        promote(target, source)
    assert target.done == source.done == []
    promote(target, source, roll_back=False)  # the operator named the loss
    assert target.done == ["promote", "note incomplete-snapshot-1"]


def test_a_journal_copy_that_was_made_anew_is_not_whole() -> None:
    journal = replace(COPY, mode=MirrorMode.JOURNAL, number=None)
    seen = replace(THERE, mode=MirrorMode.JOURNAL, received=None, state="up+error")
    assert journal.is_whole(seen)
    assert not journal.is_whole(replace(seen, id="another"))
    assert not journal.is_whole(replace(seen, state="down+syncing"))


def test_somebody_elses_primary_is_left_and_ones_own_is_gone_on_with() -> None:
    with pytest.raises(StepFailed, match="by somebody else"):
        promote(Storage("lyon", replace(THERE, primary=True)), own())
    again = Storage("lyon", replace(THERE, primary=True))
    promote(again, own(), Context(attempt=2))  # this step had promoted it when its process died
    assert again.done == ["roll back snapshot-1", "note snapshot-1"]


def take_back(target: Storage, source: Storage | None) -> list[str]:
    ctx: Any = Context()
    copies.take_back(ctx, target, source, COPY)  # type: ignore[arg-type]
    events: list[str] = ctx.events
    return events


def test_undone_the_source_is_primary_again_under_its_own_name() -> None:
    target = Storage("lyon", replace(THERE, primary=True, name="volume-new"))
    source = Storage("paris", replace(THERE, name="volume-new"), patience=2)
    assert take_back(target, source) == []
    assert target.done == ["rename volume-1", "demote"]
    assert source.done == ["promote", "rename volume-1"]


def test_undone_the_mirror_may_rename_the_sources_image_meanwhile() -> None:
    class Late(Storage):
        """In journal mode the new name gets there between the look and the request."""

        def promote(self, name: str, *, force: bool) -> None:
            if name == "volume-new":
                self._set(name="volume-1")
                raise StorageRefused(self.site, "promote", "there is no such image")
            super().promote(name, force=force)

    target = Storage("lyon", replace(THERE, primary=True, name="volume-new"))
    source = Late("paris", replace(THERE, name="volume-new"))
    assert take_back(target, source) == []
    assert source.done == ["promote"]
    assert source.found is not None
    assert source.found.name == "volume-1"


def test_undone_after_force_the_source_counts_and_the_copy_is_made_anew() -> None:
    target, source = Storage("lyon", replace(THERE, primary=True)), own()
    take_back(target, source)
    assert (target.done, source.done) == (["demote", "resync"], [])


@pytest.mark.parametrize("source", [None, Storage("paris", None), Storage("paris", THERE, away=True)])
def test_undone_without_the_source_nothing_is_given_up(source: Storage | None) -> None:
    target = Storage("lyon", replace(THERE, primary=True))
    events = take_back(target, source)
    assert target.done == []
    assert "stays primary" in events[0]


def test_never_promoted_is_nothing_to_take_back() -> None:
    target, source = Storage("lyon", THERE), own()
    assert take_back(target, source) == []
    assert target.done == source.done == []


def test_a_payload_comes_back_as_it_was_and_a_strange_one_is_refused() -> None:
    volume = VolumeRecord("1", "root", 1, None, bootable=True, device="/dev/vda", payload=payload_of(COPY))
    assert copy_of(volume) == COPY
    for payload in (Payload("consistent-backup", {}), None, Payload("volume-replication", {"site": 1})):
        with pytest.raises(ManifestError, match="volume 1: payload"):
            copy_of(replace(volume, payload=payload))
