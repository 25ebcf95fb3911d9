"""What the formats removed upstream would cost: a CMS signature by openssl, rows of its token table to a replica."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.identity.measure import Findings, spent
from bench.identity.servers import Node
from bench.identity.site_networks import Counted, SiteNetworks, checked

_TABLE = (
    "CREATE TABLE keystone.token_of_pike (id VARCHAR(64) PRIMARY KEY, expires DATETIME, extra TEXT,"
    " valid TINYINT(1) NOT NULL, trust_id VARCHAR(64), user_id VARCHAR(64),"
    " INDEX (expires), INDEX (expires, valid), INDEX (user_id), INDEX (trust_id))"
)
"""As of Keystone 12 (Pike), the last release with UUID tokens."""
_ROWS = 20


def signature(folder: Path, findings: Findings) -> None:
    """Bytes that signing adds before base64, with the options python-keystoneclient's cms module still has."""
    key, certificate = folder / "pki.key", folder / "pki.pem"
    checked(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate),
         "-days", "1", "-subj", "/C=US/ST=Unset/L=Unset/O=Unset/CN=www.example.com"]
    )  # fmt: skip
    content = json.dumps({"token": "x" * 9000}).encode()
    signed = subprocess.run(
        ["openssl", "cms", "-sign", "-signer", str(certificate), "-inkey", str(key), "-outform", "DER", "-nosmimecap",
         "-nodetach", "-nocerts", "-noattr", "-binary", "-md", "sha256"],
        input=content, capture_output=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    findings.add("PKI_SIGNATURE", len(signed) - len(content))


def rows(networks: SiteNetworks, master: Node, replica: str, findings: Findings, rounds: int) -> None:
    """Bytes of a token's row beyond what a first login's write costs and the body in it."""

    def of(counted: Mapping[str, Counted]) -> float:
        return counted[replica].both

    master.sql(_TABLE)
    extra = 10_000
    for number in range(rounds):
        taken, _ = spent(networks, of, _insert(master, number, extra))
        each = taken / _ROWS
        values = findings.medians
        findings.add(
            "TOKEN_ROW",
            (each - values["ASYNC_WRITE first login of the day"]) / values["WIRE_PER_BYTE"] - extra,
        )


def _insert(master: Node, number: int, extra: int) -> Callable[[], object]:
    values = f"UTC_TIMESTAMP(), REPEAT('x', {extra}), 1, NULL, MD5('somebody')"
    lines = [
        f"INSERT INTO keystone.token_of_pike VALUES (MD5('{number}-{row}'), {values});"
        for row in range(_ROWS)
    ]
    return lambda: master.sql("\n".join(lines))
