"""What ``openstack`` asks of a plugin: the API's name, its options, its client."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from osc_lib import exceptions, utils

from multisite_client import MICROVERSION, SERVICE_TYPE, versioned

if TYPE_CHECKING:
    from multisite_client.proxy import Proxy

API_NAME = "multisite"
API_VERSION_OPTION = "os_multisite_api_version"
API_VERSIONS = ("1",)
DEFAULT_API_VERSION = "1"


def make_client(instance: Any) -> Proxy:
    """A client for the endpoint the operator names, or else the catalog's; logs in, nothing more."""
    from multisite_client.proxy import Proxy

    endpoint = _endpoint(instance)
    if not endpoint:
        raise exceptions.CommandError(
            "multisite: the catalog of this cloud has no service 'multisite': log in to the site it lives in,"
            " or name its URL (--os-multisite-endpoint, OS_MULTISITE_ENDPOINT)"
        )
    return Proxy(
        session=instance.sdk_connection.session,
        service_type=SERVICE_TYPE,
        endpoint_override=versioned(endpoint),
        default_microversion=MICROVERSION,
    )


def _endpoint(instance: Any) -> str | None:
    from keystoneauth1.exceptions import CatalogException

    # The cloud's configuration holds our option too: osc-lib merges options into it.
    if override := instance._cli_options.get_endpoint(SERVICE_TYPE):
        return str(override)
    try:
        found: str | None = instance.get_endpoint_for_service_type(
            SERVICE_TYPE, region_name=instance.region_name, interface=instance.interface
        )
    except CatalogException:
        return None
    return found


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the plugin's global options."""
    parser.add_argument(
        "--os-multisite-api-version",
        metavar="<multisite-api-version>",
        default=utils.env("OS_MULTISITE_API_VERSION"),
        help=f"Multisite API version, default={DEFAULT_API_VERSION} (Env: OS_MULTISITE_API_VERSION)",
    )
    parser.add_argument(
        "--os-multisite-endpoint",
        metavar="<multisite-endpoint>",
        default=utils.env("OS_MULTISITE_ENDPOINT"),
        help="URL of the Multisite service instead of the catalog's (Env: OS_MULTISITE_ENDPOINT)",
    )
    return parser
