"""What has to hold for any sites and any load."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from multisite.identity.plan.assess import assess_all
from multisite.identity.plan.candidates import ALL
from multisite.identity.plan.flows import flows, question
from multisite.identity.plan.inputs import Inputs, Link, checked, uniform
from multisite.identity.plan.places import places
from multisite.identity.plan.recommend import recommend
from multisite.identity.plan.verdict import plan

LINK = Link(round_trip_ms=20, bandwidth_mbit=1000)
RATE = st.floats(0, 1000, allow_nan=False)
SETTINGS = settings(max_examples=40, deadline=None)
SITE = st.fixed_dictionaries(
    {"users": st.integers(0, 10**6), "logins_per_second": RATE, "requests_per_second": RATE,
     "owner": st.sampled_from(["", "acme"])}
)  # fmt: skip


@st.composite
def any_inputs(draw: st.DrawFn) -> Inputs:
    sites = draw(st.lists(SITE, min_size=1, max_size=9))
    return checked({
        "version": 1,
        "sites": [{"name": f"s{n}"} | site for n, site in enumerate(sites)],
        "role_changes_per_hour": draw(RATE),
        "revocations_per_hour": draw(RATE),
        "endpoints_per_region": draw(st.integers(1, 60)),
        "token_cache_time": draw(st.integers(0, 600)),
        "application_credential_logins": draw(st.floats(0, 1)),
        "validation_catalog": draw(st.booleans()),
        "sites_per_cluster": draw(st.integers(1, 4)),
    })  # fmt: skip


def totals(inputs: Inputs) -> dict[str, float]:
    return {
        candidate.name: sum(
            flow.rate for flow in flows(question(inputs, candidate, places(candidate, inputs)))
        )
        for candidate in ALL
    }


@SETTINGS
@given(any_inputs())
def test_nothing_is_negative_and_causes_add_up(inputs: Inputs) -> None:
    for found in assess_all(inputs):
        assert all(rate >= 0 for _, rate in found.traffic.by_cause)
        assert abs(sum(rate for _, rate in found.traffic.by_cause) - found.traffic.per_second) <= 1e-6 * max(
            1.0, found.traffic.per_second
        )
        load = found.burden
        assert (
            min(
                load.write_ms,
                load.validation_ms,
                load.secrets_per_day,
                load.public_keys_per_day,
                load.mappings,
            )
            >= 0
        )
        assert load.quorum * 2 > load.votes
        assert found.token_bytes > 0
        assert found.body_bytes > 0


@SETTINGS
@given(any_inputs(), st.randoms(use_true_random=False))
def test_the_order_of_the_sites_changes_nothing(inputs: Inputs, dice: random.Random) -> None:
    shuffled = list(inputs.sites)
    dice.shuffle(shuffled)
    other = inputs.model_copy(update={"sites": tuple(shuffled)})
    one, two = plan(inputs), plan(other)
    assert [j.verdict for j in one.candidates] == [j.verdict for j in two.candidates]
    assert [j.why for j in one.candidates] == [j.why for j in two.candidates]
    assert one.recommendation.name == two.recommendation.name
    for first, second in zip(one.candidates, two.candidates, strict=True):
        assert first.assessment.cuts == second.assessment.cuts
        assert abs(first.assessment.traffic.per_second - second.assessment.traffic.per_second) <= 1e-9 * max(
            1.0, first.assessment.traffic.per_second
        )


@SETTINGS
@given(st.integers(1, 40), st.integers(0, 10**5), st.floats(0, 50), st.floats(0, 500))
def test_one_more_equal_site_never_lowers_traffic(
    sites: int, users: int, logins: float, requests: float
) -> None:
    def asked(number: int) -> Inputs:
        return uniform(
            number, users=users * number, logins=logins * number, requests=requests * number, link=LINK,
            role_changes_per_hour=20 * number,
        )  # fmt: skip

    fewer, more = totals(asked(sites)), totals(asked(sites + 1))
    for name, rate in fewer.items():
        assert more[name] >= rate * (1 - 1e-9), name


@SETTINGS
@given(any_inputs(), st.floats(1.01, 10), st.sampled_from(["logins_per_second", "requests_per_second"]))
def test_more_load_never_lowers_traffic(inputs: Inputs, factor: float, field: str) -> None:
    more = inputs.model_copy(
        update={
            "sites": tuple(
                site.model_copy(update={field: min(1e9, getattr(site, field) * factor)})
                for site in inputs.sites
            ),
            # who is busiest is a choice of its own
            "central": places(ALL[8], inputs).central,
            "masters": places(ALL[2], inputs).writers if len(inputs.sites) > 1 else (),
        }
    )
    before = inputs.model_copy(update={"central": more.central, "masters": more.masters})
    lower, higher = totals(before), totals(more)
    for name, rate in lower.items():
        # a star's heartbeats stop when writes take their place; a write is more than a heartbeat
        assert higher[name] >= rate * (1 - 1e-9), name


@SETTINGS
@given(st.integers(2, 60), st.floats(1, 500))
def test_a_recommendation_is_always_one_that_can_run(sites: int, round_trip: float) -> None:
    link = Link(round_trip_ms=round_trip, bandwidth_mbit=1000)
    found = recommend(uniform(sites, users=100, logins=1, requests=1, link=link))
    for one in found.per_owner:
        assert one.chosen.candidate.form is not None
        assert one.reasons
