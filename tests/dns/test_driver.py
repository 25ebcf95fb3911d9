"""The driver for RFC 2136 against BIND 9: what is replaced, what is refused, and what is only not known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from multisite.recovery.dns import rfc2136
from multisite.recovery.dns.model import NONE, DnsChanged, DnsRefused, DnsUnknown, RecordSet
from multisite.recovery.dns.rfc2136 import Rfc2136
from multisite.recovery.dns.zones import zones
from tests.dns.bind import ADDRESS, CLOSED, FOREIGN, KEY, ZONE, Bind, other_secret

NAME = f"mme.{ZONE}"
OLD, NEW = RecordSet(("192.0.2.10",), 120), RecordSet(("198.51.100.7", "198.51.100.8"), 60)


def driver(bind: Bind, zone: str = ZONE, key: str = KEY, keys: Path | None = None) -> Rfc2136:
    line = f"{zone} server={ADDRESS}:{bind.port} key={key} projects=*"
    return zones([line], str(keys or bind.keys))[zone].driver()


def test_a_record_is_replaced_and_put_back(bind: Bind) -> None:
    it = driver(bind)
    assert it.read(NAME, "A") == OLD
    it.replace(NAME, "A", OLD, NEW)
    assert bind.has(NAME) == (list(NEW.values), 60)
    assert it.read(NAME, "A") == NEW
    it.replace(NAME, "A", NEW, OLD)
    assert bind.has(NAME) == (list(OLD.values), 120)


def test_the_same_update_again_is_harmless(bind: Bind) -> None:
    it = driver(bind)
    it.replace(NAME, "A", OLD, NEW)
    it.replace(NAME, "A", OLD, NEW)
    assert bind.has(NAME) == (list(NEW.values), 60)


def test_a_name_that_was_not_there(bind: Bind) -> None:
    it, name, made = driver(bind), f"new.{ZONE}", RecordSet(("2001:db8::7",), 30)
    assert it.read(name, "AAAA") == NONE
    it.replace(name, "AAAA", NONE, made)
    assert bind.has(name, "AAAA") == (["2001:db8::7"], 30)
    it.replace(name, "AAAA", made, NONE)
    assert it.read(name, "AAAA") == NONE


@pytest.mark.parametrize("values", [("192.0.2.99",), ("192.0.2.10", "192.0.2.11"), ()])
def test_what_somebody_changed_is_not_overwritten(bind: Bind, values: tuple[str, ...]) -> None:
    bind.by_hand(NAME, "A", *values)
    with pytest.raises(
        DnsChanged, match=r"somebody changed it: it has .*, not 192\.0\.2\.10: nothing"
    ) as told:
        driver(bind).replace(NAME, "A", OLD, NEW)
    assert told.value.found.values == values
    assert bind.has(NAME)[0] == list(values)


def test_a_name_that_somebody_made_meanwhile(bind: Bind) -> None:
    with pytest.raises(DnsChanged, match="it has 192"):
        driver(bind).replace(NAME, "A", NONE, NEW)
    assert bind.has(NAME)[0] == list(OLD.values)


def test_an_alias_is_told_of(bind: Bind) -> None:
    """A server would say "no error" and leave the address out."""
    name = f"alias.{ZONE}"
    with pytest.raises(DnsRefused, match=rf"{name} is an alias \(CNAME\) of {NAME}"):
        driver(bind).read(name, "A")
    with pytest.raises(DnsRefused, match="is an alias"):
        driver(bind).replace(name, "A", NONE, NEW)


def test_a_key_with_another_secret(bind: Bind, tmp_path: Path) -> None:
    keys, secret = tmp_path / "keys", other_secret()
    keys.write_text(f'key "{KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};')
    keys.chmod(0o600)
    _refused(bind, driver(bind, keys=keys), "TSIG: the secret is another one there", secret)


def test_a_key_that_the_server_does_not_know(bind: Bind, tmp_path: Path) -> None:
    keys, secret = tmp_path / "keys", other_secret()
    keys.write_text(f'key "nobodys" {{ algorithm hmac-sha256; secret "{secret}"; }};')
    keys.chmod(0o600)
    _refused(bind, driver(bind, key="nobodys", keys=keys), "TSIG: it does not know the key", secret)


def test_a_key_that_may_not(bind: Bind) -> None:
    with pytest.raises(DnsRefused, match="it says REFUSED: let its administrator allow the key that"):
        driver(bind, key=FOREIGN).replace(NAME, "A", OLD, NEW)
    assert bind.has(NAME)[0] == list(OLD.values)


def test_a_zone_that_takes_no_updates(bind: Bind) -> None:
    name = f"mme.{CLOSED}"
    with pytest.raises(DnsRefused, match="it says REFUSED"):
        driver(bind, CLOSED).replace(name, "A", OLD, NEW)
    assert bind.has(name)[0] == list(OLD.values)


def test_a_zone_of_another_server(bind: Bind) -> None:
    elsewhere = driver(bind, "elsewhere.example.net")
    with pytest.raises(DnsRefused, match=r"it says (REFUSED|NOTAUTH)"):
        elsewhere.read("mme.elsewhere.example.net", "A")
    with pytest.raises(DnsRefused, match=r"it says (REFUSED|NOTAUTH)"):
        elsewhere.replace("mme.elsewhere.example.net", "A", NONE, NEW)


def test_a_server_that_was_killed_is_unknown_and_comes_back_with_what_it_took(bind: Bind) -> None:
    it = driver(bind)
    it.replace(NAME, "A", OLD, NEW)
    bind.kill()
    try:
        for ask in (lambda: it.read(NAME, "A"), lambda: it.replace(NAME, "A", NEW, OLD)):
            with pytest.raises(DnsUnknown, match=r"DNS server 127\.0\.0\.1 port \d+: .*refused"):
                ask()
    finally:
        bind.start()
    assert it.read(NAME, "A") == NEW


def test_a_server_that_hangs_is_unknown_in_time(bind: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer comes too late; the update was taken, and asked again it is found so."""
    monkeypatch.setattr(rfc2136, "SECONDS", 1.0)
    it: Rfc2136 = driver(bind)
    bind.freeze()
    begun = time.monotonic()
    try:
        with pytest.raises(DnsUnknown, match="no answer in time"):
            it.replace(NAME, "A", OLD, NEW)
        assert time.monotonic() - begun < 5
    finally:
        bind.thaw()
    it.replace(NAME, "A", OLD, NEW)
    assert bind.has(NAME)[0] == list(NEW.values)


def test_the_answer_of_somebody_else_does_not_count(bind: Bind, tmp_path: Path) -> None:
    """Another server in its place, which does not have the key: its answers prove nothing."""
    other = Bind(tmp_path)
    other.start()
    try:
        with pytest.raises(DnsRefused, match="TSIG"):
            replace(driver(bind), port=other.port).read(NAME, "A")
    finally:
        other.stop()


def _refused(bind: Bind, it: Rfc2136, said: str, secret: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: it.read(NAME, "A"),
        lambda: it.replace(NAME, "A", OLD, NEW),
    ]
    for ask in asks:
        with pytest.raises(DnsRefused, match=said) as told:
            ask()
        assert secret not in f"{told.value} {told.value.__cause__!r}"
    assert bind.has(NAME)[0] == list(OLD.values)
