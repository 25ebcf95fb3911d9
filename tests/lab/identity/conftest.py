"""Every test begins with three sites that run, are linked and in step; it is brought back to that first if need be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from real_identity import SITES, Service, admin_token, home, in_step, running_service, until, url, validate

from multisite_lab import form, sites
from multisite_lab.star import layout


@pytest.fixture(autouse=True)
def whole_again() -> None:
    """All alive, no link cut or long, both threads of both copies running, one GTID position everywhere."""
    if not form.shared():
        pytest.exit("these tests need `multisite-lab up --identity star --only-identity`", returncode=3)
    for site in SITES:
        sites.reconnect(site)
    for site in [site for site in SITES if not sites.is_alive(site)]:
        sites.start(site)
    for node in [node for node in layout.NODES if node.follows]:
        home(node)
    until(in_step, "the databases in step", 120)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    """A service in each site, configured as the site's own."""
    folder: Path = tmp_path_factory.mktemp("services")
    with ExitStack() as stack:
        yield {site: stack.enter_context(running_service(folder, site)) for site in SITES}


@pytest.fixture
def admin() -> str:
    """A token of the administrator that every Keystone takes."""
    found = admin_token()
    for site in SITES:
        until(lambda site=site: validate(url(site), found) == 200, f"administrator's token at {site}", 30)
    return found
