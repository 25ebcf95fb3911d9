"""The kinds of jobs about addresses, and what becomes of the record when one comes to rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from multisite.clouds.resources.left import left_by_job
from multisite.domain.moving_address import AddressState, MovingAddress
from multisite.jobs.model import JobKind, JobState, Json, Step
from multisite.jobs.outcome import Outcome, Row
from multisite.jobs.values import decode
from multisite.networks.addresses.plan import MovePlan
from multisite.networks.addresses.setup import (
    CreateParams,
    CreateSteps,
    DeleteSteps,
    GuardSteps,
    LetGoParams,
)
from multisite.networks.addresses.steps import MoveSteps, Tools

MOVE, MOVE_FENCED = "move-address", "move-fenced-address"
CREATE, DELETE, GUARD = "create-address", "delete-address", "guard-address"


def kinds(tools: Tools) -> list[JobKind]:
    """To be registered.

    A move that fails while the old site can be asked is undone at once: the address is back where it answered.  One
    away from a fenced site has nowhere to go back to: it pauses for the operator.
    """

    # Nobody waits for an address that goes; an agent whose host has just come back takes its time.
    patience = replace(tools.binder.patience, agent=3 * tools.binder.patience.agent)
    unhurried = replace(tools, binder=replace(tools.binder, patience=patience))

    def move(params: Mapping[str, Json]) -> list[Step]:
        return MoveSteps(decode(params, MovePlan, MOVE), tools).steps()

    def create(params: Mapping[str, Json]) -> list[Step]:
        p = decode(params, CreateParams, CREATE)
        return CreateSteps(p.address_id, p.address, p.sites, p.active, p.by, tools).steps()

    def delete(params: Mapping[str, Json]) -> list[Step]:
        p = decode(params, LetGoParams, DELETE)
        return DeleteSteps(p.address_id, p.address, p.sites, unhurried).steps()

    def guard(params: Mapping[str, Json]) -> list[Step]:
        p = decode(params, LetGoParams, GUARD)
        return GuardSteps(p.address_id, p.address, p.sites, tools).steps()

    def outcome(undone: AddressState) -> Outcome[MovingAddress]:
        return Outcome(tools.rows, "address_id", _states(AddressState.HELD, undone))

    left = left_by_job(tools.binder.reader.opens, ("floating_ip",))
    deleted = Outcome(tools.rows, "address_id", _states(Row.DELETED, AddressState.STOPPED))
    return [
        JobKind(MOVE, move, on_failure="undo", outcome=outcome(AddressState.HELD), rule="address:move"),
        JobKind(
            MOVE_FENCED, move, on_failure="pause", outcome=outcome(AddressState.HELD), rule="address:move"
        ),
        JobKind(
            CREATE,
            create,
            on_failure="undo",
            outcome=outcome(AddressState.FAILED),
            left=left,
            rule="address:create",
        ),
        JobKind(DELETE, delete, on_failure="pause", outcome=deleted, rule="address:delete"),
        JobKind(GUARD, guard, on_failure="pause", outcome=outcome(AddressState.HELD), rule="address:move"),
    ]


def _states(done: AddressState | Row, undone: AddressState) -> dict[JobState, AddressState | Row]:
    """The error stays to be read also when all was undone."""
    stopped = AddressState.STOPPED
    return {
        JobState.DONE: done, JobState.UNDONE: undone, JobState.PAUSED: stopped, JobState.UNDO_FAILED: stopped
    }  # fmt: skip
