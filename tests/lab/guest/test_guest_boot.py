"""The guest image in plain QEMU, without any cloud: it boots, works, freezes, and a copy of it judges itself.

Needs no lab, only the lab's packages.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from multisite_lab import guest
from multisite_lab.guest import console

pytestmark = pytest.mark.lab

BOOT = 90.0
GIB = 1 << 30


@dataclass
class Machine:
    """A virtual machine with two disks, two network cards and a guest agent."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    _agent: Any = field(default=None, repr=False)

    def disk(self, name: str) -> Path:
        return self.folder / f"{name}.raw"

    def blank(self) -> Machine:
        self.folder.mkdir()
        shutil.copyfile(guest.image(), self.disk("root"))
        self.disk("data").touch()
        for name in ("root", "data"):
            os.truncate(self.disk(name), GIB)
        return self

    def copy(self, folder: Path, apart: float) -> Machine:
        """Copy both disks while it runs, the second one later: what snapshots do, only slower."""
        folder.mkdir()
        for name in ("root", "data"):
            subprocess.run(["cp", "--sparse=always", self.disk(name), folder], check=True)
            time.sleep(apart)
        return Machine(folder)

    def start(self) -> Machine:
        devices = [
            "virtio-serial",
            "virtio-rng-pci",
            "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        ]
        command = [
            "qemu-system-x86_64",
            "-nodefaults",
            "-display",
            "none",
            "-accel",
            "tcg,tb-size=32",
            "-m",
            "128",
        ]
        command += ["-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off"]
        command += ["-serial", f"file:{self.folder}/console"]
        for number in (0, 1):
            command += ["-netdev", f"user,id=n{number},net=10.0.{number + 2}.0/24"]
            devices.append(f"virtio-net-pci,netdev=n{number}")
        for name in ("root", "data"):
            command += ["-drive", f"file={self.disk(name)},format=raw,if=virtio,cache=writeback"]
        for device in devices:
            command += ["-device", device]
        self.process = subprocess.Popen(command)
        return self

    def stop(self) -> None:
        """Power cut."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def told(self) -> console.Boot:
        path = self.folder / "console"
        return console.parse(path.read_text(errors="replace") if path.exists() else "")

    def wait(self, condition: Callable[[console.Boot], Any]) -> console.Boot:
        end = time.monotonic() + BOOT
        while not condition(self.told()):
            assert time.monotonic() < end, (self.folder / "console").read_text(errors="replace")
            time.sleep(0.1)
        return self.told()

    def agent(self, command: str, **arguments: Any) -> Any:
        if self._agent is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(30)
            connection.connect(str(self.folder / "agent"))
            self._agent = connection.makefile("rw")
        self._agent.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._agent.flush()
        answer = json.loads(self._agent.readline())
        assert "return" in answer, answer
        return answer["return"]

    def shell(self, command: str) -> None:
        self.agent("guest-exec", path="/bin/sh", arg=["-c", command])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_frozen_pair_is_proven_and_a_torn_pair_is_refused(tmp_path: Path, stack: ExitStack) -> None:
    original = Machine(tmp_path / "original").blank()
    stack.callback(original.stop)
    original.start()
    first = original.wait(lambda boot: boot.records and len(boot.addresses) == 2)
    assert first.verdict is not None
    assert first.verdict.record == console.Record(0, 0)
    assert first.addresses == {"eth0": "10.0.2.15", "eth1": "10.0.3.15"}

    original.shell("echo 20000 > /run/work_us")
    torn = original.copy(tmp_path / "torn", apart=1)
    assert original.agent("guest-fsfreeze-freeze") == 2
    frozen = original.copy(tmp_path / "frozen", apart=1)
    original.agent("guest-fsfreeze-thaw")
    marks = original.wait(lambda boot: boot.thaws)
    assert marks.freezes == marks.thaws
    original.stop()

    for machine in (frozen, torn):
        stack.callback(machine.stop)
        machine.start()
    proven = frozen.wait(lambda boot: boot.records)
    assert proven.verdict is not None
    assert proven.verdict.consistent
    assert proven.verdict.record == marks.freezes[-1]
    assert proven.journal == "clean"
    refused = torn.wait(lambda boot: boot.ready)
    assert refused.verdict is not None
    assert not refused.verdict.consistent
    assert refused.journal == "recovered"
    assert refused.working is False
