"""What goes over the networks between the sites, and what answers from outside.

``underlay`` carries the tunnels, ``external`` the addresses the world knows.  Both are seen in the core, where all
uplinks of the sites meet: what two hosts of one site say to each other is seen at the switch of that site only
(``site=``).  Frames are read by a program of its own in the core's network (``python -m multisite_lab.segments``), so
that a test can do other things meanwhile, wherever it runs.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from multisite_lab import netns, sites
from multisite_lab.frames import Frame, parse
from multisite_lab.model import LabError, site_named

SEGMENTS = {"underlay": ("bru", "u"), "external": ("brx", "x")}
"""Name -> switch in the core, letter of the sites' own switches."""

Filter = Callable[[Frame], bool]

_ALL = 0x0003  # ETH_P_ALL
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1
_TIMESTAMPNS = 35  # SO_TIMESTAMPNS
_RCVBUFFORCE = 33  # SO_RCVBUFFORCE
_LARGEST = 65_600
_STARTED = "listening"
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()"


class Sniffer:
    """Frames of a segment from the moment the context is entered."""

    def __init__(self, output: IO[bytes], wanted: Filter | None) -> None:
        self._output = output
        self._wanted = wanted
        self._offset = 0
        self._seen: list[Frame] = []

    def frames(self) -> list[Frame]:
        """All frames so far that the filter lets through, in the order they came."""
        if not self._output.closed:
            self._take()
        return [frame for frame in self._seen if self._wanted is None or self._wanted(frame)]

    def _take(self) -> None:
        descriptor = self._output.fileno()
        data = os.pread(descriptor, os.fstat(descriptor).st_size - self._offset, self._offset)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            at, _, frame = line.partition(b" ")
            self._seen.append(parse(float(at), base64.b64decode(frame)))

    def wait(self, condition: Filter, timeout: float) -> Frame | None:
        """The first frame of which the condition holds; None when there is none in time (seconds)."""
        end = time.monotonic() + timeout
        while True:
            for frame in self.frames():
                if condition(frame):
                    return frame
            if time.monotonic() > end:
                return None
            time.sleep(0.05)


@contextmanager
def sniff(segment: str, wanted: Filter | None = None, site: str = "") -> Iterator[Sniffer]:
    """Listen on a segment; frames that passed before the context is left are all there after it too.

    ``site``: at that site's own switch instead of the core's, where also its hosts hear each other.
    """
    command = [*sites.core_prefix(), sys.executable, "-m", "multisite_lab.segments", _device(segment, site)]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=said)
        assert process.stdin is not None
        sniffer = Sniffer(output, wanted)
        try:
            _wait_started(process, said)
            yield sniffer
        finally:
            process.stdin.close()  # it takes what is still in its socket, then ends
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            sniffer.frames()  # the last ones, before their file goes


def probe_from_core(
    address: str, port: int | None = None, *, icmp: bool = False, timeout: float = 1.0
) -> float | None:
    """Ask an address once from the core; seconds until it answered, None when it did not.

    Either a TCP port, which must take a connection, or ``icmp``: an echo request.  LabError when both or none is asked.
    """
    if icmp == (port is not None):
        raise LabError("probe_from_core asks either a TCP port or icmp=True")
    if icmp:
        command = ["ping", "-n", "-c", "1", "-W", str(timeout), address]
    else:
        command = [sys.executable, "-I", "-S", "-c", _CONNECT, address, str(port), str(timeout)]
    begun = time.monotonic()
    done = sites.run_in_core(command, check=False)
    return time.monotonic() - begun if done.returncode == 0 else None


def wait_answers(
    address: str, port: int | None = None, *, icmp: bool = False, limit: float = 60.0, wanted: bool = True
) -> float | None:
    """Ask again and again until an address answers (``wanted`` false: does not); seconds, None: not in time."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        if (probe_from_core(address, port, icmp=icmp) is not None) == wanted:
            return time.monotonic() - begun
        time.sleep(0.1)
    return None


def _device(segment: str, site: str) -> str:
    if segment not in SEGMENTS:
        raise LabError(f"there is no segment {segment!r}; the lab has {', '.join(SEGMENTS)}")
    core, letter = SEGMENTS[segment]
    return netns.switch_of(site_named(site), letter) if site else core


def _wait_started(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    end = time.monotonic() + 20
    while _STARTED.encode() not in (text := os.pread(said.fileno(), 4096, 0)):
        if process.poll() is not None or time.monotonic() > end:
            raise LabError(f"cannot listen on the segment: {text.decode(errors='replace')[-400:]}")
        time.sleep(0.02)


def listen(device: str, output: IO[bytes]) -> None:
    """Write every frame of a device, until standard input ends: seconds, a blank, the frame in base64."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as source:
        source.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 16 << 20)
        source.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        source.bind((device, _ALL))
        # A switch shows its own device only what is meant for it, unless it listens to everything.
        membership = struct.pack("iHH8s", socket.if_nametoindex(device), _PROMISCUOUS, 0, b"")
        source.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        print(_STARTED, file=sys.stderr, flush=True)
        while True:
            ready = select.select([source, sys.stdin], [], [])[0]
            _take(source, output)
            if sys.stdin in ready:
                return


def _take(source: socket.socket, output: IO[bytes]) -> None:
    while True:
        try:
            data, told, _, _ = source.recvmsg(_LARGEST, 64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            break
        seconds, nanoseconds = struct.unpack_from("ll", told[0][2]) if told else (time.time(), 0)
        output.write(b"%.6f %s\n" % (seconds + nanoseconds / 1e9, base64.b64encode(data)))
    output.flush()


if __name__ == "__main__":
    listen(sys.argv[1], sys.stdout.buffer)
