"""The key service over the lab's three sites: an sshd in each of them, reached over the links that tests cut."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from real_identity import SITES, token, until, url, validate
from star_topology import key_home, star

from multisite.identity.topology import file as topology_file
from multisite.identity.topology.model import TokenProvider, Tokens
from multisite_lab import sites
from multisite_lab.model import ALL_SITES, Site
from multisite_lab.sshd import Sshd
from multisite_lab.star import keys as repositories

PROGRAM = Path(sys.executable).with_name("multisite")
_SSH_PORT = 2222
_LOOK_SECONDS = 30


class KeySites:
    """``multisite keys`` in the core, and what it works on."""

    def __init__(self, folder: Path, tokens: Tokens | None = None, *, record: bool = False) -> None:
        self.folder = folder
        self.wire = folder / "wire"
        self.log = folder / "logs/keys.log"
        self.log.parent.mkdir(parents=True)
        self.tokens = tokens or Tokens()
        self.sshd = {
            name: Sshd(
                folder / "sshd" / name, self.wire / name if record else None, address=site.management,
                port=_SSH_PORT, enter=sites.site_prefix(name),
            )
            for name, site in ALL_SITES.items()
        }  # fmt: skip
        homes = {
            name: key_home(
                ALL_SITES[name], "ssh", host=server.address, port=server.port, user="root",
                client_key=str(server.client_key), known_hosts=str(server.known_hosts),
            )
            for name, server in self.sshd.items()
        }  # fmt: skip
        self.topology = star(self.tokens, homes)
        (folder / "identity.yaml").write_text(topology_file.dumped(self.topology))
        self.config = folder / "multisite.conf"
        self.config.write_text(
            f"[DEFAULT]\nstate_path = {folder}/state\nlog_file = {self.log}\n"
            f"[identity_keys]\ntopology = {folder}/identity.yaml\ninterval = 1\nsite_timeout = {_LOOK_SECONDS}\n"
        )
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def kind(self) -> str:
        """What tokens are made with."""
        return "jws" if self.tokens.provider == TokenProvider.JWS else "tokens"

    def __enter__(self) -> KeySites:
        for server in self.sshd.values():
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_daemon()
        for server in self.sshd.values():
            server.stop()

    def keys(self, *words: str, good: tuple[int, ...] = (0, 1, 2)) -> subprocess.CompletedProcess[str]:
        """``multisite keys ...``; 1 and 2 are warnings and alarms, a failed command says so on standard error."""
        command = [PROGRAM, "--config-file", self.config, "keys", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode in good, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
        assert 1 not in good or not done.stderr.startswith("multisite:"), done.stderr
        return done

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.keys("status", "-f", "json").stdout)
        return found

    def signs_with(self) -> dict[str, str]:
        """Fingerprint of what each site makes tokens with, as the journal has it."""
        status = self.status()
        if self.kind == "jws":
            return {row["site"]: row["signs_with"] for row in status["jws"]}
        (row,) = (row for row in status["repositories"] if row["kind"] == "fernet_tokens")
        return dict.fromkeys(SITES, row["primary"])

    def settled(self) -> bool:
        return all(row["phase"] == "settled" for row in self.status()["repositories"])

    def start_daemon(self) -> None:
        with (self.folder / "logs/daemon.err").open("ab") as err:
            command = [PROGRAM, "--config-file", self.config, "keys", "run"]
            self._daemon = subprocess.Popen(command, stdout=err, stderr=err)

    def stop_daemon(self) -> None:
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait(10)
            self._daemon = None


@contextmanager
def kept_keys(folder: Path) -> Iterator[None]:
    """Gives every site its keys back as they were."""
    for site in ALL_SITES.values():
        shutil.copytree(site.var / "keystone", folder / "kept" / site.name)
    try:
        yield
    finally:
        for site in ALL_SITES.values():
            for repository in repositories.REPOSITORIES:
                target, old = repositories.folder(site, repository), site.var / f"keystone/.{repository}.old"
                shutil.rmtree(old, ignore_errors=True)
                target.rename(old)
                shutil.copytree(folder / "kept" / site.name / repository, target)
                shutil.rmtree(old)


def rotate_alone(site: Site) -> None:
    """The naive way: the site's own `keystone-manage fernet_rotate`, and nobody is told."""
    from multisite_lab import paths

    command = [
        paths.openstack_venv() / "bin/keystone-manage",
        "--config-file",
        site.etc / "keystone/keystone.conf",
    ]
    options = ["--keystone-user", "root", "--keystone-group", "root"]
    done = sites.exec_in(site.name, [*map(str, command), "fernet_rotate", *options])
    assert done.returncode == 0, done.stderr[-800:]


@dataclass(frozen=True)
class Try:
    """A validation: seconds of the monotonic clock; ``answer``: HTTP status, or what went wrong on the way."""

    began: float
    ended: float
    issuer: str
    site: str
    answer: str


class Load:
    """Issues at every site, and lets every site's Keystone validate new and old tokens of all, without a pause."""

    def __init__(self, pause: float = 0.1) -> None:
        self.tokens: list[tuple[str, str]] = [(name, token(url(name))) for name in SITES]
        self.tries: list[Try] = []
        self.issued = dict.fromkeys(SITES, 0)
        self.not_issued: list[str] = []
        self._cuts: list[tuple[str, float, float]] = []
        self._pause, self._end = pause, threading.Event()
        self._threads = [
            threading.Thread(target=work, args=(name,))
            for name in SITES
            for work in (self._issue, self._validate)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def cut(self, site: str) -> Iterator[None]:
        """The site is cut off: what is asked of it meanwhile does not count."""
        began = time.monotonic()
        sites.cut(site)
        try:
            yield
        finally:
            sites.reconnect(site)
            self._cuts.append((site, began, time.monotonic()))

    def counted(self) -> list[Try]:
        """Validations at sites that were reachable from their beginning to their end."""
        return [
            one
            for one in self.tries
            if not any(
                one.site == site and one.began < to and one.ended > since for site, since, to in self._cuts
            )
        ]

    def failures(self) -> list[Try]:
        return [one for one in self.counted() if one.answer != "200"]

    def words(self) -> str:
        counted, logins = self.counted(), sum(self.issued.values())
        pairs = {(one.issuer, one.site) for one in counted}
        return (
            f"{logins} tokens issued {self.issued}, {len(counted)} validations over {len(pairs)} pairs at reachable"
            f" sites, {len(self.failures())} failed; {len(self.not_issued)} logins not answered"
        )

    def _issue(self, name: str) -> None:
        while not self._end.wait(3 * self._pause):
            try:
                self.tokens.append((name, token(url(name))))
                self.issued[name] += 1
            except (requests.RequestException, AssertionError) as error:
                self.not_issued.append(f"{name}: {error}"[:200])

    def _validate(self, name: str) -> None:
        turn = 0
        while not self._end.wait(self._pause):
            turn += 1
            mine = list(self.tokens)
            issuer, subject = (
                mine[-1 - turn % min(4, len(mine))] if turn % 2 else mine[turn * 7919 % len(mine)]
            )
            began = time.monotonic()
            try:
                answer = str(validate(url(name), subject, timeout=60))
            except requests.RequestException as error:
                answer = type(error).__name__
            self.tries.append(Try(began, time.monotonic(), issuer, name, answer))


def still_takes(subject: str, tolerant: bool = False) -> list[str]:
    """Sites whose Keystone takes a token; ``tolerant``: one that cannot be asked takes none."""
    found = []
    for name in SITES:
        try:
            if validate(url(name), subject, timeout=20) == 200:
                found.append(name)
        except requests.RequestException:
            if not tolerant:
                raise
    return found


def rotate(keys: KeySites) -> None:
    """Ask for a rotation; the daemon or this very pass carries it out."""
    kinds = ("--kind", "tokens", "--kind", "receipts") if keys.kind == "tokens" else ("--kind", "jws")
    keys.keys("rotate", *kinds)


def rotated(keys: KeySites, before: dict[str, str]) -> bool:
    now = keys.signs_with()
    return all(now[site] != before[site] for site in SITES) and keys.settled()


def held(keys: KeySites, before: dict[str, str], cut_off: str) -> None:
    """The rotation is due and does not happen; it is said why, and what going on without the site would mean."""
    until(lambda: "rotation-held" in {a["code"] for a in keys.status()["alarms"]}, "an alarm", 180)
    time.sleep(3)
    status = keys.status()
    row = next(row for row in status["sites"] if row["site"] == cut_off)
    assert (row["reachable"], row["in_sync"]) == ("no", "unknown")
    assert any(f"refused at {cut_off}" in line for line in row["if_gone_on_without"])
    assert keys.signs_with() == before, "a key was promoted that a site may lack"
