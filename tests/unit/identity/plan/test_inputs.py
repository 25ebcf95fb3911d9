"""The question, checked: what is wrong is named, with what to do."""

from __future__ import annotations

import pytest

from multisite.domain.errors import Invalid
from multisite.identity.plan.inputs import Link, load, uniform

GOOD = """
version: 1
sites:
  - {name: paris, owner: acme, users: 100, logins_per_second: 1, requests_per_second: 10}
  - {name: lyon, owner: acme}
links:
  default: {round_trip_ms: 20, bandwidth_mbit: 1000}
  between:
    - {sites: [paris, lyon], round_trip_ms: 6, bandwidth_mbit: 10000}
role_changes_per_hour: 20
"""
LINK = Link(round_trip_ms=20, bandwidth_mbit=1000)


def test_a_plan_file_is_read() -> None:
    found = load(GOOD)
    assert [site.name for site in found.sites] == ["paris", "lyon"]
    assert found.links.between[0].round_trip_ms == 6
    assert found.tokens.rotation_interval == 86_400


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("version: 1", "version: 2"), "version: Input should be 1, not 2"),
        (("version: 1", ""), "version: is missing; add it"),
        (
            ("users: 100", "users: -5"),
            "sites[0] (paris).users: Input should be greater than or equal to 0, not -5",
        ),
        (("users: 100", "users: many"), "sites[0] (paris).users: Input should be a valid integer"),
        (("users: 100", "user: 100"), "sites[0] (paris).user: is not a field of a plan"),
        (("logins_per_second: 1,", "logins_per_second: .inf,"), "sites[0] (paris).logins_per_second: "),
        (("logins_per_second: 1,", "logins_per_second: .nan,"), "sites[0] (paris).logins_per_second: "),
        (("name: lyon", "name: paris"), "sites: 'paris' is there more than once"),
        (("name: lyon", "name: '(arbitrator)'"), "sites[1] ((arbitrator)).name: "),
        (("sites: [paris, lyon]", "sites: [paris, rome]"), "links.between[0].sites: there is no site 'rome'"),
        (
            ("sites: [paris, lyon]", "sites: [paris, paris]"),
            "links.between[0].sites: a link joins two different",
        ),
        (("sites: [paris, lyon]", "sites: [paris]"), "links.between[0].sites[1]: is missing"),
        (("bandwidth_mbit: 1000}", "bandwidth_mbit: 0}"), "links.default.bandwidth_mbit: "),
        (("role_changes_per_hour: 20", "role_changes_per_hour: -1"), "role_changes_per_hour: "),
        (("role_changes_per_hour: 20", "masters: [paris, rome]"), "masters: there is no site 'rome'"),
        (
            ("role_changes_per_hour: 20", "masters: [paris]"),
            "masters: the master cluster is two different sites",
        ),
        (("role_changes_per_hour: 20", "central: rome"), "central: there is no site 'rome'"),
        (("lyon, owner: acme", "lyon, owner: other}\n  - {name: x"), None),
        (
            ("role_changes_per_hour: 20", "application_credential_logins: 1.5"),
            "application_credential_logins: ",
        ),
        (("role_changes_per_hour: 20", "tokens: {expiration: 0}"), "tokens.expiration: "),
    ],
)
def test_what_is_wrong_is_named(change: tuple[str, str], said: str | None) -> None:
    changed = GOOD.replace(*change)
    assert changed != GOOD
    if said is None:  # the control: another change that harms nothing
        assert len(load(changed).sites) == 3
        return
    with pytest.raises(Invalid) as raised:
        load(changed)
    assert str(raised.value).startswith(said)
    assert ";" in str(raised.value)  # what to do


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "plan: has to be a mapping"),
        ("- 1\n- 2", "plan: has to be a mapping"),
        ("version: 1\nsites: [", "plan: not a YAML document in line"),
        ("version: 1\nsites: []", "sites: "),
        ("version: 1\nsites: 7", "sites: "),
        ("!!python/object/apply:os.system [id]", "plan: not a YAML document"),
    ],
)
def test_what_is_no_plan(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        load(text)


def test_a_pair_without_a_link_is_named() -> None:
    text = GOOD.replace("  default: {round_trip_ms: 20, bandwidth_mbit: 1000}\n", "")
    assert load(text)
    more = text.replace("links:", "  - {name: rome}\nlinks:")
    with pytest.raises(Invalid, match=r"nothing about lyon and rome; add the pair, or links\.default"):
        load(more)


def test_many_errors_are_not_all_shown() -> None:
    sites = "\n".join(f"  - {{name: s{n}, users: -1 }}" for n in range(9))
    with pytest.raises(Invalid) as raised:
        load(f"version: 1\nsites:\n{sites}")
    assert str(raised.value).count("users") == 5
    assert str(raised.value).endswith("and 4 more")


def test_masters_of_several_owners_are_not_chosen_by_hand() -> None:
    text = GOOD.replace("lyon, owner: acme", "lyon, owner: other") + "masters: [paris, lyon]\n"
    with pytest.raises(Invalid, match="masters: cannot be chosen for sites of several owners"):
        load(text)


def test_equal_sites_share_everything() -> None:
    found = uniform(3, users=10, logins=6, requests=9, link=LINK)
    assert [site.users for site in found.sites] == [4, 3, 3]
    assert {site.logins_per_second for site in found.sites} == {2}
    assert {site.requests_per_second for site in found.sites} == {3}


@pytest.mark.parametrize("count", [0, -1, 501])
def test_how_many_sites(count: int) -> None:
    with pytest.raises(Invalid, match="sites: "):
        uniform(count, users=1, logins=1, requests=1, link=LINK)
