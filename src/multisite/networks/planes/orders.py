"""From an application's planes to what has to be made for them; pure.  Stretched planes are orders for ``stretch``."""

from __future__ import annotations

from collections.abc import Sequence

from multisite.domain.planes import Plane, Realized
from multisite.networks.stretch.order import StretchOrder, checked


def made_name(application: str, plane: str) -> str:
    """What everything made for a plane is called, in every site."""
    return f"{application}-{plane}"


def token_of(job_id: str, kind: str, site: str) -> str:
    """The token of what the job that realized a plane made in a site: of its step ``<kind>:<site>``."""
    return f"multisite:{job_id}:{kind}:{site}"


def orders(application: str, planes: Sequence[Plane]) -> tuple[StretchOrder, ...]:
    """A stretched network for each stretched plane, called ``<application>-<plane>``.  Raises Invalid."""
    return tuple(
        checked(StretchOrder(made_name(application, plane.name), plane.sites, cidr=plane.cidr))
        for plane in planes
        if plane.realized is Realized.STRETCHED
    )
