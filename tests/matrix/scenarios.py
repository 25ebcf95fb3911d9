"""What is interrupted: one verb of the service after another, each begun where an earlier one ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DEPLOYED = "deployed"


@dataclass(frozen=True)
class Scenario:
    """``base``: the scenario whose end it begins from.  ``verb``: of ``process.VERBS``.

    ``state``: of its job at the end.  ``may_undo``: the job's kind undoes a run that was interrupted where it
    cannot go on; then nothing may be left, and the verb has to work again.  ``lost``: the source site is.
    """

    name: str
    base: str
    verb: str
    state: str = "done"
    may_undo: bool = False
    lost: bool = False


SCENARIOS = (
    Scenario("full", DEPLOYED, "protect", may_undo=True),
    Scenario("undo-full", "full", "undo", "undone"),
    Scenario("incremental", "full", "protect", may_undo=True),
    Scenario("undo-incremental", "incremental", "undo", "undone"),
    Scenario("recover", "incremental", "recover", lost=True),
    Scenario("undo-recover", "recover", "undo", "undone", lost=True),
)
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
