"""Placement: what compute hosts have and what of it is taken (Placement API reference, allocation candidates)."""

from __future__ import annotations

import uuid

from multisite_lab.sim.model import HostSize, Row, Sim
from multisite_lab.sim.nova.resources import hosts
from multisite_lab.sim.nova.scheduling import size_of, taken
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, ok

KINDS = ("VCPU", "MEMORY_MB", "DISK_GB")


def provider_id(sim: Sim, host: str) -> str:
    """The id of a host's provider, which is its hypervisor's, too."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{host}.{sim.name}"))


def candidates(sim: Sim, ask: Ask) -> Answer:
    """Those that have all of ``resources=KIND:amount,...``, as from 1.29 on: with all inventories and their roots."""
    if not ask.account.is_admin:
        raise _error(403, "Access was denied to this resource.")
    wanted = dict(pair.split(":") for pair in (ask.one("resources") or "").split(","))
    if not set(wanted) <= set(KINDS):
        raise _error(400, f"Invalid resource class in resources parameter: {ask.one('resources')}")
    found = {provider_id(sim, host): _resources(sim, host) for host in hosts(sim)}
    fitting = {
        id: left
        for id, left in found.items()
        if all(left[kind]["capacity"] - left[kind]["used"] >= int(n) for kind, n in wanted.items())
    }
    limit = int(ask.one("limit") or len(fitting))
    fitting = dict(list(fitting.items())[:limit])
    asked = {kind: int(amount) for kind, amount in wanted.items()}
    requests = [{"allocations": {id: {"resources": asked}}, "mappings": {"": [id]}} for id in fitting]
    summaries: Row = {
        id: {"resources": left, "traits": [], "parent_provider_uuid": None, "root_provider_uuid": id}
        for id, left in fitting.items()
    }
    return ok({"allocation_requests": requests, "provider_summaries": summaries})


def _resources(sim: Sim, host: str) -> Row:
    has, used = size_of(sim, host), taken(sim, host)
    pairs = zip(KINDS, _amounts(has), _amounts(used), strict=True)
    return {kind: {"capacity": capacity, "used": n} for kind, capacity, n in pairs}


def _amounts(size: HostSize) -> tuple[int, int, int]:
    return size.vcpus, size.memory_mib, size.disk_gib


def _error(status: int, said: str) -> ApiError:
    return ApiError(status, {"errors": [{"status": status, "title": "Error", "detail": said}]})


def hypervisors(sim: Sim, ask: Ask) -> Answer:
    """Nova's, from 2.53 with ids of Placement's providers."""
    if not ask.account.is_admin:
        raise ApiError(
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Policy doesn't allow os_compute_api:os-hypervisors:list-detail",
                }
            },
        )
    rows = [
        {
            "id": provider_id(sim, host) if ask.version >= (2, 53) else n,
            "hypervisor_hostname": host,
            "state": "up",
            "status": "enabled",
            "service": {"id": n, "host": host, "disabled_reason": None},
        }
        for n, host in enumerate(hosts(sim), 1)
    ]
    return ok({"hypervisors": rows})


ROUTES = (Route("GET", "/allocation_candidates", candidates),)
NOVA_ROUTES = (Route("GET", "/os-hypervisors/detail", hypervisors),)
