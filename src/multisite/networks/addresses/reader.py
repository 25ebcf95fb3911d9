"""Asking all sites of an address at once who holds it; a site that does not answer is unknown, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from multisite.clouds import addresses as neutron
from multisite.clouds.addresses import FloatingIp
from multisite.clouds.ask import ask_all
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.domain.errors import MultisiteError
from multisite.domain.moving_address import AddressMember, BindingState, MovingAddress, read_mark
from multisite.networks.probe.echo import way
from multisite.networks.probe.measure import answers

HURRY_SECONDS = 1.0
Listen = Callable[[str, str], bool | None]
"""Address and way (``icmp``, ``tcp:<port>``, ``none``) -> whether it answers from outside; None: unknown."""


def listen(address: str, how: str) -> bool | None:
    """From where this service runs."""
    return None if how == "none" else answers(address, way(how))


@dataclass(frozen=True)
class AddressReader:
    """Looks at sites.  ``opens`` gives their connections."""

    opens: Sites

    def open(self, address: MovingAddress, site: str) -> CloudSite:
        """For the project the address is of."""
        return self.opens.open(site, for_project=address.project_id)

    def floating_ip(self, address: MovingAddress, member: AddressMember) -> FloatingIp | None:
        """The floating IP of a member as it is now; None when it is gone.  Raises SiteError."""
        site = self.open(address, member.site)
        if member.floating_ip_id is not None:
            try:
                return neutron.read(site, member.floating_ip_id)
            except NotFoundInSite:
                pass
        return neutron.find(site, member.network_id, address.address)

    def at(self, address: MovingAddress, site: str) -> BindingState:
        """What one site says; never raises for the site's sake."""
        try:
            found = self.floating_ip(address, address.member(site))
        except MultisiteError as error:
            return _unknown(site, str(error))
        return binding_state(address.member(site), found)

    def everywhere(self, address: MovingAddress, hurry: Collection[str] = ()) -> tuple[BindingState, ...]:
        """All sites at the same time: one that is away costs its time limit once.

        Those in ``hurry`` (declared fenced: nobody expects them to answer) get ``HURRY_SECONDS`` only.
        """
        sites = [member.site for member in address.members]
        answers = ask_all(sites, partial(self.at, address), seconds=dict.fromkeys(hurry, HURRY_SECONDS))
        return tuple(
            answers.known.get(site) or _unknown(site, answers.reasons[site], site in hurry) for site in sites
        )


def _unknown(site: str, why: str, fenced: bool = False) -> BindingState:
    return BindingState(site, known=False, why=f"{why}, and it was declared fenced" if fenced else why)


def has_gone(member: AddressMember, found: FloatingIp) -> bool:
    """Whether a witness showed that, and nothing was changed since."""
    return found.port_id is None and found.revision == member.witnessed


def binding_state(member: AddressMember, found: FloatingIp | None) -> BindingState:
    """A floating IP as the domain sees it."""
    if found is None:
        return BindingState(member.site, known=True)
    status = "DOWN" if has_gone(member, found) else found.status
    mark = read_mark(found.description)
    return BindingState(
        member.site, known=True, present=True, port_id=found.port_id, status=status, mark=mark
    )
