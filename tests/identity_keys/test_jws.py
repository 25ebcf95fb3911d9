"""JWS over SSH: pairs are made at their sites, public halves travel, private ones never do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from identity_keys.key_setup import KeySetup, Load, until
from identity_keys.secrets_scan import Secrets, forms

TOKENS = {"provider": "jws", "expiration": 8, "allow_expired_window": 8, "rotation_interval": 10_000}


def test_private_keys_never_leave_their_site(make: Callable[..., KeySetup]) -> None:
    setup = make(tokens=TOKENS, record=True)
    secrets = Secrets([setup.folder / "sites" / name / "private" for name in setup.names])
    assert setup.keys("adopt", "--create").returncode == 0
    setup.start_keystones("jws")
    load = Load(setup, 16.0)
    for _ in range(3):
        before = _signing(setup)
        done = setup.keys("rotate", "--kind", "jws")
        assert done.returncode == 0, done.stdout
        assert not set(before.values()) & set(_signing(setup).values()), "every site signs with a new key"
    load.stop()
    secrets.stop()
    print(
        f"\njws: 3 rotations, {load.issued} issued, {load.validated} validations, {len(load.failures)} failures"
    )
    assert load.failures == []
    assert load.validated > 100
    private = [key for key in secrets.keys if b"PRIVATE KEY" in key]
    assert len(private) >= 12, "four pairs at each site"
    wire = sorted((setup.folder / "wire").rglob("*"))
    carried = sum(p.stat().st_size for p in wire if p.is_file())
    assert _found(private, [setup.folder / "wire", setup.folder / "state", setup.folder / "logs"]) == []
    for name in setup.names:
        mine = [k for k in private if _at(setup, name, k)]
        assert mine
        assert _found(mine, [setup.folder / "sites" / other for other in setup.names if other != name]) == []
    print(
        f"{len(private)} private keys, {carried} bytes carried by the channels in {len(wire)} recordings: 0 found"
    )
    # The recordings do show what travels: public keys, and the Fernet keys of the receipts.
    public = (setup.folder / "sites/paris/public/paris-0.pem").read_bytes().splitlines()[1]
    receipt = (setup.folder / "sites/paris/fernet_receipts/0").read_bytes()
    content = b"".join(p.read_bytes() for p in wire if p.is_file())
    assert public in content
    assert receipt in content
    planted = setup.folder / "wire/planted"
    planted.write_bytes(private[0])
    assert _found(private, [setup.folder / "wire"]) == [planted]


def test_a_site_that_is_away_holds_the_new_pairs(make: Callable[..., KeySetup]) -> None:
    setup = make(tokens=TOKENS)
    setup.keys("adopt", "--create")
    before = _signing(setup)
    setup.sshd["metz"].stop()
    done = setup.keys("rotate", "--kind", "jws")
    assert done.returncode == 2
    assert "new JWS pairs wait until site metz" in done.stdout
    assert _signing(setup) == before
    setup.sshd["metz"].start()
    assert setup.keys("pass").returncode == 0
    assert not set(before.values()) & set(_signing(setup).values())


def test_old_public_keys_go_when_their_tokens_have_ended(make: Callable[..., KeySetup]) -> None:
    setup = make(tokens=TOKENS | {"expiration": 3, "allow_expired_window": 1}, ssh=False)
    setup.keys("adopt", "--create")
    setup.start_keystones("jws")
    old = setup.keystones["paris"].issue()
    setup.keys("rotate", "--kind", "jws")
    assert setup.keystones["metz"].validate(old) == "ok"
    until(lambda: (setup.keys("pass"), setup.keystones["metz"].validate(old) != "ok")[1], 60, "it is refused")
    assert setup.keystones["metz"].validate(setup.keystones["paris"].issue()) == "ok"
    for _ in range(3):
        setup.keys("rotate", "--kind", "jws")
        until(lambda: setup.keys("pass").returncode == 0)
    files = list((setup.folder / "sites/metz/public").iterdir())
    assert len(files) <= 9, "names are used again"


def test_a_compromised_pair(make: Callable[..., KeySetup]) -> None:
    setup = make(tokens=TOKENS, ssh=False)
    setup.keys("adopt", "--create")
    setup.start_keystones("jws")
    stolen, others = setup.keystones["lyon"].issue(), setup.keystones["paris"].issue()
    done = setup.keys(
        "replace", "--compromised", "--kind", "jws", "--site", "lyon", "--yes-replace", "europe"
    )
    assert done.returncode == 0, done.stdout
    for keystone in setup.keystones.values():
        assert keystone.validate(stolen).startswith("refused")
        assert keystone.validate(others) == "ok", "only the site's own tokens go"
        assert keystone.validate(setup.keystones["lyon"].issue()) == "ok"


def _signing(setup: KeySetup) -> dict[str, str]:
    rows = setup.status()["jws"]
    return {row["site"]: row["signs_with"] for row in rows}


def _at(setup: KeySetup, name: str, key: bytes) -> bool:
    return any(p.is_file() and key in p.read_bytes() for p in (setup.folder / "sites" / name).rglob("*"))


def _found(keys: list[bytes], folders: list[Path]) -> list[Path]:
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    return [p for p in files if any(form in p.read_bytes() for key in keys for form in forms(key))]
