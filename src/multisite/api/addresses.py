"""``/v1/addresses``: addresses that move between sites."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.addresses import (
    AddressCheckOut,
    AddressesOut,
    AddressIn,
    AddressOut,
    AddressStartedOut,
    MoveIn,
)
from multisite.api.schemas.common import MaybeJobOut
from multisite.api.state import policy, services
from multisite.domain.caller import Caller
from multisite.domain.moving_address import MovingAddress
from multisite.networks.addresses.service import MemberAsked, shown

bp = APIBlueprint("addresses", __name__, url_prefix="/v1/addresses", tag="Addresses")


@bp.get("")
@bp.output(AddressesOut)
def list_addresses() -> Any:
    """List the moving addresses of the project, without their histories."""
    caller = policy().check("address:list")
    return {"addresses": [shown(address) for address in services().addresses.list(caller)]}


@bp.post("")
@bp.input(AddressIn, arg_name="body")
@bp.output(AddressStartedOut, status_code=202)
def create_address(body: AddressIn) -> Any:
    """Set an address up: reserved in every site, bound in the active one."""
    caller = policy().check("address:create")
    members = [MemberAsked(m.site, m.port, m.network) for m in body.members]
    return _started(
        services().addresses.create(caller, body.name, body.address, members, body.active, body.probe)
    )


@bp.get("/<id>")
@bp.output(AddressOut)
def show_address(id: str) -> Any:
    """Show an address, its state in words, and who moved it when and why."""
    caller = _owner("address:show", id)
    return shown(services().addresses.get(caller, id), services().addresses.history(caller, id))


@bp.post("/<id>/check")
@bp.output(AddressCheckOut)
def check_address(id: str) -> Any:
    """Ask every site who holds it, and listen from outside; a site with an old binding is made to let go."""
    return services().addresses.check(_owner("address:check", id), id)


@bp.post("/<id>/move")
@bp.input(MoveIn, arg_name="body")
@bp.output(AddressStartedOut, status_code=202)
def move_address(id: str, body: MoveIn) -> Any:
    """Move it to another site."""
    caller = _owner("address:move", id)
    return _started(services().addresses.move(caller, id, body.to, fenced=tuple(body.fenced), why=body.why))


@bp.post("/<id>/undo")
@bp.output(AddressStartedOut, status_code=202)
def undo_address(id: str) -> Any:
    """Take the last move back."""
    found = services().addresses.undo(_owner("address:undo", id), id)
    return {"job_id": found.move_job_id, "address": shown(found)}


@bp.delete("/<id>")
@bp.output(MaybeJobOut, status_code=202)
def delete_address(id: str) -> Any:
    """Let go of it in every site and forget it."""
    found = services().addresses.delete(_owner("address:delete", id), id)
    return {"job_id": None if found is None else found.job_id}


def _started(address: MovingAddress) -> dict[str, Any]:
    return {"job_id": address.job_id, "address": shown(address)}


def _owner(rule: str, id: str) -> Caller:
    found = services().addresses.get(policy().check("address:list"), id)
    policy().check_owned(rule, found.project_id, f"address: there is no address {id!r}")
    return policy().check(rule, found.project_id)
