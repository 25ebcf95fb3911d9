"""The Swift of Ceph's gateway does not keep to conditions: it must not be taken for a store."""

from __future__ import annotations

from pathlib import Path

import pytest
from stores.samples import NAME

from multisite.recovery.stores.base import StoreUnavailable
from multisite.recovery.stores.swift import Container, SwiftStore


def test_a_swift_that_writes_over_what_is_there_is_refused(clouds: Path) -> None:
    store = SwiftStore(Container(NAME, "store", clouds, "refused"))
    with pytest.raises(StoreUnavailable, match="writes over what is there although it was told not to"):
        store.initialize()


def test_a_login_that_is_refused_is_said_to_be(clouds: Path) -> None:
    store = SwiftStore(Container(NAME, "wrong", clouds, "refused"))
    with pytest.raises(StoreUnavailable, match="login refused"):
        store.initialize()
