"""Ethernet frames as facts: who sent what to whom, also inside VXLAN."""

from __future__ import annotations

import ipaddress
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from struct import unpack_from

VXLAN_PORT = 4789
_TAGS = (0x8100, 0x88A8)
_ECHO = {8: "icmp-request", 0: "icmp-reply", 128: "icmp-request", 129: "icmp-reply"}
_NEIGHBOR = {135: "nd-solicitation", 136: "nd-advertisement"}
_TCP, _UDP, _ICMP, _ICMP6, _VRRP = 6, 17, 1, 58, 112


@dataclass(frozen=True)
class Frame:
    """One frame.

    ``at``: seconds since the epoch, the kernel's time of arrival.  ``kind``: ``arp-request``, ``arp-reply``, ``garp``
    (an announcement: sender and target address are equal, in a request or in a reply), ``nd-solicitation``,
    ``nd-advertisement``, ``icmp-request``, ``icmp-reply``, ``icmp-other``, ``vrrp``, ``vxlan``, ``tcp``, ``udp``,
    ``ip-other``, ``other``.  ``source`` and ``target``: IP addresses, of ARP those of sender and target; else
    empty.  ``sender_mac``: of ARP the hardware address it tells of, which may differ from that of the frame.
    ``vni`` and ``inner``: of VXLAN.  ``length``: bytes.
    """

    at: float
    source_mac: str
    target_mac: str
    kind: str = "other"
    source: str = ""
    target: str = ""
    source_port: int = 0
    target_port: int = 0
    sender_mac: str = ""
    vni: int = 0
    inner: Frame | None = None
    length: int = 0

    @property
    def announces(self) -> str:
        """The address it tells everybody the place of, by ARP or neighbor discovery; empty when it does not."""
        return self.source if self.kind == "garp" else self.target if self.kind == "nd-advertisement" else ""


def parse(at: float, data: bytes) -> Frame:
    """What a frame says; of one that is cut short as much as there is."""
    frame = Frame(at, _mac(data[6:12]), _mac(data[:6]), length=len(data))
    with suppress(struct.error, ValueError):
        offset, protocol = 14, unpack_from("!H", data, 12)[0]
        while protocol in _TAGS:
            protocol = unpack_from("!H", data, offset + 2)[0]
            offset += 4
        reader = {0x0806: _arp, 0x0800: _ipv4, 0x86DD: _ipv6}.get(protocol)
        if reader is not None:
            return reader(frame, data[offset:])
    return frame


def _arp(frame: Frame, body: bytes) -> Frame:
    operation = unpack_from("!H", body, 6)[0]
    if unpack_from("!HHBB", body) != (1, 0x0800, 6, 4):
        return frame
    sender, target = str(ipaddress.IPv4Address(body[14:18])), str(ipaddress.IPv4Address(body[24:28]))
    kind = "garp" if sender == target else "arp-request" if operation == 1 else "arp-reply"
    return replace(frame, kind=kind, source=sender, target=target, sender_mac=_mac(body[8:14]))


def _ipv4(frame: Frame, body: bytes) -> Frame:
    header, fragment = (body[0] & 15) * 4 if body else 0, unpack_from("!H", body, 6)[0] & 0x1FFF
    source, target = str(ipaddress.IPv4Address(body[12:16])), str(ipaddress.IPv4Address(body[16:20]))
    found = replace(frame, source=source, target=target, kind="ip-other")
    # Only the first fragment says what it belongs to.
    return found if fragment else _transport(found, body[9], body[header : unpack_from("!H", body, 2)[0]])


def _ipv6(frame: Frame, body: bytes) -> Frame:
    source, target = str(ipaddress.IPv6Address(body[8:24])), str(ipaddress.IPv6Address(body[24:40]))
    return _transport(replace(frame, source=source, target=target, kind="ip-other"), body[6], body[40:])


def _transport(frame: Frame, protocol: int, body: bytes) -> Frame:
    if protocol == _VRRP:
        return replace(frame, kind="vrrp")
    with suppress(struct.error, IndexError):
        if protocol in (_TCP, _UDP):
            ports = unpack_from("!HH", body)
            known = replace(frame, source_port=ports[0], target_port=ports[1])
            if protocol == _UDP and ports[1] == VXLAN_PORT:
                return _vxlan(replace(known, kind="vxlan"), body[8:])
            return replace(known, kind="tcp" if protocol == _TCP else "udp")
        if protocol == _ICMP6 and body[0] in _NEIGHBOR:
            # What is asked or told is the address inside, not where the packet goes.
            told = str(ipaddress.IPv6Address(body[8:24]))
            return replace(frame, kind=_NEIGHBOR[body[0]], target=told)
        if protocol in (_ICMP, _ICMP6):
            return replace(frame, kind=_ECHO.get(body[0], "icmp-other"))
    return frame


def _vxlan(frame: Frame, body: bytes) -> Frame:
    vni = unpack_from("!I", body, 4)[0] >> 8
    return replace(frame, vni=vni, inner=parse(frame.at, body[8:]))


def _mac(data: bytes) -> str:
    return data.hex(":")
