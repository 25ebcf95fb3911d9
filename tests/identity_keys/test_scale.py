"""A hundred sites behind a slow transport; the compromise drill."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from identity_keys.key_setup import KeySetup, until

from multisite.identity.keys import actions
from multisite.identity.keys.repository import Kind
from multisite.identity.keys.service import KeyService, Settings
from multisite.identity.keys.transport.directory import Directory
from multisite.identity.topology.model import Form, IdentitySite, KeyHome, Role, Tokens, Topology

SITES = 100


class Here(Directory):
    """Without a thread for each call: folders in memory do not hang."""

    async def _apart(self, what: str, call: Callable[[], Any]) -> Any:
        return call()


class Simulated(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody waits: how busy the machine is does not count."""

    clock = 0.0

    def time(self) -> float:
        return Simulated.clock

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            Simulated.clock = max(Simulated.clock, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


@pytest.fixture
def simulated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(work: Any) -> Any:
        with asyncio.Runner(loop_factory=Simulated) as runner:
            return runner.run(work)

    monkeypatch.setattr(asyncio, "run", run)


class Slow:
    """A directory whose every operation takes a while."""

    def __init__(self, seconds: float) -> None:
        self._files, self._seconds = Here([]), seconds

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            await asyncio.sleep(self._seconds)
            return await getattr(self._files, name)(*arguments)

        return call


def fleet(folder: Path, names: list[str], delay: dict[str, float], **settings: Any) -> KeyService:
    @contextlib.asynccontextmanager
    async def connect(site: IdentitySite) -> AsyncIterator[Any]:
        yield Slow(delay[site.name])

    def home(name: str) -> KeyHome:
        folders = (str(folder / name / kind) for kind in ("t", "t", "c"))
        return KeyHome("directory", *folders, owner="", group="")

    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    sites = tuple(IdentitySite(n, n, Role.MASTER, "127.0.0.1", keys=home(n)) for n in names)
    topology = Topology("wide", Form.STAR, "http://127.0.0.1/v3", sites, Tokens())
    key = folder / ("state-" + names[0] + str(len(names)))
    return KeyService(topology, key, connect=connect, settings=Settings(site_seconds=120, **settings))


def test_a_hundred_sites_take_as_long_as_the_slowest(memory: Path, simulated_time: None) -> None:
    names = [f"s{n:03}" for n in range(SITES)]
    delay = {name: random.Random(n).uniform(0.05, 0.5) for n, name in enumerate(names)}
    slowest = max(names, key=delay.__getitem__)
    alone = _rotation(fleet(memory / "one", [slowest], delay))
    all_ = _rotation(fleet(memory / "all", names, delay))
    print(
        f"\n{SITES} sites: {all_:.1f} s (simulated time); the slowest alone: {alone:.1f} s; ratio {all_ / alone:.2f}"
    )
    assert all_ <= 2 * alone
    few = _rotation(fleet(memory / "few", names[:20], delay, parallel=2))
    floor = _rotation(fleet(memory / "few2", names[:20], delay))
    print(f"control, 20 sites: two at a time {few:.1f} s, all at once {floor:.1f} s")
    assert few > 2 * floor


def _rotation(service: KeyService) -> float:
    """Seconds of a rotation's whole pass: confirm, promote, distribute, read back."""
    actions.adopt(service, create=True)
    began = Simulated.clock
    state = actions.rotate(service, [Kind.TOKENS])
    took = Simulated.clock - began
    assert state.kinds[Kind.TOKENS].settled_at is not None
    assert len(state.kinds[Kind.TOKENS].desired.keys) == 3
    return took


def test_compromise_drill(make: Callable[..., KeySetup]) -> None:
    """The time until no site takes a token of the old keys, asked of Keystone's code at every site."""
    setup = make()
    setup.keys("adopt", "--create")
    setup.start_keystones()
    stolen = {name: keystone.issue() for name, keystone in setup.keystones.items()}
    assert {k.validate(t) for k in setup.keystones.values() for t in stolen.values()} == {"ok"}
    preview = setup.keys("replace", "--compromised", check=False)
    assert preview.returncode == 1
    assert "Every token made with them is refused" in preview.stderr
    assert setup.keystones["metz"].validate(stolen["paris"]) == "ok", "a preview does nothing"

    setup.sshd["metz"].stop()  # one site cannot be reached at first
    began = time.monotonic()
    done = setup.keys("replace", "--compromised", "--yes-replace", "europe")
    assert done.returncode == 2
    assert "site metz still accepts tokens of the compromised keys" in done.stdout
    for name in ("paris", "lyon"):
        assert setup.keystones[name].validate(stolen["metz"]).startswith("refused")
    reached = time.monotonic() - began
    assert setup.keystones["metz"].validate(stolen["paris"]) == "ok"
    setup.start_daemon()
    setup.sshd["metz"].start()
    until(lambda: setup.keystones["metz"].validate(stolen["paris"]) != "ok", 60, "metz refuses")
    last = time.monotonic() - began
    told = until(lambda: setup.status()["emergency"] or {}, 30, "the figures")
    told = until(lambda: e if (e := setup.status()["emergency"])["all_sites"] else None, 30, "the end")
    fresh = setup.keystones["metz"].issue()
    assert {k.validate(fresh) for k in setup.keystones.values()} == {"ok"}
    print(
        f"\ncompromise drill: reachable sites refuse old tokens after {reached:.1f} s (program start included), the"
        f" absent one after {last:.1f} s; the service measured {told['seconds']} s, last {told['all_sites']} s"
    )
    assert told["all_sites"] <= last + 1
