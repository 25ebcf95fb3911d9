"""The watchdog's file: a mistake is named by its field, a password never."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.identity.watchdog import act, settings

GOOD: dict[str, Any] = {
    "account": "watch",
    "password_file": "/nowhere/secret",
    "masters": [{"site": "site1", "address": "192.0.2.1"}, {"site": "site2", "address": "192.0.2.2"}],
    "replicas": [{"name": "a", "address": "192.0.2.3", "home": "site1", "servers": ["database/a"]}],
}


def load(folder: Path, **changes: Any) -> settings.Settings:
    path = folder / "watchdog.json"
    path.write_text(json.dumps(GOOD | changes))
    return settings.load(path)


def test_a_good_file(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.times.stale_after == 3
    assert found.master("site2").port == 3306


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"masters": []}, "masters"),
        ({"master": 1}, "master"),
        ({"times": {"every": 0}}, r"times\.every"),
        (
            {"replicas": [{"name": "a", "address": "x", "home": "site9"}]},
            r"replicas\.a\.home: 'site9'.*site1, site2",
        ),
        ({"beats_at": "site9"}, "beats_at"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        load(tmp_path, **changes)


def test_a_secret_that_cannot_be_read_is_said_and_one_that_can_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"password_file: .*No such file"):
        load(tmp_path).password()
    (tmp_path / "secret").write_text("hush-hush\n")
    found = load(tmp_path, password_file=str(tmp_path / "secret"))
    assert found.password().get_secret_value() == "hush-hush"
    assert "hush" not in f"{found!r} {found.password()}"


def test_a_proxy_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(act.ProxyError, match=r"haproxy\.sock"):
        act.servers(tmp_path / "haproxy.sock")
