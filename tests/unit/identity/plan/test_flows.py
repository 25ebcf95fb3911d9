"""A small example, calculated by hand from the constants."""

from __future__ import annotations

import pytest

from multisite.identity.plan import constants as c
from multisite.identity.plan.candidates import Candidate, named
from multisite.identity.plan.demand import Write
from multisite.identity.plan.flows import Cause, Flow, flows, question
from multisite.identity.plan.inputs import Inputs, checked
from multisite.identity.plan.places import places

SITES = [
    {"name": "a", "users": 8640, "logins_per_second": 1.0, "requests_per_second": 30.0},
    {"name": "b", "users": 8640, "logins_per_second": 1.0, "requests_per_second": 20.0},
    {"name": "c", "users": 8640, "logins_per_second": 1.0, "requests_per_second": 10.0},
]
FIRST = c.ASYNC_WRITE[Write.FIRST_LOGIN].value


def asked(**more: object) -> Inputs:
    return checked({"version": 1, "sites": SITES, "token_cache_time": 0} | more)


def of(name: str, inputs: Inputs) -> dict[tuple[Cause, str, str], float]:
    candidate = named(name)
    made = flows(question(inputs, candidate, places(candidate, inputs)))
    return {(flow.cause, flow.source, flow.target): flow.rate for flow in made}


def test_centralized() -> None:
    found = of("centralized-fernet", asked(validation_catalog=False))
    each = c.VALIDATION.value + c.WIRE_PER_BYTE.value * (2 * 183 + c.BODY.value)
    body = c.BODY.value + 6 * c.BODY_SERVICE.value + 3 * 18 * (c.BODY_ENDPOINT.value + 22)
    login = c.LOGIN.value + c.WIRE_PER_BYTE.value * (183 + body)
    assert found == {
        (Cause.VALIDATION, "b", "a"): pytest.approx(20 * each),
        (Cause.VALIDATION, "c", "a"): pytest.approx(10 * each),
        (Cause.LOGIN, "b", "a"): pytest.approx(login),
        (Cause.LOGIN, "c", "a"): pytest.approx(login),
    }


def test_a_star() -> None:
    found = of("star-fernet", asked())
    assert Cause.VALIDATION not in {cause for cause, _, _ in found}
    # 0.3 writes a second reach c from either master; a heartbeat only when 2 s passed without a write
    for master in ("a", "b"):
        assert found[Cause.REPLICATION, master, "c"] == pytest.approx(
            0.3 * FIRST + (_acks("c") if master else 0), rel=0.6
        )
    assert (Cause.LOGIN, "c", "a") in found
    assert (Cause.LOGIN, "b", "a") not in found


def _acks(site: str) -> float:
    return 0.2 * c.GALERA_ACK.value if site else 0.0


def test_a_replica_gets_every_write_once_per_master() -> None:
    candidate = named("star-fernet")
    sites = [*SITES, {"name": "d"}]
    inputs = checked({"version": 1, "sites": sites, "token_cache_time": 0})
    found = of(candidate.name, inputs)
    for master in ("a", "b"):
        assert found[Cause.REPLICATION, master, "d"] == pytest.approx(0.3 * FIRST)
        assert found[Cause.IDLE, master, "d"] == pytest.approx(
            c.ASYNC_HEARTBEAT.value / 2 * 2.718281828 ** (-0.3 * 2)
        )
    assert (Cause.REPLICATION, "c", "d") not in found


def test_a_cluster() -> None:
    found = of("cluster-fernet", asked())
    sets = c.GALERA_WRITE[Write.FIRST_LOGIN].value
    acknowledged = 0.2 * c.GALERA_SETS[Write.FIRST_LOGIN].value * c.GALERA_ACK.value
    assert found[Cause.REPLICATION, "a", "b"] == pytest.approx(0.1 * sets + acknowledged)
    assert found[Cause.IDLE, "a", "b"] == c.GALERA_IDLE.value + 2 * c.GALERA_IDLE_REPLY.value
    pairs = {(source, target) for cause, source, target in found if cause == Cause.IDLE}
    assert pairs == {(one, other) for one in "abc" for other in "abc" if one != other}


def test_uuid_writes_every_login_twice() -> None:
    fernet, uuid = (of(f"cluster-{kind}", asked()) for kind in ("fernet", "uuid"))
    rows = {key: rate for key, rate in uuid.items() if key[0] == Cause.TOKEN_ROWS}
    assert {key: rate for key, rate in uuid.items() if key not in rows} == fernet
    body = c.BODY.value + 6 * c.BODY_SERVICE.value + 3 * 18 * (c.BODY_ENDPOINT.value + 22)
    row = c.GALERA_WRITE[Write.FIRST_LOGIN].value + c.WIRE_PER_BYTE.value * (body + c.TOKEN_ROW.value)
    assert rows[Cause.TOKEN_ROWS, "a", "b"] == pytest.approx(2 * row)


def test_federation_crosses_only_with_logins() -> None:
    found = of("federation", asked())
    assert {cause for cause, _, _ in found} == {Cause.LOGIN}
    assert len(found) == 6
    assert len(set(found.values())) == 1


def test_application_credentials_keep_logins_at_home_in_a_star() -> None:
    found = of("star-fernet", asked(application_credential_logins=1.0))
    assert Cause.LOGIN not in {cause for cause, _, _ in found}
    # the control: one central Keystone still gets them all
    assert Cause.LOGIN in {
        cause for cause, _, _ in of("centralized-fernet", asked(application_credential_logins=1.0))
    }


def test_masters_and_centre_chosen_by_hand() -> None:
    inputs = asked(masters=["c", "b"], central="b")
    assert places(named("star-fernet"), inputs).writers == ("c", "b")
    assert places(named("centralized-jws"), inputs).central == "b"


def test_one_site_has_no_traffic() -> None:
    one = checked({"version": 1, "sites": SITES[:1]})
    for candidate in (
        named("cluster-fernet"),
        named("star-jws"),
        named("centralized-uuid"),
        named("federation"),
    ):
        assert of(candidate.name, one) == {}


def test_a_flow_never_stays_at_home() -> None:
    def names(candidate: Candidate) -> list[Flow]:
        inputs = asked()
        return list(flows(question(inputs, candidate, places(candidate, inputs))))

    from multisite.identity.plan.candidates import ALL

    assert all(flow.source != flow.target for candidate in ALL for flow in names(candidate))
