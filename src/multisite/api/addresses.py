"""``/v1/addresses``: addresses that move between sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, MaybeJobOut, Name, PageQuery, Ref, Text
from multisite.api.schemas.derived import answer, page_of, shown, started
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.moving_address import (
    AddressMember,
    EpochRecord,
    Judgment,
    MovingAddress,
)
from multisite.networks.addresses.service import AddressService
from multisite.networks.members import MemberAsked

Ipv4 = Annotated[str, Field(max_length=45, pattern=r"^[0-9A-Fa-f.:]+$", description="An IP address")]
Way = Annotated[
    str,
    Field(
        max_length=9,
        pattern=r"^(icmp|none|(tcp|udp):[1-9][0-9]{0,4})$",
        description="icmp, tcp:<port>, udp:<port> (of an echo service), or none",
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]


class AddressMemberIn(In):
    """The port that gets the address while its site is active; ``network``: the external one (default: the only)."""

    site: Name
    port: Ref
    network: Ref | None = None


class AddressIn(In):
    name: Name
    address: Ipv4
    members: Annotated[list[AddressMemberIn], Field(min_length=2, max_length=32)]
    active: Annotated[Name, Field(description="The site that holds it first")]
    probe: Way = "icmp"


class MoveIn(In):
    """``fenced``: the caller vouches that nothing answers from these sites any more; it is recorded with the name."""

    to: Name
    fenced: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)
    why: Text = ""


AddressMemberOut = shown(AddressMember, without=("witnessed",))
EpochOut = shown(EpochRecord, "EpochOut", without=("address_id",))
AddressOut = shown(
    MovingAddress,
    "AddressOut",
    more={"sentence": str, "in_doubt": list[str], "history": list[EpochRecord]},
    doc="``sentence`` says what the state means, ``in_doubt`` which sites may still hold it against the record.",
)
AddressesOut = page_of("AddressesOut", addresses=list[MovingAddress])
AddressStartedOut = started("AddressStartedOut", address=MovingAddress)
AddressCheckOut = shown(
    Judgment,
    "AddressCheckOut",
    doc="``answers`` null: unknown; ``stale``: sites that are made to let go; ``released``: that do not hold it.",
)


addresses = Service("addresses", AddressService)
OWNED = Owned("address", lambda caller, id: addresses().get(caller, id))
resource = Resource("addresses", "/v1/addresses", tag="Addresses", owned=OWNED)


@resource.route("GET", "address:list", READER, query=PageQuery, out=AddressesOut)
def list_addresses(caller: Caller, query: PageQuery) -> object:
    """List the moving addresses of the project, without their histories."""
    return {"addresses": [_shown(address) for address in addresses().list(caller, page=query.page())]}


@resource.route("POST", "address:create", MEMBER, body=AddressIn, out=AddressStartedOut, status=202)
def create_address(caller: Caller, body: AddressIn) -> object:
    """Set an address up: reserved in every site, bound in the active one."""
    members = [MemberAsked(m.site, m.port, m.network) for m in body.members]
    return _started(addresses().create(caller, body.name, body.address, members, body.active, body.probe))


@resource.route("GET /<id>", "address:show", READER, out=AddressOut)
def show_address(caller: Caller, found: MovingAddress) -> object:
    """Show an address, its state in words, and who moved it when and why."""
    return _shown(found, addresses().history(caller, found.id))


@resource.route("POST /<id>/check", "address:check", MEMBER, out=AddressCheckOut)
def check_address(caller: Caller, found: MovingAddress) -> object:
    """Ask every site who holds it, and listen from outside; a site with an old binding is made to let go."""
    return addresses().check(caller, found.id)


@resource.route("POST /<id>/move", "address:move", MEMBER, body=MoveIn, out=AddressStartedOut, status=202)
def move_address(caller: Caller, found: MovingAddress, body: MoveIn) -> object:
    """Move it to another site."""
    fenced = tuple(body.fenced)
    return _started(addresses().move(caller, found.id, body.to, fenced=fenced, why=body.why))


@resource.route("POST /<id>/undo", "address:undo", MEMBER, out=AddressStartedOut, status=202)
def undo_address(caller: Caller, found: MovingAddress) -> object:
    """Take the last move back."""
    undone = addresses().undo(caller, found.id)
    return {"job_id": undone.move_job_id, "address": _shown(undone)}


@resource.route("DELETE /<id>", "address:delete", MEMBER, out=MaybeJobOut, status=202)
def delete_address(caller: Caller, found: MovingAddress) -> object:
    """Let go of it in every site and forget it."""
    left = addresses().delete(caller, found.id)
    return {"job_id": None if left is None else left.job_id}


def _shown(address: MovingAddress, history: Sequence[EpochRecord] = ()) -> object:
    return answer(AddressOut, address, state=address.shown_state, history=history)


def _started(address: MovingAddress) -> object:
    return {"job_id": address.job_id, "address": _shown(address)}
