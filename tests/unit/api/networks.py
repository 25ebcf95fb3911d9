"""Stretched networks and planes of each project, made by the services at the simulated sites."""

from __future__ import annotations

from typing import Any

from multisite.clouds.connect import CloudSite
from multisite.command.wiring import Services
from multisite.domain.caller import Caller
from multisite.networks.stretch.order import StretchOrder
from tests.sim import deploy

from .worker import Worker

SITES = ("paris", "lyon")
PLANES: list[dict[str, Any]] = [
    {"name": "mgmt", "role": "management"},
    {"name": "oam", "role": "management"},
    {"name": "hb", "role": "inter-component", "cidr": "10.9.0.0/24"},
]
"""Of each application: mgmt is active, the others are only described."""


def furnish(cloud: CloudSite) -> None:
    """The subnet pool of planes that are given no addresses."""
    pool = {"name": "usual", "prefixes": ["10.64.0.0/16"], "default_prefixlen": 24, "is_default": True}
    deploy.ask(cloud.network, "POST", "/subnetpools", {"subnetpool": pool})


def make_stretched(services: Services, worker: Worker, caller: Caller, suffix: str) -> None:
    """``hb``, called with the suffix."""
    order = StretchOrder(f"hb{suffix}", SITES, cidr="10.20.0.0/24")
    worker.done(services.networks.stretch(caller, order).job_id)


def make_planes(services: Services, worker: Worker, caller: Caller, application: str) -> None:
    services.planes.describe(caller, application, PLANES, SITES)
    worker.done(services.planes.realize(caller, application, "mgmt").job_id)
