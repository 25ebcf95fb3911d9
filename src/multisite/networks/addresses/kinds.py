"""The kinds of jobs about addresses, and what becomes of the record when one comes to rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from multisite.domain.errors import NotFound
from multisite.domain.moving_address import AddressState, MovingAddress
from multisite.jobs.model import JobKind, JobState, Json, Step
from multisite.networks.addresses.plan import MovePlan
from multisite.networks.addresses.setup import CreateSteps, DeleteSteps, GuardSteps
from multisite.networks.addresses.steps import MoveSteps, Tools
from multisite.store.addresses import NotOwner

MOVE, MOVE_FENCED = "move-address", "move-fenced-address"
CREATE, DELETE, GUARD = "create-address", "delete-address", "guard-address"
ErrorOf = Callable[[str], str | None]


def kinds(tools: Tools, error_of: ErrorOf) -> list[JobKind]:
    """To be registered.

    A move that fails while the old site can be asked is undone at once: the address is back where it answered.  One
    away from a fenced site has nowhere to go back to: it pauses for the operator.
    """

    # Nobody waits for an address that goes; an agent whose host has just come back takes its time.
    patience = replace(tools.hands.patience, agent=3 * tools.hands.patience.agent)
    unhurried = replace(tools, hands=replace(tools.hands, patience=patience))

    def move(params: Mapping[str, Json]) -> list[Step]:
        return MoveSteps(MovePlan.from_json(dict(params)), tools).steps()

    def create(params: Mapping[str, Json]) -> list[Step]:
        p = params
        return CreateSteps(
            p["address_id"], p["address"], tuple(p["sites"]), p["active"], p["by"], tools
        ).steps()

    def delete(params: Mapping[str, Json]) -> list[Step]:
        return DeleteSteps(params["address_id"], params["address"], tuple(params["sites"]), unhurried).steps()

    def guard(params: Mapping[str, Json]) -> list[Step]:
        return GuardSteps(params["address_id"], params["address"], tuple(params["sites"]), tools).steps()

    def settled(job_id: str, state: JobState, params: Mapping[str, Json]) -> None:
        _settle(tools, error_of, job_id, state, params, undone=AddressState.HELD)

    def created(job_id: str, state: JobState, params: Mapping[str, Json]) -> None:
        _settle(tools, error_of, job_id, state, params, undone=AddressState.FAILED)

    def deleted(job_id: str, state: JobState, params: Mapping[str, Json]) -> None:
        if state is not JobState.DONE:
            _settle(tools, error_of, job_id, state, params, undone=AddressState.STOPPED)
            return
        with suppress(NotFound):
            tools.rows.delete(params["address_id"])

    return [
        JobKind(MOVE, move, on_failure="undo", finished=settled),
        JobKind(MOVE_FENCED, move, on_failure="pause", finished=settled),
        JobKind(CREATE, create, on_failure="undo", finished=created),
        JobKind(DELETE, delete, on_failure="pause", finished=deleted),
        JobKind(GUARD, guard, on_failure="pause", finished=settled),
    ]


def _settle(
    tools: Tools,
    error_of: ErrorOf,
    job_id: str,
    state: JobState,
    params: Mapping[str, Json],
    *,
    undone: AddressState,
) -> None:
    """Unless another job has the address by now.  The error stays to be read also when all was undone."""

    def change(known: MovingAddress) -> MovingAddress:
        at_rest = {JobState.DONE: AddressState.HELD, JobState.UNDONE: undone}.get(state, AddressState.STOPPED)
        error = None if state is JobState.DONE else error_of(job_id)
        return replace(known, state=at_rest, error=error)

    with suppress(NotFound, NotOwner):
        tools.rows.change(params["address_id"], job_id, change)
