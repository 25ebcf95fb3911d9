"""An OpenSSH server in a folder of one's own, for tests: own host key, one accepted client key.

On loopback, or inside a site: then what goes there crosses the site's link.

With ``record``, all a client sends and gets inside the encrypted channel is also written to files of that folder: the
proof of what travels and what does not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from multisite_lab import install
from multisite_lab.model import LabError

PACKAGE = "openssh-server"
START_SECONDS = 20.0
_PROGRAM = Path("/usr/sbin/sshd")
_SFTP = "/usr/lib/openssh/sftp-server"
_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/client_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding no
X11Forwarding no
MaxStartups 200:30:400
LogLevel VERBOSE
Subsystem sftp {sftp}
"""
_RECORDER = """\
#!/bin/sh
# In between client and program: sees what the channel carries, decrypted.
exec 2>>{folder}/recorder.log
name={record}/$$
printf '%s\\n' "$SSH_ORIGINAL_COMMAND" >$name.command
tee $name.in | sh -c "$SSH_ORIGINAL_COMMAND" | tee $name.out
"""


class Sshd:
    """``address``, ``port``, ``known_hosts``, ``client_key``: what a client needs; its user is this process's.

    ``enter``: what to put before a command so that it runs where the address is (``sites.site_prefix``); ``port`` 0
    chooses a free one of this process's network.
    """

    def __init__(
        self, folder: Path, record: Path | None = None, *, address: str = "127.0.0.1", port: int = 0,
        enter: Sequence[str] = (),
    ) -> None:  # fmt: skip
        install.ensure_packages(PACKAGE)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's privilege separation needs it
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.address, self._enter = address, tuple(enter)
        self.port = port or _free_port()
        self.client_key = folder / "client_key"
        self.known_hosts = folder / "known_hosts"
        self.log = folder / "sshd.log"
        for name in ("host_key", "client_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        host = (folder / "host_key.pub").read_text().split()
        self.known_hosts.write_text(f"[{address}]:{self.port} {host[0]} {host[1]}\n")
        config = _CONFIG.format(address=address, port=self.port, folder=folder, sftp=_SFTP)
        if record is not None:
            record.mkdir(parents=True, exist_ok=True)
            script = folder / "recorder"
            script.write_text(_RECORDER.format(folder=folder, record=record))
            script.chmod(0o755)
            config += f"ForceCommand {script}\n"
        (folder / "sshd_config").write_text(config)

    def start(self) -> None:
        """Returns when it answers."""
        command = [
            *self._enter,
            str(_PROGRAM),
            "-D",
            "-f",
            str(self._folder / "sshd_config"),
            "-E",
            str(self.log),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"sshd did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """The server and its sessions die at once, as a site that is cut off."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    def hang(self) -> None:
        """Stands still: connections are accepted by the kernel, nobody answers."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((self.address, self.port), 1) as connection,
        ):
            return connection.recv(4) == b"SSH-"
        return False


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{command[0]} failed: {done.stderr.strip()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
