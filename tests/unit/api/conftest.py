"""The application over its services, and clients that carry identity headers as keystonemiddleware would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from api.setup import MINE, Services
from multisite.api.app import create_app
from multisite.domain.audit import AuditKind, AuditRecord

Persona = Callable[..., dict[str, str]]


@pytest.fixture
def services() -> Iterator[Services]:
    found = Services()
    yield found
    found.close()


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    found = cfg.ConfigOpts()
    found([], default_config_files=[])
    return found


KEYSTONE = """
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:9
auth_url = http://127.0.0.1:9
auth_type = password
username = multisite
password = swordfish
project_name = service
user_domain_name = Default
project_domain_name = Default
"""


@pytest.fixture
def keystone_conf(tmp_path: Path) -> cfg.ConfigOpts:
    """Names a Keystone at a port where nobody listens: what a lost one looks like."""
    file = tmp_path / "multisite.conf"
    file.write_text(KEYSTONE)
    found = cfg.ConfigOpts()
    found([], default_config_files=[str(file)])
    return found


@pytest.fixture
def client(services: Services, conf: cfg.ConfigOpts) -> FlaskClient:
    return create_app(services, conf, auth=False).test_client()


def persona(roles: str, project: str | None = MINE, user: str = "u-1") -> dict[str, str]:
    headers = {"X-User-Id": user, "X-User-Name": "olga", "X-Roles": roles}
    if project is not None:
        headers |= {"X-Project-Id": project, "X-Project-Name": "vnf", "X-Project-Domain-Name": "Default"}
    return headers


MEMBER = persona("member,reader")
READER = persona("reader")
ADMIN = persona("admin,member,reader")
NOBODY = persona("")


def asked(services: Services) -> list[AuditRecord]:
    """What came through the API, in its order (there are two records of jobs besides)."""
    return [record for record in services.audit.list()[::-1] if record.kind is AuditKind.API]
