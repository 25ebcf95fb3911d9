"""openstacksdk client of the service (``service`` describes it to a Connection)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openstack.service_description import ServiceDescription

    from multisite_client.proxy import Proxy

SERVICE_TYPE = "multisite"
MICROVERSION = "1.0"


def service() -> ServiceDescription[Proxy]:
    """For ``Connection(extra_services=[service()])`` or ``conn.add_service(service())``."""
    from openstack.service_description import ServiceDescription

    from multisite_client.proxy import Proxy

    return ServiceDescription(SERVICE_TYPE, supported_versions={"1": Proxy})


def versioned(endpoint: str) -> str:
    """The URL of the API's version 1 from what a catalog or an operator gave, with or without ``/v1``."""
    url = endpoint.rstrip("/")
    return url if url.endswith("/v1") else f"{url}/v1"
