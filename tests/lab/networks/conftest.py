"""Connections to the sites of the form made for networks, and what most of these tests need in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from real_networks import Edge, Guest, boot, connect, make_edge, remove

from multisite_lab import form, sites
from multisite_lab.manager import Manager, running


@pytest.fixture(scope="session", autouse=True)
def form_of_the_lab() -> None:
    """These tests need two compute hosts at each site, routers and a third site."""
    have = form.current()
    if not (have.compute_hosts > 1 and have.l3 and have.third):
        pytest.exit(f"the lab is `up {have}`: multisite-lab up --compute-hosts 2 --l3 --third", returncode=3)


@pytest.fixture(autouse=True)
def all_hosts_alive() -> Iterator[None]:
    """A test that lost a host, or failed while it was lost, leaves the next one a whole lab."""
    yield
    for site in form.sites():
        if sites.is_alive(site):
            for host in sites.hosts(site)[1:]:
                if not sites.is_alive(site, host):
                    sites.start_host(site, host)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """A service whose account is an administrator of the project: Neutron lets no member choose an address."""
    with running(tmp_path_factory.mktemp("manager")) as manager:
        for site in ("site1", "site2"):
            manager.register(site, cloud=site)
        yield manager


@pytest.fixture(scope="session")
def clouds() -> Iterator[dict[str, Any]]:
    """Site with power -> connection of its operator; what the tests made there is removed before and after."""
    found = {site: connect(site) for site in form.sites() if sites.is_alive(site)}
    for cloud in found.values():
        remove(cloud)
    yield found
    for site, cloud in found.items():
        if sites.is_alive(site):
            remove(cloud)


@pytest.fixture(scope="session")
def cloud(clouds: dict[str, Any]) -> Any:
    """Site 1, where the tests of one site are done."""
    return clouds["site1"]


@pytest.fixture(scope="session")
def edge(cloud: Any) -> Edge:
    """A network of site 1 with a router to the outside."""
    return make_edge(cloud, "10.71.1.0/24")


@pytest.fixture(scope="session")
def boot_at(clouds: dict[str, Any]) -> Callable[..., Guest]:
    """``boot_at(site, host, network, groups, name=...)``: one more guest; it is removed at the end of the session."""

    def at(site: str, host: str, network: str, groups: list[str], **more: Any) -> Guest:
        return boot(site, clouds[site], network, groups, host, **more)

    return at


@pytest.fixture(scope="session")
def guest(edge: Edge, boot_at: Callable[..., Guest]) -> Guest:
    """A guest of site 1 behind that router, at the site's second host to begin with."""
    return boot_at("site1", sites.hosts("site1")[1], edge.network, [edge.group])


@pytest.fixture(scope="session")
def public_address(edge: Edge, guest: Guest) -> str:
    """The guest's floating IP."""
    return str(edge.floating_ip(guest.port).floating_ip_address)
