"""Errors an operator can act on.  Every message names the thing, what is wrong with it and what to do."""

from __future__ import annotations


class MultisiteError(Exception):
    """Base of all errors shown to operators; ``status`` is the HTTP status the API answers with."""

    status = 500


class Invalid(MultisiteError):
    """A field of a request is wrong; the message begins with the field's name."""

    status = 400


class NotFound(MultisiteError):
    status = 404


class Conflict(MultisiteError):
    """The request is right but the present state forbids it."""

    status = 409


class Unavailable(MultisiteError):
    """Something the service needs cannot be used now; nothing is wrong with the request."""

    status = 503


class Forbidden(MultisiteError):
    status = 403
