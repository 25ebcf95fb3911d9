"""The watchdog's file: a mistake is named by its field, a password never."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from identity.test_injection import changed, strings
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
        ({"times": {"pause": float("inf")}}, r"times\.pause"),
        ({"x\x1b[2J": 1}, r"^'x\\x1b\[2J': "),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        load(tmp_path, **changes)


HOSTILE = (
    "x\nset server database/b state maint", "a/b; shutdown", "a/b c", "x\0", "x\x1b[2J", "x\u2028y", "x\x85y",
    "x\u202ey", "../../x", "-x", "#x", "x' OR '1", "$(id)", "`id`", "%s", "x" * 5000, "", " ",
)  # fmt: skip


def test_no_value_reaches_a_command_or_a_path_as_something_else(tmp_path: Path) -> None:
    good = GOOD | {"proxy": {"socket": "/run/x.sock", "local": ["identity_read/a"]}, "beats_at": "site1"}
    tried = 0
    for path in strings(good):
        for value in HOSTILE:
            with pytest.raises(Invalid) as caught:
                load(tmp_path, **changed(good, path, value))
            assert str(caught.value).isprintable()
            assert str(caught.value).startswith(".".join(map(str, path))) or ".home: " in str(caught.value)
            tried += 1
    assert tried > 200


@pytest.mark.parametrize("password", ["", " \n", "two\nlines", "x\x1b", "x\0y", "x\u2028y", b"\xff\xfe"])
def test_a_password_is_one_line_of_text_and_never_shown(tmp_path: Path, password: str | bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(password if isinstance(password, bytes) else password.encode())
    with pytest.raises(Invalid) as caught:
        load(tmp_path, password_file=str(secret)).password()
    assert "is not one line of text" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("data", [b"\xff", b"[" * 100_000, b"{"])
def test_a_file_that_is_no_json_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "watchdog.json").write_bytes(data)
    with pytest.raises(Invalid, match=r"watchdog\.json is not"):
        settings.load(tmp_path / "watchdog.json")


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
