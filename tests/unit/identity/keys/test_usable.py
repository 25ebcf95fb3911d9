"""Keys and folders are judged as Keystone opens them: by its user, with its library, every file of the folder."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from multisite.domain.errors import Conflict, Invalid
from multisite.identity.keys import actions, alarms
from multisite.identity.keys.fernet.usable import flaw
from multisite.identity.keys.repository import Key
from multisite.identity.keys.service import KeyService
from multisite.identity.keys.vault import Vault
from multisite.identity.topology.model import Form, IdentitySite, KeyHome, Role, Topology
from tests.unit.identity.keys.little_sites import TOKENS

NAMES = ("paris", "lyon")
KEYSTONE = 5000
GOOD, PRIMARY = Fernet.generate_key(), Fernet.generate_key()
NULL = base64.urlsafe_b64encode(bytes(32))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Both sites hold the same good keys, as Keystone's user has them."""
    for name in NAMES:
        folder = tmp_path / name / "fernet_tokens"
        folder.mkdir(parents=True)
        for number, key in enumerate((GOOD, PRIMARY)):
            put(folder / str(number), key)
        own(folder, 0o700)
    return tmp_path


def put(path: Path, data: bytes, uid: int = KEYSTONE) -> None:
    path.write_bytes(data)
    own(path, 0o600, uid)


def own(path: Path, mode: int, uid: int = KEYSTONE) -> None:
    path.chmod(mode)
    os.chown(path, uid, uid)


@pytest.fixture(params=["named", "taken from the keys"])
def keys(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> KeyService:
    account = str(KEYSTONE) if request.param == "named" else ""

    def site(name: str) -> IdentitySite:
        folder = f"{root}/{name}/fernet_tokens"
        home = KeyHome("directory", folder, folder, "", owner=account, group=account)
        return IdentitySite(name, name, Role.MASTER, "127.0.0.1", keys=home)

    sites = tuple(map(site, NAMES))
    made = Topology("europe", Form.CLUSTER, "http://127.0.0.1:5000/v3", sites, TOKENS)
    return KeyService(made, tmp_path / "service")


def told(keys: KeyService) -> dict[tuple[str, str], str]:
    """By code and site."""
    return {(a.code, a.site): a.text for a in alarms.alarms(keys.check(), keys.names, TOKENS, keys.now())}


@pytest.mark.parametrize(
    "data",
    [b"x" * 20, Fernet.generate_key()[:43], b"\xff" * 44, base64.urlsafe_b64encode(bytes(31)), b"\n", NULL],
)
def test_what_keystone_cannot_use_is_no_key(data: bytes, tmp_path: Path) -> None:
    assert flaw(data)
    with pytest.raises(Invalid):
        Vault(tmp_path).keep(Key(data))
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_a_line_is_none_of_keystones_troubles() -> None:
    assert flaw(GOOD + b"\n") is None


def test_good_keys_are_adopted_and_nothing_is_told(keys: KeyService) -> None:
    actions.adopt(keys)
    assert told(keys) == {}


@pytest.mark.parametrize(("data", "why"), [(b"x" * 20, "is no Fernet key"), (NULL, "is the null key")])
def test_bad_keys_are_not_adopted(keys: KeyService, root: Path, data: bytes, why: str) -> None:
    for name in NAMES:
        put(root / name / "fernet_tokens" / "1", data)
    with pytest.raises(Conflict, match=f"fernet_tokens/1 {why}.*fernet_setup"):
        actions.adopt(keys)
    assert not keys.journal.exists()
    put(root / "lyon" / "fernet_tokens" / "1", PRIMARY)
    actions.adopt(keys, source="lyon")
    assert (root / "paris" / "fernet_tokens" / "1").read_bytes() == PRIMARY


def test_a_key_that_goes_bad_later_is_told(keys: KeyService, root: Path) -> None:
    actions.adopt(keys)
    put(root / "paris" / "fernet_tokens" / "1", b"x" * 20)
    assert "is no Fernet key" in told(keys)["unusable", "paris"]


def test_a_folder_that_keystone_cannot_enter_is_told(keys: KeyService, root: Path) -> None:
    actions.adopt(keys)
    own(root / "paris" / "fernet_tokens", 0o700, 0)
    text = told(keys)["unusable", "paris"]
    assert f"{root}/paris/fernet_tokens (uid 0, gid 0, mode 0700) cannot be opened" in text
    assert ("unusable", "lyon") not in told(keys)
    own(root / "paris" / "fernet_tokens", 0o755, 0)
    assert told(keys) == {}


def test_every_file_of_the_folder_is_opened(keys: KeyService, root: Path) -> None:
    actions.adopt(keys)
    put(root / "lyon" / "fernet_tokens" / "0.bak", GOOD, uid=0)
    assert "fernet_tokens/0.bak (uid 0, gid 0, mode 0600) cannot be opened" in told(keys)["unusable", "lyon"]
    state = actions.rotate(keys, ["fernet_tokens"])
    assert state.kinds[keys.kinds[0]].asked, "no rotation before Keystone can use it everywhere"
    own(root / "lyon" / "fernet_tokens" / "0.bak", 0o644, 0)
    assert told(keys).keys() & {("unusable", "lyon")} == set()
