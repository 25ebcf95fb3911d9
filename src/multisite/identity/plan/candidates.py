"""What is compared: the candidates of OPNFV's document multisite-identity-service-management, and JWS."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from multisite.identity.topology.model import Form


class Format(StrEnum):
    """``UUID`` and ``PKI`` were removed upstream; what they would cost is still computed."""

    FERNET = "fernet"
    JWS = "jws"
    UUID = "uuid"
    PKI = "pki"


class Shape(StrEnum):
    """How the identity data reaches the sites."""

    CLUSTER = "cluster"
    MULTI_CLUSTER = "multi-cluster"
    STAR = "star"
    FEDERATION = "federation"
    CENTRALIZED = "centralized"


@dataclass(frozen=True)
class Candidate:
    """``name``: on the command line.  ``form``: what ``topology.model`` calls it, if it can run."""

    shape: Shape
    format: Format

    @property
    def name(self) -> str:
        if self.shape == Shape.FEDERATION:
            return "federation"
        return f"{self.shape}-{self.format}"

    @property
    def removed(self) -> str:
        """When upstream removed the token format; "" for what can run today."""
        return REMOVED.get(self.format, "")

    @property
    def form(self) -> Form | None:
        if self.removed or self.shape == Shape.FEDERATION:
            return None
        return Form(self.shape.value)

    @property
    def title(self) -> str:
        return _TITLES[self.shape].format(_WORDS[self.format])


REMOVED = {
    Format.PKI: "removed upstream in Ocata (2017)",
    Format.UUID: "removed upstream in Rocky (2018)",
}
"""Keystone's release notes of Ocata (PKI and PKIZ providers) and of Rocky (uuid provider, sql persistence)."""

_WORDS = {Format.FERNET: "Fernet", Format.JWS: "JWS", Format.UUID: "UUID", Format.PKI: "PKI"}
_TITLES = {
    Shape.CLUSTER: "distributed, {} tokens, one synchronous cluster over all sites",
    Shape.MULTI_CLUSTER: "distributed, {} tokens, asynchronous copies of one writing cluster",
    Shape.STAR: "distributed, {} tokens, star: two master sites, two replicas in every other",
    Shape.FEDERATION: "Keystone of its own in every site, federated with every other",
    Shape.CENTRALIZED: "centralized, {} tokens",
}

ALL = (
    Candidate(Shape.CLUSTER, Format.FERNET),
    Candidate(Shape.MULTI_CLUSTER, Format.FERNET),
    Candidate(Shape.STAR, Format.FERNET),
    Candidate(Shape.CLUSTER, Format.JWS),
    Candidate(Shape.STAR, Format.JWS),
    Candidate(Shape.CLUSTER, Format.UUID),
    Candidate(Shape.CLUSTER, Format.PKI),
    Candidate(Shape.FEDERATION, Format.FERNET),
    Candidate(Shape.CENTRALIZED, Format.FERNET),
    Candidate(Shape.CENTRALIZED, Format.JWS),
    Candidate(Shape.CENTRALIZED, Format.UUID),
    Candidate(Shape.CENTRALIZED, Format.PKI),
)


def named(name: str) -> Candidate:
    """The candidate of that name (KeyError when there is none)."""
    return {candidate.name: candidate for candidate in ALL}[name]
