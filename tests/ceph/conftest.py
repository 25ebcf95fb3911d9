"""Both clusters for all tests; the network, and what runs in it, are gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multisite.clouds.mirror import rbd
from multisite_lab import install
from tests.ceph import clusters
from tests.ceph.clusters import Cluster
from tests.identity import nodes


@pytest.fixture(scope="session")
def both() -> Iterator[tuple[Cluster, Cluster]]:
    install.ensure_packages(*clusters.PACKAGES, progress=print)
    nodes.own_network()
    nodes.addresses(clusters.NAMES.values())
    # What is proven here is not how fast a busy machine is.
    rbd.READ_SECONDS = rbd.CHANGE_SECONDS = clusters.PATIENCE
    with clusters.two() as made:
        yield made


@pytest.fixture
def paris(both: tuple[Cluster, Cluster]) -> Cluster:
    return both[0]


@pytest.fixture
def lyon(both: tuple[Cluster, Cluster]) -> Cluster:
    return both[1]
