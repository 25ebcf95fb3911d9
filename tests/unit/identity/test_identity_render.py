"""What is rendered of every example, whole; MULTISITE_WRITE_GOLDEN=1 writes it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from multisite.domain.errors import Invalid
from multisite.identity import secrets
from multisite.identity.render import everything, names, services, sqlcheck
from multisite.identity.render.model import File
from multisite.identity.topology import file as topology_file

EXAMPLES = sorted((Path(__file__).parents[3] / "docs/examples/identity").glob("*.yaml"))
GOLDEN = Path(__file__).with_name("golden")
PASSWORDS = {name: f"secret-of-{name}" for name in secrets.NAMES}


def known(folder: Path) -> secrets.Secrets:
    path = folder / "secrets.yaml"
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}: {value}\n" for name, value in PASSWORDS.items()))
    return secrets.read(path)


def as_text(files: tuple[File, ...]) -> str:
    return "".join(f"=== {file.name} {file.mode:o}\n{file.text}" for file in files)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_rendering_is_as_it_was(path: Path) -> None:
    made = as_text(everything.files(topology_file.read(path)))
    golden = GOLDEN / f"{path.stem}.txt"
    if os.environ.get("MULTISITE_WRITE_GOLDEN"):
        golden.write_text(made)
    assert made == golden.read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_passwords_are_in_secret_files_only(path: Path, tmp_path: Path) -> None:
    files = everything.files(topology_file.read(path), known(tmp_path))
    holding = {file.name for file in files if any(value in file.text for value in PASSWORDS.values())}
    assert holding == {file.name for file in files if file.secret}
    assert {file.mode for file in files if file.secret} == {0o600}
    assert not any("REPLACE_WITH" in file.text for file in files)
    assert not any(value in repr(files) for value in PASSWORDS.values())


def test_the_administrators_password_is_nowhere(tmp_path: Path) -> None:
    for path in EXAMPLES:
        assert PASSWORDS["admin"] not in as_text(everything.files(topology_file.read(path), known(tmp_path)))


def test_names_of_files_are_all_different() -> None:
    for path in EXAMPLES:
        files = [file.name for file in everything.files(topology_file.read(path))]
        assert len(files) == len(set(files))


def test_a_site_with_several_databases_goes_through_its_door() -> None:
    star = topology_file.read(next(path for path in EXAMPLES if path.stem == "star"))
    assert names.database_address(star.site("oslo")) == ("127.0.0.1", names.LOCAL_DATABASE_PORT)
    assert names.database_address(star.site("paris")) == ("192.0.2.11", 3306)


def test_replicas_of_one_site_follow_different_databases_of_a_master_site() -> None:
    multi = topology_file.read(next(path for path in EXAMPLES if path.stem == "multi-cluster"))
    sources = [store.source.address for store in names.stores(multi, multi.site("bergen")) if store.source]
    assert sources == ["192.0.2.11", "192.0.2.12"]


def test_internal_endpoints_are_the_regions_own_and_people_use_the_entry() -> None:
    star = topology_file.read(next(path for path in EXAMPLES if path.stem == "star"))
    internal = {e.region: e.url for e in services.endpoints(star) if e.interface == "internal"}
    assert internal == {site.region: site.url for site in star.sites}
    assert {e.url for e in services.endpoints(star) if e.interface != "internal"} == {star.entry}


def test_the_bytes_of_the_database_check() -> None:
    login = bytes.fromhex(sqlcheck.login("someone"))
    assert int.from_bytes(login[:3], "little") == len(login) - 4
    assert login[3] == 1
    flags, _, charset = struct.unpack("<IIB", login[4:13])
    assert flags & 0x0200
    assert charset == 45
    assert login[13:36] == bytes(23)
    assert login[36:] == b"someone\0\0mysql_native_password\0"
    assert bytes.fromhex(sqlcheck.question("wsrep_ready"))[4:] == b"\x03SHOW GLOBAL STATUS LIKE 'wsrep_ready'"
    assert bytes.fromhex(sqlcheck.answer("wsrep_ready", "ON")) == b"\x0bwsrep_ready\x02ON"


# --- passwords


def test_passwords_do_not_print(tmp_path: Path) -> None:
    found = known(tmp_path)
    assert not any(value in f"{found!r} {found}" for value in PASSWORDS.values())


@pytest.mark.parametrize(
    ("mode", "text", "message"),
    [
        (0o640, "", "others may read it: chmod 600"),
        (0o600, "just-words", "is no mapping"),
        (0o600, "database: [unclosed-hidden", "is not YAML"),
        (0o600, "database: sh0rt", "database: give 8 to 128 letters"),
        (0o600, "database: with'quote-hidden", "database: give 8 to 128 letters"),
        (0o600, "other: something-hidden", "other: is no password we know"),
        (0o600, "", "is no mapping"),
        (0o600, 'database: "hidden\\nadmin_token = x"', "database: give 8 to 128 letters"),
        (0o600, 'database: "hidden-hidden\\n"', "database: give 8 to 128 letters"),
        (0o600, 'database: "hidden\\0hidden"', "database: give 8 to 128 letters"),
        (0o600, 'database: "hidden\\ehidden"', "database: give 8 to 128 letters"),
        (0o600, 'database: "hidden\\Lhidden"', "database: give 8 to 128 letters"),
        (0o600, 'database: "hidden\\Nhidden"', "database: give 8 to 128 letters"),
        (0o600, 'database: "hidden\\u202ehidden"', "database: give 8 to 128 letters"),
        (0o600, 'database: "$(hidden)%(x)s"', "database: give 8 to 128 letters"),
        (0o600, '"x\\e[2J\\ny": z', "'x\\x1b[2J\\ny': is no password we know"),
        (0o600, "1: z", "1: is no password we know"),
    ],
)
def test_a_secrets_file_that_is_refused_is_not_quoted(
    tmp_path: Path, mode: int, text: str, message: str
) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(Invalid) as caught:
        secrets.read(path)
    assert message in str(caught.value)
    assert "hidden" not in f"{caught.value!r} {caught.value.__cause__}"
