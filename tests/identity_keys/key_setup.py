"""Sites on this machine: folders with an sshd each, Keystone's token code over them, and the program under test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from multisite_lab import paths
from multisite_lab.sshd import Sshd

NAMES = ("paris", "lyon", "metz")
KINDS = ("fernet_tokens", "fernet_receipts", "credential")
OWNER, GROUP = "nobody", "nogroup"
PROGRAM = Path(sys.executable).with_name("multisite")
TOKENS = Path(__file__).with_name("keystone_tokens.py")


def until(condition: Callable[[], Any], seconds: float = 60.0, what: str = "it") -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return answer


class KeySetup:
    """Sites, their topology file, and ``multisite keys`` over them."""

    def __init__(
        self, folder: Path, names: tuple[str, ...] = NAMES, *, tokens: dict[str, Any] | None = None,
        record: bool = False, ssh: bool = True, interval: float = 0.3, timeout: float = 30,
    ) -> None:  # fmt: skip
        self.folder, self.names = folder, names
        self.log = folder / "logs/daemon.log"
        self.log.parent.mkdir(parents=True)
        self.sshd: dict[str, Sshd] = {}
        sites = []
        for number, name in enumerate(names, start=1):
            (folder / "sites" / name).mkdir(parents=True)
            if ssh:
                recorded = folder / "wire" / name if record else None
                self.sshd[name] = Sshd(folder / "sshd" / name, recorded)
                self.sshd[name].start()
            sites.append(
                {
                    "name": name,
                    "region": name,
                    "role": "master",
                    "address": f"127.0.1.{number}",
                    "databases": [{"address": f"127.0.2.{number}"}],
                    "keys": self.home(name),
                }
            )
        topology = {
            "version": 1, "name": "europe", "form": "cluster", "entry": "http://127.0.0.1:5000/v3",
            "cache_time": 1, "token_cache_time": 1,  # tokens here live for seconds
        }  # fmt: skip
        (folder / "topology.yaml").write_text(
            yaml.safe_dump(topology | {"sites": sites, "tokens": tokens or {}})
        )
        self.config = folder / "multisite.conf"
        self.config.write_text(
            f"[DEFAULT]\nstate_path = {folder}/state\nlog_file = {self.log}\n"
            f"[identity_keys]\ntopology = {folder}/topology.yaml\ninterval = {interval}\nsite_timeout = {timeout}\n"
        )
        self.daemon: subprocess.Popen[bytes] | None = None
        self.keystones: dict[str, Keystone] = {}

    def home(self, name: str) -> dict[str, Any]:
        at = self.folder / "sites" / name
        found: dict[str, Any] = {kind: str(at / kind) for kind in KINDS}
        found |= {"owner": OWNER, "group": GROUP, "transport": "directory"}
        found |= {"jws_public": str(at / "public"), "jws_private": str(at / "private")}
        if name in self.sshd:
            server = self.sshd[name]
            found |= {"transport": "ssh", "host": "127.0.0.1", "port": server.port, "user": _user()}
            found |= {"client_key": str(server.client_key), "known_hosts": str(server.known_hosts)}
        return found

    def keys(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """``multisite keys ...``; with ``check`` it has to end with 0, 1 (warning) or 2 (critical)."""
        command = [PROGRAM, "--config-file", self.config, "keys", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert not check or not done.stderr.startswith("multisite:"), done.stderr
        return done

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.keys("status", "-f", "json").stdout)
        return found

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state/keys/state.json").read_text())
        return found

    def primary(self) -> str:
        keys = self.state()["kinds"]["fernet_tokens"]["desired"]["keys"]
        return str(keys[max(keys, key=int)])

    def start_daemon(self) -> None:
        with (self.folder / "logs/daemon.err").open("ab") as err:
            command = [PROGRAM, "--config-file", self.config, "keys", "run"]
            self.daemon = subprocess.Popen(command, stdout=err, stderr=err)

    def kill_daemon(self) -> None:
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None

    def start_keystones(self, kind: str = "fernet") -> None:
        for name in self.names:
            at = self.folder / "sites" / name
            folders = [at / "fernet_tokens"] if kind == "fernet" else [at / "private", at / "public"]
            self.keystones[name] = Keystone(kind, folders, self.folder / f"logs/keystone-{name}.err")
        for keystone in self.keystones.values():
            keystone.ready()

    def close(self) -> None:
        for keystone in self.keystones.values():
            keystone.close()
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(30)
            except subprocess.TimeoutExpired:
                self.kill_daemon()
        for server in self.sshd.values():
            server.stop()


class Keystone:
    """Keystone's provider over a site's folders, in a process of its own."""

    def __init__(self, kind: str, folders: list[Path], log: Path) -> None:
        self._lock = threading.Lock()
        command = [paths.openstack_venv() / "bin/python", "-W", "ignore", TOKENS, kind, *folders]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("ab"), text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
        )  # fmt: skip

    def ready(self) -> None:
        assert self._read() == "ready"

    def issue(self) -> str:
        return self._ask("issue")

    def validate(self, token: str) -> str:
        """ "ok" or why not."""
        return self._ask(f"validate {token}")

    def _ask(self, line: str) -> str:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Load:
    """Issues and validates all the time: every site's newest and some older token, at every site."""

    def __init__(self, setup: KeySetup, lifetime: float) -> None:
        self.setup, self.lifetime = setup, lifetime
        self.tokens: list[tuple[float, str, str]] = []
        self.failures: list[str] = []
        self.issued = self.validated = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._issue)]
        self._threads += [threading.Thread(target=self._validate, args=(name,)) for name in setup.names]
        for thread in self._threads:
            thread.start()

    def _issue(self) -> None:
        while not self._stop.wait(0.03):
            for name, keystone in self.setup.keystones.items():
                token = keystone.issue()
                if token.startswith("refused"):
                    self.failures.append(f"{name} issues: {token}")
                    continue
                self.tokens.append((time.monotonic(), name, token))
                self.issued += 1

    def _validate(self, name: str) -> None:
        turn = 0
        while not self._stop.wait(0.005):
            mine = list(self.tokens)
            if not mine:
                continue
            turn += 1
            at, site, token = (
                mine[-1 - turn % min(3, len(mine))] if turn % 2 else mine[turn * 7919 % len(mine)]
            )
            if time.monotonic() - at > self.lifetime - 0.5:
                continue
            answer = self.setup.keystones[name].validate(token)
            self.validated += 1
            if answer != "ok":
                self.failures.append(f"of {site} ({time.monotonic() - at:.1f} s old) at {name}: {answer}")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
