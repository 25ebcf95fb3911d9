"""What a recovery cannot bring back, or not as it was, by kind; and which of it the operator accepts, by name.

``--accept-loss ephemeral-disk:mme-1`` names one loss: its kind, and the name or id of the thing in the source.
``Draft.loss`` refuses what is not accepted.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from multisite.domain.errors import Invalid
from multisite.domain.host_data import boot_volumes, has_vtpm
from multisite.domain.manifest import FlavorRecord, Manifest, ServerRecord
from multisite.recovery.recover.mapping import Things, check_one

FIELD = "mapping.accept_loss"
REPLICATION = "volume-replication"
"""The protection method whose restore points may have come only in part."""
_DEVICES = ("pci_passthrough:alias", "accel:device_profile")


@dataclass(frozen=True)
class LossKind:
    """``noun``: what it is lost of; ``things``: those of a restore point that can lose it."""

    noun: str
    things: Callable[[Manifest], Things]


@dataclass(frozen=True)
class Loss:
    """``text``: as it is named to accept it; ``id``: of the thing in the source."""

    text: str
    id: str


def _servers(has: Callable[[ServerRecord], object]) -> Callable[[Manifest], Things]:
    return lambda manifest: [(s.id, s.name) for s in manifest.servers if has(s)]


def _with_vtpm(manifest: Manifest) -> Things:
    volumes = boot_volumes(manifest)
    images = {id: volume.image_metadata for id, volume in volumes.items()}
    return [(s.id, s.name) for s in manifest.servers if has_vtpm(s.flavor.extra_specs, images.get(s.id, {}))]


def _encrypted(manifest: Manifest) -> Things:
    return [(v.id, v.name) for v in manifest.volumes if v.encrypted_type_id is not None]


def _sriov_ports(manifest: Manifest) -> Things:
    return [(p.id, p.name) for p in manifest.ports if p.vnic_type != "normal"]


def devices(flavor: FlavorRecord) -> dict[str, str]:
    """Extra specs that ask for devices of the host."""
    return {name: flavor.extra_specs[name] for name in _DEVICES if flavor.extra_specs.get(name)}


def _physical_networks(manifest: Manifest) -> Things:
    return [(n.id, n.name) for n in manifest.networks if n.provider]


def _replicated(manifest: Manifest) -> Things:
    kept = ((v, v.payload) for v in manifest.volumes)
    return [(v.id, v.name) for v, payload in kept if payload and payload.method == REPLICATION]


def _trunks(manifest: Manifest) -> Things:
    return [(t.id, t.name) for t in manifest.trunks]


LOSSES: dict[str, LossKind] = {
    "ephemeral-disk": LossKind("server", _servers(lambda s: s.flavor.ephemeral_gib)),
    "swap-disk": LossKind("server", _servers(lambda s: s.flavor.swap_mib)),
    "host-name": LossKind("server", _servers(lambda s: s.hostname)),
    "encrypted-volume": LossKind("volume", _encrypted),
    "vtpm": LossKind("server", _with_vtpm),
    "pci-device": LossKind("server", _servers(lambda s: devices(s.flavor))),
    "sr-iov-port": LossKind("port", _sriov_ports),
    "physical-network": LossKind("network", _physical_networks),
    "replication": LossKind("volume", _replicated),
    "trunk": LossKind("trunk", _trunks),
}
"""Every loss that can be accepted, by its name."""


def accepted_losses(texts: Iterable[str], manifest: Manifest) -> frozenset[tuple[str, str]]:
    """Kind and source id of each loss that is accepted.

    Raises Invalid naming the field for what the restore point has not, and for a name that several have: a loss
    nobody named is not accepted.
    """
    found = set()
    for text in texts:
        kind, _, named = text.partition(":")
        if kind not in LOSSES:
            raise Invalid(f"{FIELD}: there is no loss {kind!r}; there are: {', '.join(sorted(LOSSES))}")
        things = list(LOSSES[kind].things(manifest))
        check_one(f"{FIELD}: {kind}", named, things)
        ids = [id for id, _ in things if id == named] or [id for id, name in things if name == named]
        found.add((kind, ids[0]))
    return frozenset(found)


class LossNames:
    """How losses of one restore point are named; what can lose something is looked up once for each kind."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._by_kind: dict[str, Counter[str]] = {}

    def of(self, kind: str, id: str, name: str) -> Loss:
        """The loss as an operator names it: by the thing's id where its name does not tell which."""
        if kind not in self._by_kind:
            things = set(LOSSES[kind].things(self._manifest))
            self._by_kind[kind] = Counter(word for thing in things for word in set(thing))
        clear = name.strip() and name.isprintable() and self._by_kind[kind][name] == 1
        return Loss(f"{kind}:{name if clear else id}", id)


def option(loss: Loss) -> str:
    """What to type to accept it."""
    return f"--accept-loss {shlex.quote(loss.text)}"
