"""Asking an address for a sign of life, many questions under way at a time: the wire side of the probe.

| way | question | answer |
|---|---|---|
| ``icmp`` | ICMP echo request (RFC 792) of 24 bytes: our magic, number, a nonce | the echo reply with the same bytes |
| ``udp:<port>`` | the same 24 bytes to a UDP echo service (RFC 862; ``multisite-probe answer``) | the same bytes |
| ``tcp:<port>`` | SYN | SYN+ACK, or RST: somebody who has the address said no |

ICMP needs no rights where ``net.ipv4.ping_group_range`` lets the user's group (Linux, icmp(7)); else CAP_NET_RAW.
Standard library only: this also runs on a network node, or in a guest.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Protocol

MAGIC = b"MSPROBE1"
_BODY = struct.Struct("!8sQ8s")
_SILENT = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ECONNABORTED}
)
_SIO_ERRORS = frozenset({errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EHOSTDOWN})


class CannotMeasure(Exception):
    """Nothing could be sent from here: that says nothing about the address.  The message says what to do."""


@dataclass(frozen=True)
class Way:
    """How an address is asked: ``icmp``, ``udp`` or ``tcp``, and the port (0 for icmp)."""

    kind: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.port}" if self.port else self.kind


def way(text: str) -> Way:
    """``icmp``, ``tcp:<port>`` or ``udp:<port>``; ValueError says what is wrong."""
    kind, _, number = text.partition(":")
    if text == "icmp":
        return Way("icmp")
    if kind in ("tcp", "udp") and number.isdecimal() and 0 < int(number) < 65536:
        return Way(kind, int(number))
    raise ValueError(f"{text!r} must be icmp, tcp:<port> or udp:<port>, with a port from 1 to 65535")


class Asker(Protocol):
    """One address asked in one way."""

    def ask(self, number: int) -> None:
        """Send question ``number``.  Raises CannotMeasure; an address nobody answers for is no error."""

    def answers(self, seconds: float) -> list[tuple[int, float]]:
        """Wait at most so long; numbers answered meanwhile, with the moment (monotonic) each arrived."""

    def close(self) -> None: ...


def asker(address: str, how: Way) -> Asker:
    """Open what is needed; CannotMeasure when that is refused here."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    return _Connects(address, how.port, family) if how.kind == "tcp" else _Datagrams(address, how, family)


class _Datagrams:
    """ICMP echo and UDP echo: one socket for all questions."""

    def __init__(self, address: str, how: Way, family: int) -> None:
        self._address, self._how, self._six = address, how, family == socket.AF_INET6
        self._nonce = os.urandom(8)
        self._raw = False
        self._socket = self._open(family)
        self._socket.setblocking(False)

    def _open(self, family: int) -> socket.socket:
        if self._how.kind == "udp":
            return socket.socket(family, socket.SOCK_DGRAM)
        protocol = socket.IPPROTO_ICMPV6 if self._six else socket.IPPROTO_ICMP
        try:
            return socket.socket(family, socket.SOCK_DGRAM, protocol)
        except OSError:
            pass
        try:
            found = socket.socket(family, socket.SOCK_RAW, protocol)
        except OSError as error:
            raise CannotMeasure(
                "ICMP is not allowed to this user here: widen sysctl net.ipv4.ping_group_range, or use tcp:<port>"
            ) from error
        self._raw = True
        return found

    def ask(self, number: int) -> None:
        body = _BODY.pack(MAGIC, number, self._nonce)
        if self._how.kind == "icmp":
            body = _echo(self._six, number, body)
        try:
            self._socket.sendto(body, (self._address, self._how.port))
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in _SIO_ERRORS:
                raise CannotMeasure(
                    f"nothing can be sent to {self._address} from here: {error.strerror}"
                ) from error

    def answers(self, seconds: float) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 or not found:
            if not _ready({self._socket.fileno()}, select.POLLIN, left):
                return found
            try:
                data = self._socket.recv(2048)
            except OSError:  # an ICMP error that came for an earlier question
                continue
            if (number := self._number(data)) is not None:
                found.append((number, time.monotonic()))
                return found
        return found

    def _number(self, data: bytes) -> int | None:
        """Of the answer to us; None for another program's, and for our own question that came back."""
        if self._how.kind == "icmp":
            if self._raw and not self._six:
                data = data[(data[0] & 15) * 4 :]
            if len(data) < 8 or data[0] != (129 if self._six else 0):
                return None
            data = data[8:]
        if len(data) < _BODY.size:
            return None
        magic, number, nonce = _BODY.unpack_from(data)
        return int(number) if (magic, nonce) == (MAGIC, self._nonce) else None

    def close(self) -> None:
        self._socket.close()


class _Connects:
    """TCP: a connection attempt for each question, closed at its answer."""

    def __init__(self, address: str, port: int, family: int) -> None:
        self._address, self._port, self._family = address, port, family
        self._open: dict[int, tuple[int, socket.socket, float]] = {}
        self._at_once: list[tuple[int, float]] = []

    def ask(self, number: int) -> None:
        self._drop_old()
        attempt = socket.socket(self._family, socket.SOCK_STREAM)
        attempt.setblocking(False)
        # Closing sends RST: no half-closed connections pile up at whoever answers four times a second.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        code = attempt.connect_ex((self._address, self._port))
        if code in (0, errno.ECONNREFUSED):
            self._at_once.append((number, time.monotonic()))
            attempt.close()
        elif code == errno.EINPROGRESS:
            self._open[attempt.fileno()] = (number, attempt, time.monotonic())
        else:
            attempt.close()
            if code not in _SILENT:
                raise CannotMeasure(f"nothing can be sent to {self._address} from here: {os.strerror(code)}")

    def answers(self, seconds: float) -> list[tuple[int, float]]:
        if self._at_once:
            found, self._at_once = self._at_once, []
            return found
        if not self._open:
            time.sleep(max(0.0, seconds))
            return []
        ready = _ready(set(self._open), select.POLLOUT, seconds)
        now, found = time.monotonic(), []
        for descriptor in ready:
            number, attempt, _ = self._open.pop(descriptor)
            if attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED):
                found.append((number, now))
            attempt.close()
        return found

    def _drop_old(self) -> None:
        for descriptor, (_, attempt, since) in list(self._open.items()):
            if time.monotonic() - since > 5.0:
                del self._open[descriptor]
                attempt.close()

    def close(self) -> None:
        for _, attempt, _ in self._open.values():
            attempt.close()
        self._open.clear()


def _ready(descriptors: set[int], events: int, seconds: float) -> list[int]:
    """Those of them that are ready within so long; poll, not select: a busy service has many files open."""
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, events)
    return [descriptor for descriptor, _ in waiting.poll(max(0.0, seconds) * 1000)]


def _echo(six: bool, number: int, body: bytes) -> bytes:
    """An echo request; the kernel fills in identifier and (IPv6, or its own sockets) checksum, ours is right anyway."""
    kind, identifier = (128 if six else 8), os.getpid() & 0xFFFF
    header = struct.pack("!BBHHH", kind, 0, 0, identifier, number & 0xFFFF)
    return struct.pack("!BBHHH", kind, 0, _checksum(header + body), identifier, number & 0xFFFF) + body


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def answer_udp(bind: str, port: int, stop: float | None = None) -> int:
    """The other side of ``udp``: send every question back as it came; how many.  Ends at ``stop`` (monotonic)."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    count = 0
    with socket.socket(family, socket.SOCK_DGRAM) as here:
        here.bind((bind, port))
        here.settimeout(0.2)
        while stop is None or time.monotonic() < stop:
            try:
                data, whence = here.recvfrom(2048)
            except TimeoutError:
                continue
            if data[:8] == MAGIC and len(data) == _BODY.size:  # never more than was sent, and only to our own
                here.sendto(data, whence)
                count += 1
    return count
