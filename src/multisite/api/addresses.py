"""``/v1/addresses``: addresses that move between sites."""

from __future__ import annotations

from collections.abc import Sequence

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.addresses import (
    AddressCheckOut,
    AddressesOut,
    AddressIn,
    AddressOut,
    AddressStartedOut,
    MoveIn,
)
from multisite.api.schemas.common import MaybeJobOut
from multisite.api.schemas.derived import answer
from multisite.api.state import services
from multisite.domain.caller import Caller
from multisite.domain.moving_address import EpochRecord, MovingAddress
from multisite.networks.addresses.service import MemberAsked

OWNED = Owned("address", lambda caller, id: services().addresses.get(caller, id))
resource = Resource("addresses", "/v1/addresses", tag="Addresses", owned=OWNED)


@resource.route("GET", "address:list", READER, out=AddressesOut)
def list_addresses(caller: Caller) -> object:
    """List the moving addresses of the project, without their histories."""
    return {"addresses": [_shown(address) for address in services().addresses.list(caller)]}


@resource.route("POST", "address:create", MEMBER, body=AddressIn, out=AddressStartedOut, status=202)
def create_address(caller: Caller, body: AddressIn) -> object:
    """Set an address up: reserved in every site, bound in the active one."""
    members = [MemberAsked(m.site, m.port, m.network) for m in body.members]
    return _started(
        services().addresses.create(caller, body.name, body.address, members, body.active, body.probe)
    )


@resource.route("GET /<id>", "address:show", READER, out=AddressOut)
def show_address(caller: Caller, found: MovingAddress) -> object:
    """Show an address, its state in words, and who moved it when and why."""
    return _shown(found, services().addresses.history(caller, found.id))


@resource.route("POST /<id>/check", "address:check", MEMBER, out=AddressCheckOut)
def check_address(caller: Caller, found: MovingAddress) -> object:
    """Ask every site who holds it, and listen from outside; a site with an old binding is made to let go."""
    return services().addresses.check(caller, found.id)


@resource.route("POST /<id>/move", "address:move", MEMBER, body=MoveIn, out=AddressStartedOut, status=202)
def move_address(caller: Caller, found: MovingAddress, body: MoveIn) -> object:
    """Move it to another site."""
    fenced = tuple(body.fenced)
    return _started(services().addresses.move(caller, found.id, body.to, fenced=fenced, why=body.why))


@resource.route("POST /<id>/undo", "address:undo", MEMBER, out=AddressStartedOut, status=202)
def undo_address(caller: Caller, found: MovingAddress) -> object:
    """Take the last move back."""
    undone = services().addresses.undo(caller, found.id)
    return {"job_id": undone.move_job_id, "address": _shown(undone)}


@resource.route("DELETE /<id>", "address:delete", MEMBER, out=MaybeJobOut, status=202)
def delete_address(caller: Caller, found: MovingAddress) -> object:
    """Let go of it in every site and forget it."""
    left = services().addresses.delete(caller, found.id)
    return {"job_id": None if left is None else left.job_id}


def _shown(address: MovingAddress, history: Sequence[EpochRecord] = ()) -> object:
    return answer(AddressOut, address, state=address.shown_state, history=history)


def _started(address: MovingAddress) -> object:
    return {"job_id": address.job_id, "address": _shown(address)}
