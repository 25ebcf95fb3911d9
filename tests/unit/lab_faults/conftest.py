"""A little cloud, a proxy before it, and a site of the service opened through the proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab_faults.little_cloud import LittleCloud, little_cloud
from multisite.clouds.connect import CloudSite, open_site
from multisite_lab.faults.thread import FaultProxy

CLOUDS = """
clouds:
  west:
    region_name: West
    auth: {{auth_url: "{url}/v3", username: operator, password: secret-word, project_name: vnf,
            user_domain_name: Default, project_domain_name: Default}}
"""


@pytest.fixture
def cloud() -> Iterator[LittleCloud]:
    with little_cloud() as found:
        yield found


@pytest.fixture
def proxy(cloud: LittleCloud, tmp_path: Path) -> Iterator[FaultProxy]:
    services = {name: f"{cloud.url}/{path}" for name, path in
                {"keystone": "identity", "nova": "compute", "glance": "image"}.items()}  # fmt: skip
    with FaultProxy("west", services, log=tmp_path / "requests.jsonl") as found:
        yield found


@pytest.fixture
def site(proxy: FaultProxy, tmp_path: Path) -> CloudSite:
    """Logged in, its compute service found; answers may take a second."""
    file = tmp_path / "clouds.yaml"
    file.write_text(CLOUDS.format(url=proxy.url("keystone")))
    found = open_site("west", "west", file, timeout=1.0)
    assert found.compute is not None
    return found
