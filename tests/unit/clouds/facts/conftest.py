"""The application every test reads, a new one each time."""

from __future__ import annotations

import copy

import pytest

from tests.unit.clouds.facts.vnf import Vnf


@pytest.fixture
def vnf() -> Vnf:
    return copy.deepcopy(Vnf())
