"""What the routes of one application share: its services and its policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from flask import current_app

from multisite.api.policy import Policy
from multisite.applications.service import ApplicationService
from multisite.jobs.engine import JobEngine
from multisite.networks.addresses.service import AddressService
from multisite.networks.paths.service import PathService
from multisite.networks.planes.service import PlaneService
from multisite.networks.probe.service import ProbeService
from multisite.networks.stretch.service import NetworkService
from multisite.recovery.service import ProtectionService, RecoveryService
from multisite.sites.service import SiteService
from multisite.store.trail import AuditTrail

KEY = "multisite"


class Services(Protocol):
    """What the API calls (``command.wiring.Services``)."""

    @property
    def sites(self) -> SiteService: ...
    @property
    def applications(self) -> ApplicationService: ...
    @property
    def protections(self) -> ProtectionService: ...
    @property
    def recoveries(self) -> RecoveryService: ...
    @property
    def jobs(self) -> JobEngine: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def networks(self) -> NetworkService: ...
    @property
    def addresses(self) -> AddressService: ...
    @property
    def paths(self) -> PathService: ...
    @property
    def planes(self) -> PlaneService: ...
    @property
    def probe(self) -> ProbeService: ...


@dataclass(frozen=True)
class State:
    services: Services
    policy: Policy


def services() -> Services:
    """The services of the application answering the present request."""
    return _state().services


def policy() -> Policy:
    """Its policy."""
    return _state().policy


def _state() -> State:
    found: State = current_app.extensions[KEY]
    return found
