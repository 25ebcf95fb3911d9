"""URLs of requests: an id or a name is one segment of a path, whatever is in it.

HTTP clients resolve ``..`` before they send (RFC 3986, 5.2.4), and WSGI servers decode ``%2F`` before they route: a
name with either would reach another thing than it says.
"""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import quote

from openstack.exceptions import InvalidRequest


def url(*segments: str) -> str:
    """``url("sites", "paris", "check")`` is ``/sites/paris/check``; raises InvalidRequest as ``segment``."""
    return "/" + "/".join(segment(value, before) for before, value in pairwise(("", *segments)))


def segment(value: str, noun: str = "") -> str:
    """An id or a name, quoted; raises openstack.exceptions.InvalidRequest for what no URL can say."""
    if value in ("", ".", "..") or "/" in value or not value.isprintable():
        raise InvalidRequest(
            f"{noun}: {value!r} is no id and no name: neither is empty, '.' or '..', nor has '/' or control"
            " characters in it; give the id"
        )
    return quote(value, safe="")
