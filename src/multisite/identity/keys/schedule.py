"""How long keys are needed, how many that makes, when the next rotation is due.  Times are seconds since 1970."""

from __future__ import annotations

from multisite.domain.errors import Invalid
from multisite.identity.keys.repository import Kind
from multisite.identity.numbers import keys_for
from multisite.identity.topology.model import Tokens

RECEIPT_LIFE = 86_400
"""The longest ``[receipt] expiration`` Keystone accepts: right for every setting; old keys are kept a day."""
CREDENTIAL_KEYS = 3
"""keystone/credential/providers/fernet/core.py: MAX_ACTIVE_KEYS, not configurable."""


def lifetime(kind: Kind, tokens: Tokens) -> int:
    """Seconds after which nothing made with a key that is no longer primary is accepted any more.

    Services may fetch a token up to ``allow_expired_window`` after its end (Keystone, ``[token]
    allow_expired_window``): the key has to be there that long.  Credentials never expire: they are migrated.
    """
    if kind == Kind.RECEIPTS:
        return RECEIPT_LIFE
    return 0 if kind == Kind.CREDENTIAL else tokens.expiration + tokens.allow_expired_window


def key_count(kind: Kind, tokens: Tokens) -> int:
    """``max_active_keys`` of a repository.  Raises Invalid."""
    if kind == Kind.CREDENTIAL:
        return CREDENTIAL_KEYS
    if tokens.rotation_interval <= 0:
        raise Invalid(f"tokens.rotation_interval: {tokens.rotation_interval} s; it has to be above 0")
    return keys_for(lifetime(kind, tokens), tokens.rotation_interval)


def check_key_count(tokens: Tokens, count: int) -> None:
    """Refuse a ``[fernet_tokens] max_active_keys`` with which living tokens would be refused (Invalid)."""
    needed = key_count(Kind.TOKENS, tokens)
    if count < needed:
        raise Invalid(
            f"max_active_keys: {count} is too few: tokens live {tokens.expiration} s and are fetched up to"
            f" {tokens.allow_expired_window} s later; rotating every {tokens.rotation_interval} s that needs {needed}."
            " Set it to that, or rotate less often"
        )


def next_rotation(kind: Kind, tokens: Tokens, since: float) -> float | None:
    """When the key that became primary at ``since`` is to be replaced; None: only when an operator asks."""
    return None if kind == Kind.CREDENTIAL else since + tokens.rotation_interval
