"""What the routes of one application share: its services and its policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import current_app

from multisite.api.policy import Policy

KEY = "multisite"
ServiceT = TypeVar("ServiceT")


@dataclass(frozen=True)
class State:
    """``services``: an attribute for each ``Service`` (``command.wiring.Services``)."""

    services: object
    policy: Policy


class Service(Generic[ServiceT]):
    """A service by its name: called, it is that of the application answering the present request."""

    def __init__(self, name: str, kind: type[ServiceT]) -> None:
        self.name, self.kind = name, kind

    def __call__(self) -> ServiceT:
        found: ServiceT = getattr(_state().services, self.name)
        return found


def policy() -> Policy:
    """The policy of the application answering the present request."""
    return _state().policy


def _state() -> State:
    found: State = current_app.extensions[KEY]
    return found
