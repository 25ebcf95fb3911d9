"""The transport against real OpenSSH servers: owner and mode, host keys, sites that are away or hang."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path

from identity_keys.key_setup import GROUP, KINDS, OWNER, KeySetup


def test_keys_arrive_with_owner_and_mode(make: Callable[..., KeySetup]) -> None:
    setup = make()
    done = setup.keys("adopt", "--create")
    assert done.returncode == 0, done
    for name in setup.names:
        for kind in KINDS:
            folder = setup.folder / "sites" / name / kind
            assert sorted(p.name for p in folder.iterdir()) == [".multisite", "0", "1"]
            assert list((folder / ".multisite").iterdir()) == []
            for path in (folder / "0", folder / "1"):
                facts = path.stat()
                assert (path.owner(), path.group(), stat.S_IMODE(facts.st_mode)) == (OWNER, GROUP, 0o600)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    victim = setup.folder / "sites/lyon/fernet_tokens/0"
    victim.chmod(0o644)
    assert "out-of-sync" in setup.keys("check").stdout
    setup.keys("pass")
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


def test_a_wrong_host_key_is_refused(make: Callable[..., KeySetup]) -> None:
    setup = make()
    setup.keys("adopt", "--create")
    lyon, metz = (setup.sshd[n].known_hosts for n in ("lyon", "metz"))
    lyon.write_text(f"[127.0.0.1]:{setup.sshd['lyon'].port} " + metz.read_text().split(" ", 1)[1])
    done = setup.keys("rotate")
    assert done.returncode == 2
    assert "host key is not the one in" in done.stdout
    assert "lyon: unknown" in done.stdout
    assert len(list(_numbers(setup.folder / "sites/paris/fernet_tokens"))) == 2, "nothing was promoted"


def test_a_site_that_hangs_delays_nobody_beyond_its_limit(make: Callable[..., KeySetup]) -> None:
    setup = make(timeout=15)
    setup.keys("adopt", "--create")
    (setup.folder / "sites/paris/fernet_tokens/1").unlink()
    setup.sshd["metz"].hang()
    began = time.monotonic()
    done = setup.keys("pass")
    took = time.monotonic() - began
    setup.sshd["metz"].go_on()
    assert "no answer within 15 s" in done.stdout or "unknown since" in done.stdout
    assert sorted(_numbers(setup.folder / "sites/paris/fernet_tokens")) == [0, 1], (
        "the others are looked after"
    )
    print(f"\na pass with a hanging site: {took:.1f} s (limit 15 s per look)")
    assert took < 15 * 2 + 15


def _numbers(folder: Path) -> list[int]:
    return [int(p.name) for p in folder.iterdir() if p.name.isdigit()]
