"""A seeded sample of the fault matrix, and the proof that it would see what it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from multisite.clouds import build, resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import UnknownOutcome
from multisite.clouds.resources import left, lifecycle
from tests.matrix.faults import run as running
from tests.matrix.faults.cases import FAULTS, Case, cases_of, chosen
from tests.matrix.faults.phases import PHASES
from tests.matrix.faults.run import Result, run
from tests.matrix.faults.setup import SimSetup
from tests.matrix.faults.table import again, failures, last_line, legend, table

SAMPLE, SEED = 8, 20


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimSetup]:
    with SimSetup(tmp_path_factory.mktemp("matrix"), servers=1) as made:
        yield made


@pytest.fixture(scope="module")
def cases(setup: SimSetup) -> list[Case]:
    return cases_of(setup.heard)


def test_a_sample_of_the_matrix(setup: SimSetup, cases: list[Case]) -> None:
    results = [run(setup, case) for case in chosen(cases, sample=SAMPLE, seed=SEED)]
    print("\n".join([*table(results), *failures(results)]))
    assert last_line(results) == f"FAULT cases {SAMPLE} failed 0"


def test_every_phase_and_every_way_to_fail_is_tried(cases: list[Case]) -> None:
    assert {case.call.phase for case in cases} == set(PHASES)
    assert {case.fault for case in cases} == set(FAULTS)
    assert len({case.name for case in cases}) == len(cases) > 4000


def test_a_repeated_request_that_is_not_safe_to_repeat_is_seen(
    setup: SimSetup, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(make: Callable[[], Any], find: Callable[[], Any]) -> Any:
        try:
            return make()
        except UnknownOutcome:
            return make()

    monkeypatch.setattr(lifecycle, "look_again", careless)
    result = only(setup, cases, "recover:network:POST:/networks:lost")
    assert result.letter == "F"
    assert "site2: /networks: [" in " ".join(result.failed), result.failed


def test_a_partial_list_taken_for_all_there_is_is_seen(
    setup: SimSetup, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = resources.remove

    def credulous(site: CloudSite, kind: Any, token: str, *known: Any, **more: Any) -> int:
        if kind != "network":
            return remove(site, kind, token, *known, **more)
        found = resources.find(site, kind, token)
        for one in found:
            resources.delete_one(site, kind, one.id)
        return len(found)

    monkeypatch.setattr(resources, "remove", credulous)
    monkeypatch.setattr(left, "find_of_job", lambda *_: [])  # else the end of the undo finds what is left
    result = only(setup, cases, "undo:network:GET:/networks:few")
    assert result.letter == "F"
    assert "orphan" in " ".join(result.failed), result.failed


def test_an_old_copy_that_is_believed_to_be_off_is_seen(
    setup: SimSetup, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "stop_server", lambda *_args, **_more: None)
    result = only(setup, cases, "stop-source:compute:GET:/servers/{id}:drop")
    assert result.letter == "F"
    assert "'ACTIVE' is not 'SHUTOFF'" in " ".join(result.failed), result.failed


def test_a_fault_that_never_strikes_is_a_failure(setup: SimSetup, cases: list[Case]) -> None:
    some = next(case for case in cases if case.call.path == "/volumes/detail" and case.fault == "500")
    call_of_nobody = type(some.call)("full", "volume", "GET", "/nothing")
    result = run(setup, Case(call_of_nobody, "500"))
    assert (result.letter, result.failed) == ("F", ("the fault did not strike: the call was not made",))


def test_only_a_machine_out_of_breath_gets_a_second_try(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    late, wrong = "undo: site site2: list ports: no answer in time", "an orphan"
    drop = next(case for case in cases if case.fault == "drop")
    slow = next(case for case in cases if case.fault == "slow")

    def told(case: Case, *answers: tuple[str, ...]) -> tuple[Result, int]:
        left = [Result(case, "F" if failed else "d", failed) for failed in answers]
        monkeypatch.setattr(running, "_tried", lambda *_: left.pop(0))
        return run(None, case), len(left)  # type: ignore[arg-type]

    again, _ = told(drop, (late,), ())
    assert again.letter == "d"
    assert late in again.story[0]
    assert told(drop, (late,), (wrong,))[0].failed == (wrong,)
    assert told(drop, (wrong,), ()) == (Result(drop, "F", (wrong,)), 1)
    assert told(slow, (late,), ()) == (Result(slow, "F", (late,)), 1)


def test_failures_say_how_to_repeat_them(cases: list[Case]) -> None:
    case = next(case for case in cases if case.call.path.endswith("#quiesce") and case.fault == "lost")
    result = Result(case, "F", ("wrong",), ("what happened",))
    assert failures([result])[-1].endswith(again(case))
    assert chosen(cases, [case.name]) == [case]
    assert last_line([result]) == "FAULT cases 1 failed 1"
    assert max(len(line) for line in [*table([result]), *legend([result])]) <= 120


def test_a_sample_is_the_same_for_the_same_seed(cases: list[Case]) -> None:
    assert (
        chosen(cases, sample=5, seed=1) == chosen(cases, sample=5, seed=1) != chosen(cases, sample=5, seed=2)
    )
    with pytest.raises(ValueError, match="no case nothing"):
        chosen(cases, ["nothing"])
    assert {case.call.phase for case in chosen(cases, ["undo:*"])} == {"undo"}


def only(setup: SimSetup, cases: list[Case], name: str) -> Result:
    (case,) = chosen(cases, [name])
    return run(setup, case)
