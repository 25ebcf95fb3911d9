"""The fakes take what the services take: a verb that changes there has to change here."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import pytest

from api.fakes import Services
from multisite.command import wiring

FAKES = Services()
SERVICES = {
    name: kind
    for name, kind in get_type_hints(wiring.Services).items()
    if hasattr(FAKES, name) and not isinstance(getattr(FAKES, name), kind)
}
FAKES.close()
OWN = {"put", "make", "started", "drifted"}
"""What only fakes have: how tests fill them."""
LOOSE = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


def parameters(verb: Any) -> dict[str, Any]:
    return {p.name: p.kind for p in inspect.signature(verb).parameters.values() if p.name != "self"}


def verbs(fake: Any) -> dict[str, Any]:
    found = inspect.getmembers(type(fake), inspect.isfunction)
    return {name: verb for name, verb in found if not name.startswith("_") and name not in OWN}


@pytest.mark.parametrize("name", SERVICES)
def test_a_fake_has_the_verbs_of_its_service(name: str) -> None:
    fake, real = getattr(FAKES, name), SERVICES[name]
    assert verbs(fake)
    for verb, function in verbs(fake).items():
        wanted, has = parameters(getattr(real, verb)), parameters(function)
        if LOOSE & set(has.values()):
            has = {n: kind for n, kind in has.items() if kind not in LOOSE}
            assert has.items() <= wanted.items(), verb
        else:
            assert set(has) <= set(wanted), verb
            assert all(has[n] == wanted[n] for n in has), verb
