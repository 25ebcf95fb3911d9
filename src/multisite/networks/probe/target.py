"""Which addresses may be asked: callers choose them, and the service asks from where it runs."""

from __future__ import annotations

import ipaddress

from multisite.domain.errors import Invalid

_THIS_HOST = ipaddress.ip_network("0.0.0.0/8")  # RFC 1122, 3.2.1.3


def member_address(text: str) -> str:
    """The address as it is written usually.  Invalid for what is none, and for what leads to this host or its link.

    Loopback, link-local (with it the metadata service, 169.254.169.254), multicast, unspecified and reserved ones, also
    as IPv6 writes IPv4 (``::ffff:127.0.0.1``, RFC 4291).
    """
    try:
        found = ipaddress.ip_address(text)
    except ValueError as error:
        raise Invalid(f"address: {text!r} is not an IP address") from error
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None) or found
    if (
        inner in _THIS_HOST
        or inner.is_loopback
        or inner.is_link_local
        or inner.is_multicast
        or inner.is_unspecified
        or inner.is_reserved
        or getattr(found, "scope_id", None)
    ):
        raise Invalid(f"address: {text} is not an address of a member")
    return str(found)
