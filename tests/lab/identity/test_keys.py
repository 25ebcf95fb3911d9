"""Keys of the three sites while they are used: rotated, held, stolen; and where they may not be."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_sites import KeySites, Load, held, kept_keys, rotate, rotate_alone, rotated, still_takes
from real_identity import BOUND, SITES, Service, in_step, token, until, url

from multisite_lab import sites
from multisite_lab.manager import Manager
from multisite_lab.model import ALL_SITES
from multisite_lab.star import layout
from tests.identity_keys.secrets_scan import Secrets

CUT = {2: "site3", 4: "site3"}
"""Rotation -> the site that is cut off while it is due."""


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeySites]:
    with kept_keys(tmp_path), KeySites(tmp_path) as found:
        assert found.keys("adopt").returncode == 0
        yield found


def test_five_rotations_one_site_cut_off_in_the_2nd_and_4th(keys: KeySites, tmp_path: Path) -> None:
    api = Manager(tmp_path / "manager")
    vault = tmp_path / "state/keys/vault"
    folders = [site.var / "keystone" for site in ALL_SITES.values()]
    secrets = Secrets([*folders, vault], every=3.0)
    try:
        api.prepare()
        api.start(timeout=300)
        keys.start_daemon()
        with Load() as load:
            for number in range(1, 6):
                before = keys.signs_with()
                if number in CUT:
                    with load.cut(CUT[number]):
                        rotate(keys)
                        held(keys, before, CUT[number])
                else:
                    rotate(keys)
                until(lambda before=before: rotated(keys, before), f"rotation {number}", 300)
                print(f"\nrotation {number}{' (held)' if number in CUT else ''}: {load.words()}")
            time.sleep(3)
        secrets.stop()
        print(f"5 rotations: {load.words()}")
        assert load.failures() == []
        assert len({(one.issuer, one.site) for one in load.counted()}) == 9
        assert all(count > 5 for count in load.issued.values())
        _scan(keys, secrets, api, vault)
    finally:
        secrets.stop()
        api.stop()


def _scan(keys: KeySites, secrets: Secrets, api: Manager, vault: Path) -> None:
    """0 occurrences of any key ever used, and what is planted is found: in a file, in arguments, in memory."""
    assert len(secrets.keys) >= 12, "too few keys were seen to prove anything"
    logs = [site.log for site in ALL_SITES.values()] + [keys.folder / "logs", keys.folder / "sshd", api.log]
    databases = [node.data for node in layout.NODES]
    states = [keys.folder / "state", api.folder]
    assert secrets.in_files(logs) == []
    assert secrets.in_files(databases) == []
    assert secrets.in_files(states, but=vault) == []
    assert secrets.in_processes() == []
    assert api.process is not None
    members = [api.process.pid, *_children(api.process.pid)]
    assert [pid for pid in members if secrets.in_memory(pid)] == []
    print(
        f"scan for {len(secrets.keys)} keys: logs, {len(databases)} databases, job state,"
        f" {len(secrets.processes)} arguments and environments, memory of {len(members)} API processes: 0 found"
    )
    planted = keys.folder / "logs/planted.log"
    key = next(iter(secrets.keys))
    planted.write_bytes(b"key is " + key)
    assert secrets.in_files(logs) == [planted]
    holder = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", key.decode()])
    try:
        secrets.collect()
        assert secrets.in_processes() == [holder.pid]
        assert secrets.in_memory(holder.pid)
    finally:
        holder.kill()
        holder.wait(10)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [member for child in map(int, found) for member in (child, *_children(child))]


def test_the_naive_way_fails(keys: KeySites) -> None:
    """The control: a site rotates by itself.  The first time all have the new key as 0; the second time they do not."""
    with Load() as load:
        for _ in range(2):
            rotate_alone(ALL_SITES["site1"])
            time.sleep(2)
        until(lambda: len(load.failures()) > 3, "refused tokens", 180)
    print(f"\nnaive: {load.words()}")
    refused = {(one.issuer, one.site) for one in load.failures() if one.answer in ("401", "404")}
    assert refused & {("site1", "site2"), ("site1", "site3")}


def test_compromise_drill(keys: KeySites, services: dict[str, Service]) -> None:
    """How long until no site takes a token of the old keys: Keystones, and services with their caches."""
    stolen = {name: token(url(name)) for name in SITES}
    for subject in stolen.values():
        assert still_takes(subject) == list(SITES)
        assert all(service.takes(subject) for service in services.values())
    preview = keys.keys("replace", "--compromised", good=(1,))
    assert "Every token made with them is refused" in preview.stderr
    assert still_takes(stolen["site1"]) == list(SITES), "a preview does nothing"
    began = time.monotonic()
    done = keys.keys("replace", "--compromised", "--yes-replace", "lab")
    commanded = time.monotonic() - began
    until(lambda: not any(still_takes(subject) for subject in stolen.values()), "Keystones refuse", 180)
    keystones = time.monotonic() - began
    until(
        lambda: not any(service.takes(subject) for service in services.values() for subject in stolen.values()),
        "services refuse", 180,
    )  # fmt: skip
    everybody = time.monotonic() - began
    told = keys.status()["emergency"]
    print(
        f"\ncompromise drill: no Keystone takes a token of the old keys after {keystones:.1f} s, no service after"
        f" {everybody:.1f} s (command {commanded:.1f} s; the service measured {told['seconds']}, last"
        f" {told['all_sites']} s, caches {told['caches']} s)"
    )
    assert done.returncode == 0, done.stdout
    assert set(told["seconds"]) == set(SITES)
    assert everybody <= commanded + BOUND + 10
    fresh = token(url("site2"))
    assert still_takes(fresh) == list(SITES)


def test_a_site_that_was_away_is_switched_when_it_comes_back(keys: KeySites) -> None:
    stolen = token(url("site1"))
    assert still_takes(stolen) == list(SITES)
    keys.start_daemon()
    sites.cut("site3")
    done = keys.keys("replace", "--compromised", "--yes-replace", "lab")
    assert done.returncode == 2
    assert "site site3 still accepts tokens of the compromised keys" in done.stdout
    until(lambda: still_takes(stolen, tolerant=True) == [], "sites 1 and 2 refuse", 120)
    sites.reconnect("site3")
    back = time.monotonic()
    until(lambda: keys.status()["emergency"]["all_sites"] is not None, "site 3 has the new keys", 180)
    until(lambda: still_takes(stolen) == [], "site 3 refuses", 120)
    print(f"\nsite 3 refuses {time.monotonic() - back:.1f} s after it came back")
    until(in_step, "the databases in step", 60)
