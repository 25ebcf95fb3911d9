"""Options of ``network stretch``, and the request they make."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import refs


def add_order(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", metavar="<name>", help="Name of the network, in every site where it is made")
    parser.add_argument(
        "--site",
        action="append",
        required=True,
        metavar="<site>",
        dest="sites",
        help="A site (repeatable, two or more)",
    )
    parser.add_argument("--cidr", metavar="<cidr>", help="Addresses; needed unless a network is adopted")
    parser.add_argument("--kind", choices=["vxlan", "vlan", "flat"], help="Default: vxlan, by remote ports")
    parser.add_argument(
        "--segment", type=int, metavar="<number>", help="VNI or VLAN (default: one that is free in all)"
    )
    parser.add_argument("--mtu", type=int, metavar="<bytes>", help="Default: the smallest of the sites'")
    _pairs(parser, "--adopt", "<site>=<network>", "Use an existing network of the site")
    _pairs(parser, "--pool", "<site>=<first>-<last>", "Allocation pool of this site (default: equal parts)")
    _pairs(parser, "--physical-network", "<site>=<name>", "Physical network there (kinds vlan and flat)")
    parser.add_argument(
        "--gateway", metavar="none|each|<site>",
        help="None (default), each site's own router with an address of its own, or one site's router for all",
    )  # fmt: skip
    parser.add_argument(
        "--dhcp", metavar="everywhere|none|<site>", help="Who serves DHCP (default: each site its own guests)"
    )
    parser.add_argument(
        "--remote-groups", choices=["same-names", "none"],
        help="Security groups of remote ports: those with the names of the real port's (default), or none",
    )  # fmt: skip
    parser.add_argument(
        "--no-port-security", action="store_true", help="Disable port security in the network"
    )
    return parser


def order_of(client: Any, parsed: argparse.Namespace) -> dict[str, Any]:
    """The body of the request: only what was given."""
    order: dict[str, Any] = {"name": parsed.name, "sites": [refs.site(client, site) for site in parsed.sites]}
    for name in ("cidr", "kind", "segment", "mtu", "dhcp", "remote_groups"):
        if (value := getattr(parsed, name)) is not None:
            order[name] = value
    if parsed.gateway in ("none", "each"):
        order["gateway"] = parsed.gateway
    elif parsed.gateway is not None:
        order |= {"gateway": "site", "gateway_site": refs.site(client, parsed.gateway)}
    if parsed.no_port_security:
        order["port_security"] = False
    maps = (("adopt", "adopt"), ("physical_network", "physical_networks"))
    order |= {
        field: dict(_pair(t) for t in getattr(parsed, name)) for name, field in maps if getattr(parsed, name)
    }
    if parsed.pool:
        order["pools"] = {site: _pool(text) for site, text in map(_pair, parsed.pool)}
    return order


def _pairs(parser: argparse.ArgumentParser, option: str, metavar: str, text: str) -> None:
    parser.add_argument(option, action="append", default=[], metavar=metavar, help=f"{text} (repeatable)")


def _pair(text: str) -> tuple[str, str]:
    site, _, value = text.partition("=")
    if not site or not value:
        raise CommandError(f"{text}: must be <site>=<value>")
    return site, value


def _pool(text: str) -> dict[str, str]:
    first, _, last = text.partition("-")
    if not first or not last:
        raise CommandError(f"--pool {text}: must be <site>=<first address>-<last address>")
    return {"first": first, "last": last}
