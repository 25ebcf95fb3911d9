"""Five rotations under load over SSH, a site cut during the 2nd and 4th, the daemon killed again and again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable

from identity_keys.key_setup import KeySetup, Load, until
from identity_keys.secrets_scan import Secrets

INTERVAL = 6
TOKENS = {"expiration": 9, "allow_expired_window": 9, "rotation_interval": INTERVAL}
LIFE = 18.0
"""Seconds a token lives: three rotations, 5 keys."""


def test_nothing_fails_and_no_key_is_told(make: Callable[..., KeySetup]) -> None:
    setup = make(tokens=TOKENS)
    secrets = Secrets([setup.folder / "sites", setup.folder / "state"])
    assert setup.keys("adopt", "--create").returncode == 0
    setup.start_keystones()
    load = Load(setup, LIFE)
    kills = held = 0
    for rotation in range(1, 6):
        before = setup.primary()
        setup.kill_daemon()
        if rotation in (2, 4):
            held += _held(setup, before)
        setup.start_daemon()
        while setup.primary() == before:
            time.sleep(random.uniform(0.5, 4))
            setup.kill_daemon()  # wherever it is
            kills += 1
            setup.start_daemon()
            time.sleep(2 if kills % 3 else 5)
        _settled(setup)
    time.sleep(2)
    load.stop()
    setup.kill_daemon()
    secrets.stop()
    print(
        f"\n5 rotations, {kills} kills of the daemon, held {held} times: {load.issued} tokens issued,"
        f" {load.validated} validations, {len(load.failures)} failures"
    )
    assert load.failures == []
    assert load.validated > 300
    assert held == 2
    _scan(setup, secrets)


def _held(setup: KeySetup, before: str) -> int:
    """With a site cut the rotation that is due is held and alarmed; the site comes back at the end."""
    setup.sshd["metz"].stop()
    setup.start_daemon()
    due = setup.state()["kinds"]["fernet_tokens"]["next_rotation"]
    until(lambda: time.time() > due + 3, 60, "the rotation is overdue")
    status = until(lambda: _overdue(setup), 30, "an alarm")
    assert setup.primary() == before, "a key was promoted that metz may lack"
    row = next(site for site in status["sites"] if site["site"] == "metz")
    assert (row["reachable"], row["in_sync"]) == ("no", "unknown")
    assert any("refused at metz" in line for line in row["if_gone_on_without"])
    setup.sshd["metz"].start()
    setup.kill_daemon()
    return 1


def _overdue(setup: KeySetup) -> dict[str, object] | None:
    status = setup.status()
    codes = {(a["code"], a["site"]) for a in status["alarms"]}
    return status if ("rotation-held", "metz") in codes else None


def _settled(setup: KeySetup) -> None:
    until(lambda: setup.state()["kinds"]["fernet_tokens"]["settled_at"] is not None, 60, "settled")


def _scan(setup: KeySetup, secrets: Secrets) -> None:
    assert len(secrets.keys) >= 18, f"only {len(secrets.keys)} keys were seen: the scan proves little"
    vault = setup.folder / "state/keys/vault"
    where = [
        setup.folder / "state",
        setup.folder / "logs",
        setup.folder / "sshd",
        setup.folder / "topology.yaml",
    ]
    assert secrets.in_files(where, but=vault) == []
    assert secrets.in_processes() == []
    print(
        f"scan: {len(secrets.keys)} keys, {len(secrets.processes)} argument lists and environments: 0 found"
    )
    # The scan finds what is there: planted in a log, and in a process's arguments.
    planted = setup.folder / "logs/planted.log"
    planted.write_bytes(b"key is " + next(iter(secrets.keys)))
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", next(iter(secrets.keys)).decode()]
    )
    try:
        until(
            lambda: (secrets.collect(), process.pid in secrets.in_processes())[1], 10, "the planted argument"
        )
        assert secrets.in_files(where, but=vault) == [planted]
    finally:
        process.kill()
        process.wait()


def test_the_naive_way_fails(make: Callable[..., KeySetup]) -> None:
    """One site rotates by itself, the others are told a little later, from the second time on: tokens are refused."""
    setup = make(ssh=False, tokens=TOKENS)
    setup.keys("adopt", "--create")
    setup.start_keystones()
    load = Load(setup, LIFE)
    for _ in range(2):
        _rotate_alone(setup)
    time.sleep(3)
    load.stop()
    print(f"\nnaive: {load.validated} validations, {len(load.failures)} failures")
    assert any("of paris" in line and "at lyon" in line for line in load.failures)


def _rotate_alone(setup: KeySetup) -> None:
    """What `keystone-manage fernet_rotate` does at a site (keystone/common/fernet_utils.py)."""
    from cryptography.fernet import Fernet

    folder = setup.folder / "sites/paris/fernet_tokens"
    top = max(int(p.name) for p in folder.iterdir() if p.name.isdigit())
    (folder / "0").rename(folder / str(top + 1))
    (folder / "0").write_bytes(Fernet.generate_key())


def test_too_few_keys_fail(make: Callable[..., KeySetup]) -> None:
    """The same service told that tokens live shorter than they do: it purges keys they were made with."""
    setup = make(ssh=False, tokens={"expiration": 3, "allow_expired_window": 0, "rotation_interval": 2})
    setup.keys("adopt", "--create")
    setup.start_keystones()
    load = Load(setup, LIFE)
    setup.start_daemon()
    time.sleep(14)
    load.stop()
    print(f"\ntoo few keys: {load.validated} validations, {len(load.failures)} failures")
    assert any("at paris" in line and "of paris" in line for line in load.failures), (
        "also at the site that issued it"
    )
