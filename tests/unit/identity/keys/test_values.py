"""What an operator or a site says to the key service: shown and run as what it is, or refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from multisite.command.keys.service import program
from multisite.domain.errors import Invalid
from multisite.identity.keys import actions
from multisite.identity.keys.transport.directory import open_directory
from multisite.identity.keys.transport.model import Facts, SiteProblem, known_names
from tests.unit.identity.keys.little_sites import Clock, World, started


@pytest.mark.parametrize("reason", ["x\ny", "x\x1b[2J", "x\u2028y", "x\u202ey", "x\0", "x" * 300])
def test_a_reason_is_one_line(tmp_path: Path, reason: str) -> None:
    keys = started(World(), Clock(), tmp_path / "k", ("paris",))
    with pytest.raises(Invalid, match=r"^reason: .* is not one line") as caught:
        actions.hold(keys, reason)
    assert str(caught.value).isprintable()
    assert actions.hold(keys, "Störung 東京 <b> `id`").held == "Störung 東京 <b> `id`"


@pytest.mark.parametrize("value", ["x 'y", "x \0", "x 'a\nb'", "x \x1b[2J", "''", " ", "x \u2028"])
def test_a_program_that_is_none_is_refused_by_its_option(value: str) -> None:
    with pytest.raises(Invalid, match=r"^\[identity_keys\] alarm_hook: "):
        program("alarm_hook", value)


def test_a_program_gets_its_arguments_as_they_are() -> None:
    assert program("alarm_hook", "/usr/bin/x 'a; id' $(id) \"é\"") == ("/usr/bin/x", "a; id", "$(id)", "é")
    assert program("alarm_hook", None) == program("alarm_hook", "") == ()


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "x\x1b[2J", "x\ny", "x\u202ey", "\udcff", ""])
def test_a_sites_file_names_are_names(name: str) -> None:
    with pytest.raises(SiteProblem, match="is no name of a key: move that file away") as caught:
        known_names("/keys", {name: Facts(0o600, 0, 0)})
    assert str(caught.value).isascii()
    assert known_names("/keys", {"paris.pem": Facts(0o600, 0, 0)})


def test_a_folder_with_such_a_name_is_a_sites_problem(tmp_path: Path) -> None:
    (tmp_path / "0\x1b[2J").touch()

    async def names() -> object:
        async with open_directory(str(tmp_path)) as files:
            return await files.names(str(tmp_path))

    with pytest.raises(SiteProblem, match=r"'0\\x1b\[2J' is no name of a key"):
        asyncio.run(names())
