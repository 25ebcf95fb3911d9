"""Registering twice makes one service and one endpoint per interface."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from multisite.command import catalog
from multisite.domain.errors import Invalid


class Identity:
    def __init__(self) -> None:
        self.service_list: list[Any] = []
        self.endpoint_list: list[Any] = []

    def services(self, type: str) -> list[Any]:
        return [s for s in self.service_list if s.type == type]

    def create_service(self, **values: Any) -> Any:
        self.service_list.append(SimpleNamespace(id="s-1", **values))
        return self.service_list[-1]

    def endpoints(self, service_id: str, interface: str) -> list[Any]:
        return [e for e in self.endpoint_list if (e.service_id, e.interface) == (service_id, interface)]

    def create_endpoint(self, **values: Any) -> Any:
        self.endpoint_list.append(SimpleNamespace(**values))

    def update_endpoint(self, endpoint: Any, url: str) -> None:
        endpoint.url = url


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Identity:
    found = Identity()
    site = SimpleNamespace(name="lyon", region="RegionTwo", identity=found, login_refused=False)
    monkeypatch.setattr(catalog, "open_site", lambda name, cloud, file: site)
    return found


def register(url: str = "http://m:8788/v1", region: str | None = None) -> list[str]:
    return list(catalog.register("clouds.yaml", "lyon", url, region, ("public", "internal")))


def test_registering_is_idempotent(identity: Identity) -> None:
    assert len(register()) == 3
    assert [line.split(" ", 1)[1] for line in register()] == [
        "endpoint http://m:8788/v1 in RegionTwo is there",
        "endpoint http://m:8788/v1 in RegionTwo is there",
    ]
    assert len(identity.service_list) == 1
    assert len(identity.endpoint_list) == 2


def test_a_service_that_moved_is_changed(identity: Identity) -> None:
    register()
    assert "changed public endpoint" in register("http://new:8788/v1/")[0]
    assert {e.url for e in identity.endpoint_list} == {"http://new:8788/v1"}


def test_another_region_gets_its_own(identity: Identity) -> None:
    register()
    register(region="RegionThree")
    assert {e.region_id for e in identity.endpoint_list} == {"RegionTwo", "RegionThree"}


@pytest.mark.usefixtures("identity")
def test_an_url_must_be_one() -> None:
    with pytest.raises(Invalid, match="url"):
        register("m:8788")
