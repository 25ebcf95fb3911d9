"""How a loss is named: by what tells which thing it is of, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.manifest import Manifest
from multisite.recovery.recover.losses import LOSSES, LossNames, accepted_losses, option
from multisite.recovery.recover.mapping import parse
from tests.unit.recovery.recover_samples import FLAVOR, look, manifest

DISKS = replace(FLAVOR, ephemeral_gib=20, swap_mib=512)


def named(*names: str) -> Manifest:
    """Servers of these names with an ephemeral disk; their ids are id-web1, id-web2 ..."""
    point = manifest(len(names))
    servers = tuple(replace(s, name=name, flavor=DISKS) for s, name in zip(point.servers, names, strict=True))
    return replace(point, servers=servers)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("mme-1", "--accept-loss ephemeral-disk:mme-1"),
        ("a:b=c", "--accept-loss ephemeral-disk:a:b=c"),
        ("my mme", "--accept-loss 'ephemeral-disk:my mme'"),
        ("узел", "--accept-loss 'ephemeral-disk:узел'"),
        ("twin", "--accept-loss ephemeral-disk:id-web1"),
        ("id-web2", "--accept-loss ephemeral-disk:id-web1"),
        ("a\nb", "--accept-loss ephemeral-disk:id-web1"),
        (" ", "--accept-loss ephemeral-disk:id-web1"),
        ("", "--accept-loss ephemeral-disk:id-web1"),
    ],
)
def test_what_is_to_be_typed_names_one_thing(name: str, typed: str) -> None:
    point = named(name, "twin")
    loss = LossNames(point).of("ephemeral-disk", "id-web1", name)
    assert option(loss) == typed
    assert accepted_losses(parse({"accept_loss": [loss.text]}).accept_loss, point) == {
        ("ephemeral-disk", "id-web1")
    }


def test_an_id_wins_over_a_name() -> None:
    point = named("id-web2", "other")
    assert accepted_losses(["ephemeral-disk:id-web2"], point) == {("ephemeral-disk", "id-web2")}


def test_a_name_of_several_accepts_nothing() -> None:
    with pytest.raises(
        Invalid, match="accept_loss: ephemeral-disk: 'twin' is the name of 2 things; use one of id-w"
    ):
        look(named("twin", "twin"), mapping={"accept_loss": ["ephemeral-disk:twin"]})


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_of_nothing_is_a_slip(kind: str) -> None:
    with pytest.raises(
        Invalid, match=f"mapping.accept_loss: {kind}: the restore point has no 'slip'; it has: "
    ):
        look(mapping={"accept_loss": [f"{kind}:slip"]})


@pytest.mark.parametrize(
    "text", ["", "ephemeral-disk", "ephemeral-disk:", ":mme-1", "Disk:mme-1", "swap-disk:a\nb", 3]
)
def test_what_names_no_loss_is_refused_with_the_field(text: object) -> None:
    with pytest.raises(Invalid, match=r"^mapping\.accept_loss\.0: "):
        parse({"accept_loss": [text]})
    assert parse({"accept_loss": ["swap-disk:mme-1"]}).accept_loss == ["swap-disk:mme-1"]


def test_it_must_be_a_list() -> None:
    with pytest.raises(Invalid, match=r"^mapping\.accept_loss: "):
        parse({"accept_loss": "swap-disk:mme-1"})
