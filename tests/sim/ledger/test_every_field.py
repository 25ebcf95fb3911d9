"""Every field that is not the default comes back equal, or the preview says that it does not."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from multisite.clouds.facts import application, network
from multisite.clouds.ledger import LEDGER
from multisite.clouds.ledger.model import Verdict
from multisite.clouds.ledger.notes import Notes
from multisite_lab.sim.model import State
from tests.sim.ledger.draw import EDITS, EVERYTHING, KEYS, NOT_DRAWN, VALUES, Edit, apply, edit
from tests.sim.ledger.setup import Examples, examples

SOME = int(os.environ.get("LEDGER_EXAMPLES", "0"))
"""Examples beyond those of every run, which are always the same."""
_SAME = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
_FIXED = settings(**_SAME, derandomize=True, phases=[Phase.generate])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    with examples(tmp_path_factory.mktemp("ledger")) as found:
        yield found


def test_every_field_of_the_ledger_is_drawn_or_it_is_said_why_not() -> None:
    told = {Verdict.CARRIED, Verdict.NOT_CARRIED}
    wanted = {(k.name, f.name) for k in LEDGER if k.name in VALUES for f in k.fields if f.verdict in told}
    assert wanted - set(KEYS) - NOT_DRAWN.keys() == set()
    assert NOT_DRAWN.keys() - wanted == set()
    kinds = {kind.name for kind in LEDGER} - VALUES.keys()
    assert kinds == OTHERS.keys()


OTHERS = {
    "flavor of server": "drawn as the flavor",
    "availability zone": "drawn as the server's",
    "volume type": "drawn as the volume's",
    "image": "not part of a restore point",
    "router": "beside the servers",
    "router interface": "beside the servers",
    "floating IP": "beside the servers",
    "trunk": "beside the servers",
    "QoS policy": "drawn as a port's or network's",
}
"""Kinds of the ledger without values of their own."""


def test_all_at_once(made: Examples) -> None:
    @settings(_FIXED, max_examples=2)
    @given(EVERYTHING)
    def check(edits: list[Edit]) -> None:
        assert made.silent(edits) == []

    check()


@settings(**_SAME, max_examples=SOME or 8, derandomize=not SOME)
@given(edits=EDITS)
def test_any_of_it(made: Examples, edits: list[Edit]) -> None:
    assert made.silent(edits) == []


def test_a_difference_of_any_field_is_seen(made: Examples) -> None:
    """Of the comparison itself: the source is changed after the recovery, field by field."""
    source, target = made.untouched()
    assert made.seen(source, target) == []
    missed = [key for key in KEYS if not _sees(made, source, target, *key)]
    assert missed == []


def _sees(made: Examples, source: State, target: State, kind: str, name: str) -> bool:
    found: list[int] = []

    @settings(_FIXED, max_examples=1)
    @given(edit(kind, name))
    def check(one: Edit) -> None:
        changed = copy.deepcopy(source)
        apply(changed, made.made, [one])
        found.append(len(made.seen(changed, target)))

    check()
    return all(found)


def _without(reader: Callable[..., Any], **fields: Any) -> Callable[..., Any]:
    """The reader with a lie: these fields are dropped."""
    return lambda *args, **more: replace(reader(*args, **more), **fields)


LIES: tuple[tuple[Any, str, dict[str, Any], Edit], ...] = (
    (network, "_port", {"dns_domain": ""}, ("port", 0, "dns_domain", "a.example.")),
    (network, "_subnet", {"host_routes": ()}, ("subnet", 1, "host_routes", 130)),
    (application, "_volume", {"description": ""}, ("volume", 1, "description", "β")),
    (application, "_server", {"tags": ()}, ("server", 0, "tags", ["ä"])),
)


@pytest.mark.parametrize(("module", "reader", "fields", "drawn"), LIES, ids=[lie[1] for lie in LIES])
def test_a_lie_in_one_reader_is_caught(
    made: Examples,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    reader: str,
    fields: dict[str, Any],
    drawn: Edit,
) -> None:
    monkeypatch.setattr(module, reader, _without(getattr(module, reader), **fields))
    (found,) = made.silent([drawn])
    assert f"{drawn[0]} " in found
    assert f": {drawn[2]}: " in found


def test_a_note_that_is_not_written_is_missed(made: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notes, "compare", lambda *_args: None)
    (found,) = made.silent([("port", 0, "numa_affinity_policy", "preferred")])
    assert ": numa_affinity_policy: " in found
