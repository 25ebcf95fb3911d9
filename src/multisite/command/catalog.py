"""Keystone's catalog: where clients find this service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from multisite.clouds.call import call
from multisite.clouds.connect import open_site
from multisite.domain.errors import Invalid

SERVICE_TYPE = "multisite"
DESCRIPTION = "Applications over many OpenStack sites: protect, recover, prove"


def register(
    config_file: str | Path, cloud: str, url: str, region: str | None, interfaces: Sequence[str]
) -> Iterator[str]:
    """Make service and endpoints unless they are there; yields what was done, a line each."""
    if not url.startswith(("http://", "https://")):
        raise Invalid(f"url: {url!r} must begin with http:// or https://")
    site = open_site(cloud, cloud, config_file)
    region = region or site.region
    identity = site.identity
    service = call(site, "find the service", lambda: _first(identity.services(type=SERVICE_TYPE)))
    if service is None:
        service = call(
            site, "create the service", identity.create_service,
            type=SERVICE_TYPE, name="multisite", description=DESCRIPTION,
        )  # fmt: skip
        yield f"created service {SERVICE_TYPE} ({service.id})"
    for interface in interfaces:
        yield _endpoint(site, service.id, interface, region, url.rstrip("/"))


def _endpoint(site: Any, service_id: str, interface: str, region: str, url: str) -> str:
    identity = site.identity
    found = call(
        site,
        "find the endpoint",
        lambda: [
            e for e in identity.endpoints(service_id=service_id, interface=interface) if e.region_id == region
        ],
    )
    if not found:
        call(
            site, "create the endpoint", identity.create_endpoint,
            service_id=service_id, interface=interface, region_id=region, url=url,
        )  # fmt: skip
        return f"created {interface} endpoint {url} in {region}"
    if found[0].url == url:
        return f"{interface} endpoint {url} in {region} is there"
    call(site, "change the endpoint", identity.update_endpoint, found[0], url=url)
    return f"changed {interface} endpoint in {region} from {found[0].url} to {url}"


def _first(items: Any) -> Any:
    return next(iter(items), None)
