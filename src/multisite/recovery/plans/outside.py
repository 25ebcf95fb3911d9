"""What Multisite may reach for recovery plans, which tenants write: nothing but what its configuration says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from multisite.domain.errors import Invalid
from multisite.recovery.dns.zones import Zone, zones

GATE_NETWORKS = "[recovery_plans] gate_networks"
HOOK_URLS = "[recovery_plans] hook_urls"
HOOK_FOLDER = "[recovery_plans] hook_folder"
COMMAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Outside:
    """``gate_networks``: of addresses that gates of kind port may connect to.

    A tenant chooses the addresses of its servers: in a network that is not listed such a gate would tell which
    ports of the service's own surroundings are open.  ``hook_urls``: origins (scheme, host, port) that hooks may ask;
    ``hook_folder``: of the programs they may run; ``hook_ca_file``: who may sign the certificates of the origins.
    ``dns``: by name the zones that records may be updated in, each by the plans of some projects.
    """

    gate_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hook_urls: frozenset[str] = frozenset()
    hook_folder: Path | None = None
    hook_ca_file: str | None = None
    dns: Mapping[str, Zone] = field(default_factory=dict)

    def may_connect(self, address: str) -> bool:
        """False also for what is no address."""
        try:
            wanted = ip_address(address)
        except ValueError:
            return False
        return any(wanted in network for network in self.gate_networks)

    def may_ask(self, url: str) -> bool:
        """Whether the URL's origin is listed, as a whole: no part of a name, no other port."""
        try:
            return origin(url, "url") in self.hook_urls
        except Invalid:
            return False

    def commands(self) -> frozenset[str]:
        """Names of the programs there are now."""
        if self.hook_folder is None:
            return frozenset()
        try:
            return frozenset(file.name for file in self.hook_folder.iterdir() if COMMAND.fullmatch(file.name))
        except OSError:
            return frozenset()


NOTHING = Outside()


def origin(url: str, where: str) -> str:
    """Scheme, host and port of an http or https URL.  Raises Invalid naming ``where``."""
    try:
        parts = urlsplit(url)
        usual = {"http": 80, "https": 443}[parts.scheme]
        port = usual if parts.port is None else parts.port
    except (ValueError, KeyError):
        raise Invalid(f"{where}: must be an http or https URL") from None
    plain = re.fullmatch(r"[\x21-\x7e]+", url) and "\\" not in url
    if not parts.hostname or parts.username is not None or parts.password is not None or not plain:
        raise Invalid(f"{where}: must have a host, no user and no password, and only printable ASCII")
    return f"{parts.scheme}://{parts.hostname.rstrip('.')}:{port}"


def outside(
    gate_networks: Iterable[str] = (),
    hook_urls: Iterable[str] = (),
    hook_folder: str | None = None,
    hook_ca_file: str | None = None,
    dns_zones: Iterable[str] = (),
    dns_keys: str | None = None,
) -> Outside:
    """Of the configuration's words.  Raises Invalid naming the option."""
    try:
        networks = tuple(ip_network(text) for text in gate_networks)
    except ValueError as error:
        raise Invalid(f"{GATE_NETWORKS}: {error}: give networks such as 203.0.113.0/24") from error
    origins = frozenset(origin(text, HOOK_URLS) for text in hook_urls)
    folder = Path(hook_folder) if hook_folder else None
    return Outside(networks, origins, folder, hook_ca_file, zones(dns_zones, dns_keys))
