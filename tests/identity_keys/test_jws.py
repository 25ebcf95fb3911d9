"""JWS over SSH: pairs are made at their sites, public halves travel, private ones never do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from identity_keys.ground import Ground, Load, until
from identity_keys.secrets_scan import Secrets, forms

TOKENS = {"provider": "jws", "expiration": 8, "allow_expired_window": 8, "rotation_interval": 10_000}


def test_private_keys_never_leave_their_site(make: Callable[..., Ground]) -> None:
    ground = make(tokens=TOKENS, record=True)
    secrets = Secrets([ground.folder / "sites" / name / "private" for name in ground.names])
    assert ground.keys("adopt", "--create").returncode == 0
    ground.start_keystones("jws")
    load = Load(ground, 16.0)
    for _ in range(3):
        before = _signing(ground)
        done = ground.keys("rotate", "--kind", "jws")
        assert done.returncode == 0, done.stdout
        assert not set(before.values()) & set(_signing(ground).values()), "every site signs with a new key"
    load.stop()
    secrets.stop()
    print(
        f"\njws: 3 rotations, {load.issued} issued, {load.validated} validations, {len(load.failures)} failures"
    )
    assert load.failures == []
    assert load.validated > 100
    private = [key for key in secrets.keys if b"PRIVATE KEY" in key]
    assert len(private) >= 12, "four pairs at each site"
    wire = sorted((ground.folder / "wire").rglob("*"))
    carried = sum(p.stat().st_size for p in wire if p.is_file())
    assert _found(private, [ground.folder / "wire", ground.folder / "state", ground.folder / "logs"]) == []
    for name in ground.names:
        mine = [k for k in private if _at(ground, name, k)]
        assert mine
        assert (
            _found(mine, [ground.folder / "sites" / other for other in ground.names if other != name]) == []
        )
    print(
        f"{len(private)} private keys, {carried} bytes carried by the channels in {len(wire)} recordings: 0 found"
    )
    # The recordings do show what travels: public keys, and the Fernet keys of the receipts.
    public = (ground.folder / "sites/paris/public/paris-0.pem").read_bytes().splitlines()[1]
    receipt = (ground.folder / "sites/paris/fernet_receipts/0").read_bytes()
    content = b"".join(p.read_bytes() for p in wire if p.is_file())
    assert public in content
    assert receipt in content
    planted = ground.folder / "wire/planted"
    planted.write_bytes(private[0])
    assert _found(private, [ground.folder / "wire"]) == [planted]


def test_a_site_that_is_away_holds_the_new_pairs(make: Callable[..., Ground]) -> None:
    ground = make(tokens=TOKENS)
    ground.keys("adopt", "--create")
    before = _signing(ground)
    ground.sshd["metz"].stop()
    done = ground.keys("rotate", "--kind", "jws")
    assert done.returncode == 2
    assert "new JWS pairs wait until site metz" in done.stdout
    assert _signing(ground) == before
    ground.sshd["metz"].start()
    assert ground.keys("pass").returncode == 0
    assert not set(before.values()) & set(_signing(ground).values())


def test_old_public_keys_go_when_their_tokens_have_ended(make: Callable[..., Ground]) -> None:
    ground = make(tokens=TOKENS | {"expiration": 3, "allow_expired_window": 1}, ssh=False)
    ground.keys("adopt", "--create")
    ground.start_keystones("jws")
    old = ground.keystones["paris"].issue()
    ground.keys("rotate", "--kind", "jws")
    assert ground.keystones["metz"].validate(old) == "ok"
    until(
        lambda: (ground.keys("pass"), ground.keystones["metz"].validate(old) != "ok")[1], 60, "it is refused"
    )
    assert ground.keystones["metz"].validate(ground.keystones["paris"].issue()) == "ok"
    for _ in range(3):
        ground.keys("rotate", "--kind", "jws")
        until(lambda: ground.keys("pass").returncode == 0)
    files = list((ground.folder / "sites/metz/public").iterdir())
    assert len(files) <= 9, "names are used again"


def test_a_compromised_pair(make: Callable[..., Ground]) -> None:
    ground = make(tokens=TOKENS, ssh=False)
    ground.keys("adopt", "--create")
    ground.start_keystones("jws")
    stolen, others = ground.keystones["lyon"].issue(), ground.keystones["paris"].issue()
    done = ground.keys(
        "replace", "--compromised", "--kind", "jws", "--site", "lyon", "--yes-replace", "europe"
    )
    assert done.returncode == 0, done.stdout
    for keystone in ground.keystones.values():
        assert keystone.validate(stolen).startswith("refused")
        assert keystone.validate(others) == "ok", "only the site's own tokens go"
        assert keystone.validate(ground.keystones["lyon"].issue()) == "ok"


def _signing(ground: Ground) -> dict[str, str]:
    rows = ground.status()["jws"]
    return {row["site"]: row["signs_with"] for row in rows}


def _at(ground: Ground, name: str, key: bytes) -> bool:
    return any(p.is_file() and key in p.read_bytes() for p in (ground.folder / "sites" / name).rglob("*"))


def _found(keys: list[bytes], folders: list[Path]) -> list[Path]:
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    return [p for p in files if any(form in p.read_bytes() for key in keys for form in forms(key))]
