"""Frames put together byte by byte are told as what they are."""

from __future__ import annotations

import ipaddress
import struct

import pytest

from multisite_lab.frames import VXLAN_PORT, Frame, parse

HERE, THERE, ALL = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "ff:ff:ff:ff:ff:ff"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(protocol: int, body: bytes, source: str = HERE, target: str = THERE, tag: bytes = b"") -> bytes:
    return mac(target) + mac(source) + tag + struct.pack("!H", protocol) + body


def arp(operation: int, sender: str, target: str, hardware: str = HERE) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return (
        head
        + mac(hardware)
        + ipaddress.ip_address(sender).packed
        + bytes(6)
        + ipaddress.ip_address(target).packed
    )


def ipv4(protocol: int, body: bytes, fragment: int = 0, options: bytes = b"") -> bytes:
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | length // 4, 0, length + len(body), 0, fragment, 64, protocol, 0)
    return head + bytes([192, 0, 2, 1]) + bytes([192, 0, 2, 2]) + options + body


def ipv6(protocol: int, body: bytes) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(body), protocol, 255)
    return head + ipaddress.ip_address("fe80::1").packed + ipaddress.ip_address("ff02::1").packed + body


def udp(target_port: int, body: bytes = b"") -> bytes:
    return struct.pack("!HHHH", 40000, target_port, 8 + len(body), 0) + body


def vxlan(vni: int, inner: bytes) -> bytes:
    return ethernet(0x0800, ipv4(17, udp(VXLAN_PORT, struct.pack("!II", 0x08000000, vni << 8) + inner)))


@pytest.mark.parametrize(
    ("operation", "sender", "target", "kind"),
    [
        (1, "192.0.2.1", "192.0.2.2", "arp-request"),
        (2, "192.0.2.1", "192.0.2.2", "arp-reply"),
        (1, "192.0.2.1", "192.0.2.1", "garp"),
        (2, "192.0.2.1", "192.0.2.1", "garp"),
    ],
)
def test_arp(operation: int, sender: str, target: str, kind: str) -> None:
    found = parse(1.5, ethernet(0x0806, arp(operation, sender, target, THERE), target=ALL))
    assert (found.at, found.kind, found.source, found.target) == (1.5, kind, sender, target)
    assert (found.source_mac, found.sender_mac, found.target_mac) == (HERE, THERE, ALL)
    assert found.announces == (sender if kind == "garp" else "")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ipv4(1, b"\x08" + bytes(7)), "icmp-request"),
        (ipv4(1, b"\x00" + bytes(7)), "icmp-reply"),
        (ipv4(1, b"\x03" + bytes(7)), "icmp-other"),
        (ipv4(112, bytes(8)), "vrrp"),
        (ipv4(6, struct.pack("!HH", 1, 22) + bytes(16)), "tcp"),
        (ipv4(17, udp(53)), "udp"),
        (ipv4(47, bytes(8)), "ip-other"),
        (ipv4(1, b"\x08" + bytes(7), fragment=185), "ip-other"),
        (ipv4(1, b"\x08" + bytes(7), options=bytes(8)), "icmp-request"),
    ],
)
def test_ipv4(body: bytes, kind: str) -> None:
    found = parse(0, ethernet(0x0800, body))
    assert (found.kind, found.source, found.target) == (kind, "192.0.2.1", "192.0.2.2")


def test_ports() -> None:
    found = parse(0, ethernet(0x0800, ipv4(6, struct.pack("!HH", 40000, 22) + bytes(16))))
    assert (found.source_port, found.target_port) == (40000, 22)


def test_neighbor_advertisement_tells_the_address_inside() -> None:
    told = ipaddress.ip_address("2001:db8::7")
    found = parse(0, ethernet(0x86DD, ipv6(58, b"\x88" + bytes(7) + told.packed)))
    assert (found.kind, found.source, found.target, found.announces) == (
        "nd-advertisement", "fe80::1", "2001:db8::7", "2001:db8::7",
    )  # fmt: skip


def test_vxlan_has_its_network_and_the_frame_inside() -> None:
    inner = ethernet(0x0806, arp(1, "10.0.0.5", "10.0.0.5"), target=ALL)
    found = parse(7, vxlan(5001, inner))
    assert (found.kind, found.vni, found.source) == ("vxlan", 5001, "192.0.2.1")
    assert found.inner is not None
    assert (found.inner.kind, found.inner.source, found.inner.at) == ("garp", "10.0.0.5", 7)


def test_a_tagged_frame_is_read_behind_its_tags() -> None:
    tags = bytes.fromhex("88a80064") + bytes.fromhex("81000065")
    assert parse(0, ethernet(0x0806, arp(1, "192.0.2.1", "192.0.2.2"), tag=tags)).kind == "arp-request"


def test_a_frame_cut_anywhere_is_no_error_and_claims_nothing_it_does_not_hold() -> None:
    whole = vxlan(5001, ethernet(0x0806, arp(1, "10.0.0.5", "10.0.0.5"), target=ALL))
    for length in range(len(whole)):
        found = parse(0, whole[:length])
        assert isinstance(found, Frame)
        assert found.inner is None or found.inner.kind == "other"
