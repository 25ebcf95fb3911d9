"""A look at all sites that changes nothing, told like the journal's state."""

from __future__ import annotations

from multisite.identity.keys.service import KeyService
from multisite.identity.keys.state import State


def checked(service: KeyService, state: State) -> State:
    """The remembered state with what the sites hold right now; it is not written."""
    return service.note(state, service.look_only())
