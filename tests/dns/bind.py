"""A BIND 9 of the tests' own: primary of two zones, of which one takes updates signed with a key."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from multisite_lab import install, process

ZONE, CLOSED = "vnf.example.org", "closed.example.org"
"""``CLOSED`` takes no updates."""
KEY, FOREIGN = "multisite-vnf", "another"
"""Names of keys: ``FOREIGN`` is known to the server and may update nothing."""
ADDRESS = "127.0.0.1"
_CONFIG = """
include "{folder}/keys.conf";
options {{
  directory "{folder}"; pid-file none; lock-file none; session-keyfile none;
  listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; empty-zones-enable no; notify no; tcp-clients 50;
}};
controls {{ }};
zone "{zone}" {{
  type primary; file "{zone}.zone";
  update-policy {{ grant {key} zonesub A AAAA CNAME TXT; }};
}};
zone "{closed}" {{ type primary; file "{closed}.zone"; }};
"""
_ZONE = """$TTL 300
@ IN SOA ns.{zone}. admin.{zone}. 1 3600 900 604800 300
@ IN NS ns.{zone}.
ns IN A 127.0.0.1
mme 120 IN A 192.0.2.10
alias IN CNAME mme
"""


class Bind:
    """In ``folder``: ``keys.conf`` as ``tsig-keygen`` writes it, ``named.log``."""

    def __init__(self, folder: Path) -> None:
        install.ensure_packages("bind9")
        self.folder, self.port = folder, _free_port()
        self.keys = folder / "keys.conf"
        self.keys.write_text("".join(_generated(name) for name in (KEY, FOREIGN)))
        self.keys.chmod(0o600)
        for zone in (ZONE, CLOSED):
            (folder / f"{zone}.zone").write_text(_ZONE.format(zone=zone))
        config = _CONFIG.format(
            folder=folder, port=self.port, zone=ZONE, closed=CLOSED, key=KEY, address=ADDRESS
        )
        (folder / "named.conf").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it answers; what was in the zone is still there (its journal)."""
        log = (self.folder / "named.log").open("ab")
        command = ["/usr/sbin/named", "-g", "-n", "1", "-c", str(self.folder / "named.conf")]
        with log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        process.wait_until(self._answers, f"BIND ({self.folder / 'named.log'})", 30.0, every=0.05)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def freeze(self) -> None:
        """It takes connections and says nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()

    def by_hand(self, name: str, kind: str, *values: str, ttl: int = 120) -> None:
        """As an administrator sets a record with nsupdate; no values: it is removed."""
        update = dns.update.UpdateMessage(ZONE, keyring=self.key())
        update.delete(f"{name}.", kind)
        if values:
            update.add(f"{name}.", ttl, kind, *values)
        answer = dns.query.tcp(update, ADDRESS, port=self.port, timeout=5)
        assert answer.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(answer.rcode())

    def has(self, name: str, kind: str = "A", seconds: float = 5.0) -> tuple[list[str], int]:
        """What it answers to anybody: values and TTL."""
        answer = dns.query.udp(dns.message.make_query(name, kind), ADDRESS, port=self.port, timeout=seconds)
        for rrset in answer.answer:
            return sorted(str(one) for one in rrset), rrset.ttl
        return [], 0

    def key(self) -> dns.tsig.Key:
        text = self.keys.read_text().split(f'key "{KEY}"')[1]
        return dns.tsig.Key(KEY, base64.b64decode(text.split('"')[1]), "hmac-sha256")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "named.log").read_text()[-2000:]
        try:
            self.has(f"ns.{ZONE}", seconds=0.2)
            return True
        except (OSError, dns.exception.DNSException):
            return False


def _free_port() -> int:
    with socket.socket() as tcp:
        tcp.bind((ADDRESS, 0))
        return int(tcp.getsockname()[1])


def _generated(name: str) -> str:
    """By BIND's own program, so that its form is what is read."""
    done = subprocess.run(["/usr/sbin/tsig-keygen", name], capture_output=True, text=True, check=True)
    return done.stdout


def other_secret() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
