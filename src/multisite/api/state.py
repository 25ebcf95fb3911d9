"""What the routes of one application share: its services and its policy."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from multisite.api.policy import Policy
from multisite.api.services import ServiceSet

KEY = "multisite"


@dataclass(frozen=True)
class State:
    services: ServiceSet
    policy: Policy


def services() -> ServiceSet:
    """The services of the application answering the present request."""
    return _state().services


def policy() -> Policy:
    """Its policy."""
    return _state().policy


def _state() -> State:
    found: State = current_app.extensions[KEY]
    return found
