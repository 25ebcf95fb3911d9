"""Bytes of a token, of an answer, and of an exchange on the wire."""

from __future__ import annotations

from math import ceil

from multisite.identity.plan import constants as c
from multisite.identity.plan.candidates import Format
from multisite.identity.plan.inputs import Inputs


def body(inputs: Inputs, regions: int, *, catalog: bool = True) -> float:
    """Of a token's JSON (the answer to a login and to a validation), with the catalog of ``regions``."""
    if not catalog:
        return c.BODY.value
    endpoint = c.BODY_ENDPOINT.value + inputs.endpoint_url_bytes
    per_region = inputs.endpoints_per_region * endpoint
    return c.BODY.value + inputs.services_per_region * c.BODY_SERVICE.value + regions * per_region


def token(inputs: Inputs, format_: Format, regions: int) -> float:
    """In a request's header.  Only a PKI token grows with the catalog: it is the signed body in base64."""
    if format_ == Format.PKI:
        return 4.0 * ceil((body(inputs, regions) + c.PKI_SIGNATURE.value) / 3)
    return {Format.FERNET: c.TOKEN_FERNET, Format.JWS: c.TOKEN_JWS, Format.UUID: c.TOKEN_UUID}[format_].value


def payload(content: float) -> float:
    """Content with the headers of its packets and their acknowledgements."""
    return content * c.WIRE_PER_BYTE.value


def validation(inputs: Inputs, format_: Format, regions: int) -> float:
    """auth_token asks, Keystone answers: the service's token and the user's, and the body."""
    answer = body(inputs, regions, catalog=inputs.validation_catalog)
    return c.VALIDATION.value + payload(2 * token(inputs, format_, regions) + answer)


def login(inputs: Inputs, format_: Format, regions: int) -> float:
    """A new connection, discovery, the request, and an answer with token and catalog."""
    return c.LOGIN.value + payload(token(inputs, format_, regions) + body(inputs, regions))


def write_request(inputs: Inputs, format_: Format, regions: int) -> float:
    """A change asked of a Keystone in another site, over a connection that is open."""
    return c.WRITE_REQUEST.value + payload(token(inputs, format_, regions))


def federated_login(inputs: Inputs, partners: int) -> float:
    """An assertion of the own Keystone presented elsewhere, and a scoped token (that site's catalog, its partners)."""
    answer = body(inputs, 1) + partners * c.SERVICE_PROVIDER.value
    token_bytes = c.TOKEN_FERNET.value
    return c.FEDERATED_LOGIN.value + payload(c.ASSERTION.value + 2 * token_bytes + answer)


def revocation_list(revoked: float) -> float:
    """PKI: the list of revoked tokens, fetched by every service."""
    content = 4.0 * ceil((revoked * c.REVOKED_TOKEN.value + c.PKI_SIGNATURE.value) / 3)
    return c.VALIDATION.value + payload(content + 2 * c.TOKEN_UUID.value)


def token_row(inputs: Inputs, regions: int) -> float:
    """UUID: the row a login writes, with the body in it."""
    return body(inputs, regions) + c.TOKEN_ROW.value
