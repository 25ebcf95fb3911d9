"""``OpenStack-API-Version: multisite 1.N``: which version of the API a request is written for."""

from __future__ import annotations

from flask import Response, g, request
from microversion_parse import STANDARD_HEADER, Version, get_version, parse_version_string
from werkzeug.exceptions import NotAcceptable

SERVICE_TYPE = "multisite"
MIN_VERSION = "1.0"
MAX_VERSION = "1.0"


def _range() -> tuple[Version, Version]:
    return parse_version_string(MIN_VERSION), parse_version_string(MAX_VERSION)


def wanted() -> Version:
    """The version asked for, the oldest one when none is; 406 for one we do not have."""
    minimum, maximum = _range()
    text = get_version({k.lower(): v for k, v in request.headers.items()}, SERVICE_TYPE)
    if text is None:
        return minimum
    if text == "latest":
        return maximum
    try:
        version = parse_version_string(text)
    except (TypeError, ValueError) as error:
        raise NotAcceptable(f"{STANDARD_HEADER}: {text!r} is not a version like {MAX_VERSION}") from error
    if not version.matches(minimum, maximum):
        raise NotAcceptable(
            f"{STANDARD_HEADER}: version {text} is not offered, only {MIN_VERSION} to {MAX_VERSION}"
        )
    return version


def check() -> None:
    """Before every request: refuse a version we do not have."""
    g.microversion = wanted()


def announce(response: Response) -> Response:
    """After every request: say which version was used and that the answer depends on the header."""
    used = g.get("microversion") or parse_version_string(MIN_VERSION)
    response.headers[STANDARD_HEADER] = f"{SERVICE_TYPE} {used}"
    response.headers.add("Vary", STANDARD_HEADER)
    return response
