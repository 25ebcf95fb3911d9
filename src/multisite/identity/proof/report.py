"""What a proof found: every ordered pair of sites, and every site."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from multisite.identity.proof.service import Verdict


@dataclass(frozen=True)
class Pair:
    """A token of one site at a service of another.

    ``asked``: validations by address, for this token; ``seconds``: of the first validation.
    ``refused_after``: seconds from its revocation at ``issued`` to its refusal; None: taken until the proof gave up.
    """

    issued: str
    used: str
    verdict: Verdict
    asked: dict[str, int]
    local: bool
    seconds: float | None
    refused_after: float | None
    trouble: str = ""


@dataclass(frozen=True)
class Lag:
    """Seconds until what was written through the entry was read at a site's own Keystone; None: not seen."""

    site: str
    seconds: float | None
    trouble: str = ""


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
    def failures(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        found = []
        for pair in self.pairs:
            where = f"a token of {pair.issued} at {pair.used}"
            if pair.verdict == Verdict.REFUSED:
                found.append(f"{where} is refused: have both the same keys? (`identity keys status`)")
            if pair.verdict == Verdict.TAKEN and not pair.local:
                asked = ", ".join(pair.asked) or "nobody"
                found.append(
                    f"{where} is validated at {asked}, not in the region: set region_name in "
                    f"[keystone_authtoken] and an internal identity endpoint for the region in the catalog"
                )
            if pair.verdict == Verdict.TAKEN and not pair.trouble and pair.refused_after is None:
                found.append(f"{where} is still taken after its revocation: is the site's database stale?")
            if pair.refused_after is not None and pair.refused_after > self.bound:
                found.append(
                    f"{where} was taken for {pair.refused_after:.1f} s after its revocation, {self.bound:.1f} s are "
                    f"promised: look at the cache times of {pair.used} (`identity check`)"
                )
        found += [
            f"what is written does not arrive at {lag.site}: look at its replication (`identity check`)"
            for lag in self.lags
            if lag.seconds is None and not lag.trouble
        ]
        return tuple(found)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What could not be found out; never the same as good."""
        pairs = [
            f"a token of {p.issued} at {p.used}: {p.trouble or 'no answer'}"
            for p in self.pairs
            if p.trouble or p.verdict == Verdict.UNKNOWN
        ]
        return tuple(pairs + [f"{lag.site}: {lag.trouble}" for lag in self.lags if lag.trouble])

    @property
    def status(self) -> int:
        """Exit code: 0 proven, 1 wrong, 2 not everything could be found out."""
        return 1 if self.failures else 2 if self.unknown else 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        verdict = {0: "proven", 1: "wrong", 2: "unknown"}[self.status]
        return {
            **asdict(self),
            "inter_site_validations": self.inter_site,
            "failures": list(self.failures),
            "unknown": list(self.unknown),
            "verdict": verdict,
        }
