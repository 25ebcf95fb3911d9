"""The ledger: what becomes of each field that a service may answer (see the README)."""

from __future__ import annotations

from multisite.clouds.ledger import block_storage, compute, image, network, routing
from multisite.clouds.ledger.model import Kind

LEDGER: tuple[Kind, ...] = (
    *compute.KINDS, *block_storage.KINDS, *image.KINDS, *network.KINDS, *routing.KINDS,
)  # fmt: skip
"""All tables, in the order of docs/ledger.md and of notes."""
