"""What is interrupted: one verb of the service after another, each begun where an earlier one ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.matrix.points import JOB

DEPLOYED = "deployed"


@dataclass(frozen=True)
class Scenario:
    """``base``: the scenario whose end it begins from.  ``verb``: of ``process.VERBS``.

    ``state``: of its job at the end.  ``may_undo``: the job's kind undoes a run that was interrupted where it
    cannot go on; then nothing may be left, and the verb has to work again.  ``lost``: the source site is.
    ``steps``: patterns of the steps that are tried, of a verb that has the others from another one; none: it leads on.
    ``simulated``: of simulated sites alone.  ``returned``: the source site is back, as it was when it was lost.
    ``resume``: the verb that carries on after a death.  ``jobless``: the verb is one transaction, and no job; then all
    is as before it or as after it.
    """

    name: str
    base: str
    verb: str
    state: str = "done"
    may_undo: bool = False
    lost: bool = False
    steps: tuple[str, ...] = ("*",)
    simulated: bool = False
    returned: bool = False
    resume: str = "rest"
    jobless: bool = False


# fmt: off
SCENARIOS = (
    Scenario("full", DEPLOYED, "protect", may_undo=True),
    Scenario("undo-full", "full", "undo", "undone"),
    Scenario("incremental", "full", "protect", may_undo=True),
    Scenario("undo-incremental", "incremental", "undo", "undone"),
    Scenario("recover", "incremental", "recover", lost=True),
    Scenario("undo-recover", "recover", "undo", "undone", lost=True),
    Scenario("drill", "incremental", "drill", "undone", steps=("inventory", "summary", JOB)),
    Scenario("scheduled-drill", "drill", "scheduled-drill", "undone", steps=("inventory", JOB), simulated=True,
             resume="scheduled-drill"),
    Scenario("move", "full", "move"),
    Scenario("undo-move", "move", "undo", "undone"),
    Scenario("one-by-one", "full", "one-by-one", simulated=True,
             steps=("go-on@*", "stop-*", "final@*", "plan@*", "source@*", "server-*", "moved@*", "summary", JOB)),
    Scenario("undo-one-by-one", "one-by-one", "undo", "undone", simulated=True,
             steps=("stop-*", "server-*", "moved@*", JOB)),
    Scenario("one-by-one-back", "full", "one-by-one-back", "paused", simulated=True,
             steps=("stop-*@2", "final@2", "server-2", "gate-*", JOB)),
    Scenario("recover-plan", "incremental", "recover-plan", lost=True, simulated=True, resume="answer",
             steps=("hook-*", "prompt-*", "gate-*", "boot-group-*", "server-*", "summary", JOB)),
    Scenario("undo-plan", "recover-plan", "undo", "undone", lost=True, simulated=True,
             steps=("hook-*", "prompt-*", JOB)),
    Scenario("recover-names", "incremental", "recover-names", lost=True, simulated=True, steps=("dns-*", JOB)),
    Scenario("undo-names", "recover-names", "undo", "undone", lost=True, simulated=True, steps=("dns-*", JOB)),
    Scenario("standby", "incremental", "standby", simulated=True, resume="standby"),
    Scenario("behind", "standby", "protect", simulated=True, may_undo=True, steps=()),
    Scenario("refresh", "behind", "standby", simulated=True, resume="standby"),
    Scenario("promote", "standby", "recover", lost=True, simulated=True, steps=("volume-*", "standby-*", JOB)),
    Scenario("undo-promote", "promote", "undo", "undone", lost=True, simulated=True,
             steps=("volume-*", "standby-*", JOB)),
    Scenario("set-replication", DEPLOYED, "set-replication", simulated=True, jobless=True),
    Scenario("replicate", "set-replication", "replicate", simulated=True, may_undo=True),
    Scenario("replicate-again", "replicate", "replicate", simulated=True, may_undo=True),
    Scenario("promote-copies", "replicate-again", "recover", lost=True, simulated=True, steps=("volume-*", JOB)),
    Scenario("undo-copies", "promote-copies", "undo", "undone", lost=True, simulated=True,
             steps=("volume-*", JOB)),
    Scenario("stop-source", "recover", "stop-source", returned=True, simulated=True),
    Scenario("reprotect", "stop-source", "reprotect", returned=True, simulated=True, jobless=True),
    Scenario("undo-reprotect", "reprotect", "undo-reprotect", returned=True, simulated=True, jobless=True),
    Scenario("protect-back", "reprotect", "protect", returned=True, simulated=True, may_undo=True,
             steps=("capture", "manifest", JOB)),
    Scenario("commit", "reprotect", "commit", returned=True, simulated=True),
    Scenario("unrecover", "stop-source", "undo-recovery", "undone", returned=True, simulated=True,
             resume="rest-recovery", steps=("summary", JOB)),
    Scenario("undo-stop-source", "unrecover", "undo", "undone", returned=True, simulated=True),
    Scenario("images", DEPLOYED, "images", may_undo=True, simulated=True),
    Scenario("undo-images", "images", "undo", "undone", simulated=True),
    Scenario("recover-images", "images", "recover", lost=True, simulated=True),
    Scenario("undo-recover-images", "recover-images", "undo", "undone", lost=True, simulated=True),
)
# fmt: on
NAMED = {scenario.name: scenario for scenario in SCENARIOS}


def chain(name: str) -> list[Scenario]:
    """The scenarios that lead from the deployed application to the end of this one, itself included."""
    if name == DEPLOYED:
        return []
    return [*chain(NAMED[name].base), NAMED[name]]


def needed(names: Sequence[str]) -> list[Scenario]:
    """These and all they begin from, in an order in which they can be run."""
    wanted = {scenario.name for name in names for scenario in chain(name)}
    return [scenario for scenario in SCENARIOS if scenario.name in wanted]
