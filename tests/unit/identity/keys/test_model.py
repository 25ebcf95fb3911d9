"""Any order of rotations, crashes, cuts and tokens: no token that lives is ever refused at a site that counts."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from multisite.identity import files
from multisite.identity.keys import actions
from multisite.identity.keys.fernet import gate
from multisite.identity.keys.fernet import plan as fernet_plan
from multisite.identity.keys.repository import Kind, fingerprint
from multisite.identity.keys.schedule import key_count, lifetime
from multisite.identity.keys.state import State
from tests.unit.identity.keys.little_sites import TOKENS, Clock, Crash, World, service, started

NAMES = ("paris", "lyon", "metz")
SITES = st.sampled_from(NAMES)
WORLDS: list[World] = []
"""The one whose budget pays for the service's own files."""
LIFE = lifetime(Kind.TOKENS, TOKENS)


class Judge:
    """Tokens that live, and whether every site that counts takes them; asked after every single change."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock
        self.tokens: list[tuple[str, float, bytes, str]] = []
        self.out: set[str] = set()
        self.broken: list[str] = []

    def issue(self, site: str) -> None:
        primary = fingerprint(self.world.keys(site)[0])
        self.tokens.append((site, self.clock.now, self.world.issue(site), primary))

    def alive(self) -> list[tuple[str, float, bytes, str]]:
        return [t for t in self.tokens if t[0] not in self.out and t[1] + LIFE > self.clock.now]

    def look(self) -> None:
        for site in NAMES:
            keys = {fingerprint(k) for k in self.world.keys(site)}
            if not keys:
                self.broken.append(f"{site} has no key")
            if site in self.out:
                continue
            needed = {
                fingerprint(self.world.keys(n)[0]) for n in NAMES if n not in self.out and self.world.keys(n)
            }
            needed |= {t[3] for t in self.alive()}
            if needed - keys:
                self.broken.append(f"{site} lacks {needed - keys} at {self.clock.now}")


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="multisite-keys-"))
        self.world, self.clock = World(), Clock()
        self.service = started(self.world, self.clock, self.folder / "k", NAMES)
        self.judge = Judge(self.world, self.clock)
        self.world.changed = self.judge.look
        WORLDS[:] = [self.world]

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(site=SITES)
    def issue(self, site: str) -> None:
        self.judge.issue(site)

    @rule(seconds=st.sampled_from((60, 1800, 3600, 9000)))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def tick(self) -> None:
        self.service.tick()

    @rule(budget=st.integers(0, 40))
    def killed_in_a_pass(self, budget: int) -> None:
        self.world.budget = budget
        try:
            self.service.tick()
        except Crash:
            self.service = service(self.world, self.clock, self.folder / "k", NAMES)
        finally:
            self.world.budget = None

    @rule(budget=st.integers(0, 40))
    def killed_in_a_rotation(self, budget: int) -> None:
        self.world.budget = budget
        try:
            actions.rotate(self.service, [Kind.TOKENS])
        except Crash:
            self.service = service(self.world, self.clock, self.folder / "k", NAMES)
        finally:
            self.world.budget = None

    @rule(site=SITES)
    def cut(self, site: str) -> None:
        self.world.cut.add(site)

    @rule()
    def reconnect(self) -> None:
        self.world.cut.clear()

    @precondition(lambda self: not self.judge.out)
    @rule(site=SITES)
    def exclude(self, site: str) -> None:
        self.world.cut.add(site)
        actions.exclude(self.service, site)
        self.judge.out.add(site)

    @precondition(lambda self: self.judge.out)
    @rule()
    def come_back(self) -> None:
        self.world.cut.clear()
        self.service.tick()
        self.judge.tokens = self.judge.alive()  # what it issued alone may be refused elsewhere
        for site in list(self.judge.out):
            actions.include(self.service, site)
            self.judge.out.discard(site)

    @invariant()
    def every_token_is_accepted(self) -> None:
        if not hasattr(self, "judge"):
            return
        self.judge.look()
        assert not self.judge.broken
        for _, _, token, _ in self.judge.alive():
            assert all(self.world.accepts(site, token) for site in NAMES if site not in self.judge.out)


Machine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def crashing_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the service itself count as changes too."""
    write = files.write

    def counted(path: Path, data: bytes, mode: int = 0o600) -> None:
        for world in WORLDS:
            world.change(lambda: None)
        write(path, data, mode)

    monkeypatch.setattr(files, "write", counted)


class TestModel(Machine.TestCase):  # type: ignore[name-defined, misc]
    pass


def scenario(folder: Path, *, after: int = 12) -> Judge:
    """Tokens everywhere, a rotation each hour, one site cut for some of them."""
    world, clock = World(), Clock()
    made = started(world, clock, folder, NAMES)
    judge = Judge(world, clock)
    world.changed = judge.look
    for hour in range(after):
        world.cut = {"metz"} if hour in (3, 4, 8) else set()
        for _ in range(4):
            clock.now += 900
            for name in NAMES:
                judge.issue(name)
            made.tick()
            judge.look()
    return judge


def test_nothing_breaks(tmp_path: Path) -> None:
    assert scenario(tmp_path / "k").broken == []


def test_without_the_gate_it_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "refusals", lambda *args: [])

    def believe(kind: Kind, state: State, looked: Any, sites: Any, now: float) -> State:
        return state.kind(kind, replace(state.kinds[kind], settled_at=now))

    monkeypatch.setattr(fernet_plan, "settle", believe)
    assert any("metz lacks" in line for line in scenario(tmp_path / "k").broken)


def test_with_too_few_keys_it_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_count(kind: Any, mine: Any, tokens: Any, now: float, count: int | None = None) -> list[int]:
        numbers = sorted(n for n in mine.desired.keys if n)
        return numbers[: max(0, len(numbers) + 1 - 3)]

    monkeypatch.setattr(gate, "purgeable", by_count)
    assert scenario(tmp_path / "k").broken
    assert key_count(Kind.TOKENS, TOKENS) == 5
