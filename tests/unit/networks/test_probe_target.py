"""Nobody makes the service ask its own host, its link or the metadata service."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Invalid
from multisite.networks.probe.target import member_address

OURS = (
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1",
    "::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1",
)  # fmt: skip


@pytest.mark.parametrize("text", OURS)
def test_the_services_own_host_is_not_asked(text: str) -> None:
    with pytest.raises(Invalid, match="is not an address of a member"):
        member_address(text)


@pytest.mark.parametrize(
    "text", ["localhost", "127.1", "0x7f000001", "010.0.0.1", "10.0.0.1/32", "", "10.0.0.1\n"]
)
def test_only_addresses_are_addresses(text: str) -> None:
    with pytest.raises(Invalid, match="is not an IP address"):
        member_address(text)


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "192.168.251.11", "203.0.113.7", "8.8.8.8", "2001:db8::1", "fd00::1"]
)
def test_members_are_asked(text: str) -> None:
    assert member_address(text) == text
