"""What a proof found: every ordered pair of sites, and every site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from multisite.domain.findings import Finding, Severity, in_sync
from multisite.identity.proof.service import Verdict

_VERDICTS = {True: "proven", False: "wrong", None: "unknown"}


@dataclass(frozen=True)
class Pair:
    """A token of one site at a service of another.

    ``asked``: validations by address, for this token; ``seconds``: of the first validation.
    ``refused_after``: seconds from its revocation at ``issued`` to its refusal; None: accepted until the proof gave up.
    """

    issued: str
    used: str
    verdict: Verdict
    asked: dict[str, int]
    local: bool
    seconds: float | None
    refused_after: float | None
    error: str = ""


@dataclass(frozen=True)
class Lag:
    """Seconds until what was written through the entry was read at a site's own Keystone; None: not seen."""

    site: str
    seconds: float | None
    error: str = ""


@dataclass(frozen=True)
class Report:
    """``bound``: seconds within which a revocation must be known everywhere, by the topology's cache times."""

    topology: str
    bound: float
    pairs: tuple[Pair, ...]
    lags: tuple[Lag, ...]

    @property
    def inter_site(self) -> int:
        """Validations that were asked of another site."""
        return sum(sum(pair.asked.values()) for pair in self.pairs if not pair.local)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, then what could not be found out; never the same as good."""
        found = [finding for pair in self.pairs for finding in _of_pair(pair, self.bound)]
        found += [finding for lag in self.lags for finding in _of_lag(lag)]
        return tuple(sorted(found, key=lambda finding: finding.severity is Severity.UNKNOWN))

    @property
    def in_sync(self) -> bool | None:
        """Proven; None: not everything could be found out."""
        return in_sync(self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            **asdict(self),
            "inter_site_validations": self.inter_site,
            "findings": [asdict(finding) for finding in self.findings],
            "verdict": _VERDICTS[self.in_sync],
        }


def _of_pair(pair: Pair, bound: float) -> Iterator[Finding]:
    site, token = pair.used, f"a token of {pair.issued}"
    if pair.error or pair.verdict == Verdict.UNKNOWN:
        yield _unknown(site, "token", f"{token}: {pair.error or 'no answer'}")
    if pair.verdict == Verdict.REFUSED:
        yield Finding(
            site, "token", f"{token} is refused", f"users of {pair.issued} cannot work at {site}",
            "have both the same keys? (`identity keys status`)",
        )  # fmt: skip
    if pair.verdict == Verdict.ACCEPTED and not pair.local:
        yield Finding(
            site, "validation", f"{token} is validated at {', '.join(pair.asked) or 'no Keystone'}, not in the region",
            "its services stop when that site is cut off",
            "set region_name in [keystone_authtoken] and an internal identity endpoint for the region in the catalog",
        )  # fmt: skip
    if pair.verdict == Verdict.ACCEPTED and not pair.error and pair.refused_after is None:
        yield Finding(
            site, "revocation", f"{token} is still taken after its revocation", "who holds it goes on working",
            "is the site's database stale? (`identity check`)",
        )  # fmt: skip
    if pair.refused_after is not None and pair.refused_after > bound:
        yield Finding(
            site, "revocation",
            f"{token} was accepted for {pair.refused_after:.1f} s after its revocation, {bound:.1f} s are promised",
            "who holds it works longer than planned", f"look at the cache times of {site} (`identity check`)",
        )  # fmt: skip


def _of_lag(lag: Lag) -> Iterator[Finding]:
    if lag.error:
        yield _unknown(lag.site, "replication", lag.error)
    elif lag.seconds is None:
        yield Finding(
            lag.site, "replication", "what is written at the entry does not arrive", "it works with old data",
            "look at its replication (`identity check`)",
        )  # fmt: skip


def _unknown(site: str, kind: str, why: str) -> Finding:
    remedy = "verify again when it answers"
    return Finding(site, kind, why, "nobody can say whether it works", remedy, Severity.UNKNOWN)
