"""One star over three sites for all tests of it; the network, and what runs in it, are gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from identity import nodes
from identity.stage import Stage, deployed

from multisite_lab import install

PACKAGES = (
    "mariadb-server",
    "galera-4",
    "galera-arbitrator-4",
    "haproxy",
    "memcached",
    "rsync",
    "iproute2",
    "util-linux",
)
STAR = """
version: 1
name: three
form: star
entry: http://10.91.0.5:5000/v3
arbitrator: {address: 10.91.3.4, site: site3}
sites:
  - name: site1
    region: RegionOne
    role: master
    address: 10.91.1.10
    memcached: ["10.91.1.10:11211"]
    databases: [{address: 10.91.1.11}]
    keys: {transport: directory}
  - name: site2
    region: RegionTwo
    role: master
    address: 10.91.2.10
    memcached: ["10.91.2.10:11211"]
    databases: [{address: 10.91.2.11}]
    keys: {transport: directory}
  - name: site3
    region: RegionThree
    role: replica
    address: 10.91.3.10
    memcached: ["10.91.3.10:11211"]
    databases:
      - {address: 10.91.3.11, follows: site1}
      - {address: 10.91.3.12, follows: site2}
    keys: {transport: directory}
"""


@pytest.fixture(scope="session")
def guardian() -> Iterator[nodes.Guardian]:
    install.ensure(print)
    install.ensure_packages(*PACKAGES, progress=print)
    nodes.own_network()
    guardian = nodes.Guardian()
    yield guardian
    guardian.end()


@pytest.fixture(scope="session")
def star(guardian: nodes.Guardian) -> Iterator[Stage]:
    with deployed(STAR, guardian) as stage:
        yield stage
