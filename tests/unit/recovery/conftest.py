"""Simulated sites for the tests of protecting, begun anew for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multisite.recovery.methods.cinder_backups import making
from multisite.recovery.methods.consistent_backup import capture, window
from tests.unit import simulated
from tests.unit.recovery.demo_site import DemoSites


@pytest.fixture(scope="session")
def demo_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSites]:
    made = DemoSites(tmp_path_factory.mktemp("demo"))
    yield made
    made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and patience of the service in fractions of a second."""
    simulated.quick(monkeypatch)
    monkeypatch.setattr(window, "GRACE", 0.05)
    monkeypatch.setattr(window, "AGAIN", 0.01)
    monkeypatch.setattr(capture, "THAW_SECONDS", 0.2)
    monkeypatch.setattr(capture, "POLL", 0.002)
    for module in (capture, making):
        monkeypatch.setattr(module, "SEARCH_AGAIN_SECONDS", 0.0)
