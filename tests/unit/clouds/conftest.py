"""A cloud that exists only in requests-mock: Keystone, a catalog, version documents, and what a test adds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from multisite.clouds.connect import CloudSite, open_site

HOST = "http://west.example"
KEYSTONE = f"{HOST}/identity"
SERVICES = {
    "compute": (f"{HOST}/compute/v2.1", "2.1", "2.96"),
    "block-storage": (f"{HOST}/volume/v3/p1", "3.0", "3.71"),
    "network": (f"{HOST}/network", None, None),
    "image": (f"{HOST}/image", None, None),
    "identity": (KEYSTONE, None, None),
}
CLOUDS_YAML = f"""
clouds:
  west:
    region_name: West
    auth:
      auth_url: {KEYSTONE}
      username: operator
      password: secret-word
      project_name: vnf
      user_domain_name: Default
      project_domain_name: Default
  broken:
    auth: {{}}
"""


class FakeCloud:
    """``json("GET", "compute", "/servers", {...})`` adds an answer; ``mock`` is requests-mock itself."""

    def __init__(self, mock: requests_mock.Mocker) -> None:
        self.mock = mock
        self.roles = ["admin", "member"]
        self.missing: set[str] = set()
        mock.get(KEYSTONE, json=self._keystone_versions, status_code=300)
        mock.get(f"{KEYSTONE}/v3", json={"version": self._keystone_versions()["versions"]["values"][0]})
        mock.post(
            f"{KEYSTONE}/v3/auth/tokens",
            json=self._token,
            status_code=201,
            headers={"X-Subject-Token": "token-1", "x-openstack-request-id": "req-login"},
        )
        self._versions("compute", f"{HOST}/compute", "v2.1")
        self._versions("block-storage", f"{HOST}/volume", "v3")
        self._versions("network", f"{HOST}/network", "v2.0")
        self._versions("image", f"{HOST}/image", "v2")

    def json(
        self, method: str, service: str, path: str, body: Any = None, status: int = 200, **more: Any
    ) -> Any:
        return self.mock.register_uri(
            method, f"{self.base(service)}{path}", json=body, status_code=status, **more
        )

    def base(self, service: str) -> str:
        if service == "identity":
            return f"{KEYSTONE}/v3"
        return SERVICES[service][0] + {"network": "/v2.0", "image": "/v2"}.get(service, "")

    def sent(self, method: str, path: str) -> list[Any]:
        return [r for r in self.mock.request_history if r.method == method and r.path.endswith(path)]

    def _versions(self, service: str, root: str, version: str) -> None:
        _, low, high = SERVICES[service]
        document = {
            "id": version,
            "status": "CURRENT",
            "min_version": low or "",
            "version": high or "",
            "links": [{"rel": "self", "href": f"{root}/{version}/"}],
        }
        self.mock.get(f"{root}/", json={"versions": [document]})
        self.mock.get(root, json={"versions": [document]})
        self.mock.get(f"{root}/{version}/", json={"version": document})
        self.mock.get(f"{root}/{version}", json={"version": document})
        if service == "block-storage":
            self.mock.get(f"{root}/{version}/p1", status_code=401, json={"error": {"message": "login"}})

    @staticmethod
    def _keystone_versions(*_: Any) -> dict[str, Any]:
        link = [{"rel": "self", "href": f"{KEYSTONE}/v3/"}]
        return {"versions": {"values": [{"id": "v3.14", "status": "stable", "links": link}]}}

    def _token(self, *_: Any) -> dict[str, Any]:
        catalog = [
            {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"interface": "public", "region": "West", "region_id": "West", "url": url, "id": kind}
                ],
            }
            for kind, (url, _low, _high) in SERVICES.items()
            if kind not in self.missing
        ]
        return {
            "token": {
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2024-01-01T00:00:00.000000Z",
                "methods": ["password"],
                "user": {"id": "u1", "name": "operator", "domain": {"id": "default", "name": "Default"}},
                "project": {"id": "p1", "name": "vnf", "domain": {"id": "default", "name": "Default"}},
                "roles": [{"id": name, "name": name} for name in self.roles],
                "catalog": catalog,
            }
        }


@pytest.fixture
def fake() -> Iterator[FakeCloud]:
    with requests_mock.Mocker() as mock:
        yield FakeCloud(mock)


@pytest.fixture
def clouds_yaml(tmp_path: Path) -> Path:
    path = tmp_path / "clouds.yaml"
    path.write_text(CLOUDS_YAML)
    return path


@pytest.fixture
def site(fake: FakeCloud, clouds_yaml: Path) -> CloudSite:
    return open_site("west", "west", clouds_yaml)
