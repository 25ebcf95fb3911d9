"""The DNS records of a recovery plan as they are given: checked when they are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from multisite.domain.errors import Invalid
from multisite.domain.recovery_plan import DnsRecord
from multisite.domain.validation import validated
from multisite.recovery.dns.model import is_in, plain_name

MOST_RECORDS = 100


def parse_dns(given: object) -> tuple[DnsRecord, ...]:
    """Names in lower case, without the dot at the end.  Raises Invalid naming the field."""
    if not isinstance(given, list | tuple) or len(given) > MOST_RECORDS:
        raise Invalid(f"dns: must be a list of at most {MOST_RECORDS}")
    found = tuple(_record(one, f"dns.{n}") for n, one in enumerate(given))
    twice = [both for both, count in Counter(map(str, found)).items() if count > 1]
    if twice:
        raise Invalid(f"dns: {twice[0]!r} is there twice: name all its members in one record")
    return found


def _record(given: object, where: str) -> DnsRecord:
    record = validated(DnsRecord, given, where, "field of a DNS record")
    if not record.members or len(set(record.members)) < len(record.members):
        raise Invalid(f"{where}.members: name at least one member, and each once")
    if record.floating and record.type == "AAAA":
        raise Invalid(f"{where}.type: a floating IP is an IPv4 address: make it A, or leave floating out")
    name = _plain(record.name, f"{where}.name")
    if record.zone is None and record.driver != "none":
        raise Invalid(f"{where}.zone: driver {record.driver} needs it: name the zone that {name} is in")
    zone = None if record.zone is None else _plain(record.zone, f"{where}.zone")
    if zone is not None and not is_in(name, zone):
        raise Invalid(f"{where}.name: {name} is not in zone {zone}: give the whole name")
    return replace(record, name=name, zone=zone)


def _plain(text: str, where: str) -> str:
    if (name := plain_name(text)) is None:
        raise Invalid(f"{where}: {text!r} is no name of a host: letters, digits, - and _ between dots")
    return name
