"""The three sites with JWS tokens: the same proof, rotations under load, and no private key leaves its site."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from key_sites import KeySites, Load, kept_keys, rotate, rotated
from real_identity import SITES, token, until, url
from star_topology import proven

from multisite.identity.topology.model import TokenProvider, Tokens
from multisite_lab import sites
from multisite_lab.model import ALL_SITES, Site
from tests.identity_keys.secrets_scan import Secrets

RESTART = 180.0


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeySites]:
    """All Keystones sign with pairs of their own; with Fernet keys again afterwards."""
    before = {site: (site.etc / "keystone/keystone.conf").read_text() for site in ALL_SITES.values()}
    with kept_keys(tmp_path), KeySites(tmp_path, Tokens(TokenProvider.JWS), record=True) as found:
        found.keys("adopt")
        try:
            for site, text in before.items():
                (site.etc / "keystone/keystone.conf").write_text(_with_jws(site, text))
            _restart()
            yield found
        finally:
            for site, text in before.items():
                (site.etc / "keystone/keystone.conf").write_text(text)
            _restart()
            for site in before:
                for folder in ("jws-public", "jws-private"):
                    shutil.rmtree(site.var / "keystone" / folder, ignore_errors=True)


def _with_jws(site: Site, text: str) -> str:
    folder = site.var / "keystone"
    assert "provider = fernet\n" in text
    text = text.replace("provider = fernet\n", "provider = jws\n")
    text = text.replace("[DEFAULT]\n", "[DEFAULT]\nmax_token_size = 2048\n")
    own = f"jws_public_key_repository = {folder}/jws-public\njws_private_key_repository = {folder}/jws-private\n"
    return f"{text}\n[jwt_tokens]\n{own}"


def _restart() -> None:
    for name in SITES:
        sites.service(name, "keystone", "restart")
    for name in SITES:
        until(lambda name=name: _logs_in(name), f"Keystone of {name}", RESTART, every=1)


def _logs_in(name: str) -> bool:
    try:
        return bool(token(url(name)))
    except (requests.RequestException, AssertionError):
        return False


def test_verify_rotation_and_private_keys(keys: KeySites, tmp_path: Path) -> None:
    assert len(token(url("site3"))) > 300, "that is no JWS token"
    proven(keys.topology, tmp_path)
    private = {name: Secrets([ALL_SITES[name].var / "keystone/jws-private"], every=3.0) for name in SITES}
    try:
        keys.start_daemon()
        with Load() as load:
            for number in range(1, 4):
                before = keys.signs_with()
                if number == 2:
                    with load.cut("site3"):
                        rotate(keys)
                        _waits(keys, before)
                else:
                    rotate(keys)
                until(lambda before=before: rotated(keys, before), f"rotation {number}", 300)
    finally:
        for scan in private.values():
            scan.stop()
    print(f"\njws, 3 rotations: {load.words()}")
    assert load.failures() == []
    assert len({(one.issuer, one.site) for one in load.counted()}) == 9
    _stay_at_home(keys, private)


def _waits(keys: KeySites, before: dict[str, str]) -> None:
    until(lambda: "new JWS pairs wait until site site3" in keys.keys("status").stdout, "it waits", 180)
    assert keys.signs_with() == before


def _stay_at_home(keys: KeySites, private: dict[str, Secrets]) -> None:
    """Looked for in all the channels carried, in the service's folders and logs, and at the other sites."""
    carried = sum(path.stat().st_size for path in keys.wire.rglob("*") if path.is_file())
    assert carried > 10_000, "the recordings show nothing"
    for name, scan in private.items():
        assert len(scan.keys) >= 4, "four pairs at each site"
        mine = ALL_SITES[name].var / "keystone/jws-private"
        elsewhere = [ALL_SITES[other].var / "keystone" for other in SITES if other != name]
        logs = [site.log for site in ALL_SITES.values()]
        assert (
            scan.in_files([keys.wire, keys.folder / "state", keys.folder / "logs", *elsewhere, *logs]) == []
        )
        assert scan.in_processes() == []
        assert scan.in_files([mine]), "the scan does not find what is there"
    print(
        f"{sum(len(scan.keys) for scan in private.values())} private keys; {carried} bytes carried: 0 found"
    )
