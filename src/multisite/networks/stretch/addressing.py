"""Which addresses each site gives out, and where gateways are; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from multisite.clouds.stretched import SiteFacts
from multisite.domain.findings import Finding, blocking
from multisite.domain.stretched import Gateway
from multisite.networks.stretch.order import StretchOrder

Span = tuple[int, int]


@dataclass(frozen=True)
class Addressing:
    pools: Mapping[str, tuple[str, str]]
    gateways: Mapping[str, str]
    problems: tuple[Finding, ...]


def share(order: StretchOrder, block: IPv4Network, facts: Mapping[str, SiteFacts]) -> Addressing:
    """Pools as asked for; an adopted subnet keeps its own; the rest of the block is split into equal parts.

    Gateway addresses are in no pool.
    """
    gateways = _gateways(order, block, facts)
    first, last = int(block.network_address) + 1, int(block.broadcast_address) - 1
    held = {site: _given(order, facts, site) for site in order.sites}
    fixed = {site: span for site, span in held.items() if span is not None}
    reserved = sorted({int(IPv4Address(g)) for g in gateways.values()})
    rest = [site for site in order.sites if site not in fixed]
    free = _holes((first, last), [*fixed.values(), *((g, g) for g in reserved)])
    spans, short = dict(fixed), []
    if rest:
        span = max(free, key=lambda s: s[1] - s[0], default=(1, 0))
        size = (span[1] - span[0] + 1) // len(rest)
        if size < 1:
            short = [_no_room(rest, fixed)]
        for number, site in enumerate(rest):
            begin = span[0] + number * size
            if size >= 1:
                spans[site] = (begin, begin + size - 1)
    pools = {site: (str(IPv4Address(a)), str(IPv4Address(b))) for site, (a, b) in spans.items()}
    return Addressing(pools, gateways, (*overlaps(spans), *_gateway_in_pool(spans, gateways), *short))


def overlaps(spans: Mapping[str, Span]) -> tuple[Finding, ...]:
    found = []
    sites = list(spans)
    for number, one in enumerate(sites):
        for other in sites[number + 1 :]:
            if spans[one][0] <= spans[other][1] and spans[other][0] <= spans[one][1]:
                what = f"they overlap: {_words(spans[one])} at {one} and {_words(spans[other])} at {other}"
                remedy = "give each site a pool of its own (an adopted subnet's is narrowed to it)"
                found.append(blocking("", "pools", what, remedy))
    return tuple(found)


def _gateway_in_pool(spans: Mapping[str, Span], gateways: Mapping[str, str]) -> tuple[Finding, ...]:
    return tuple(
        blocking(site, "pools", f"gateway {gateway} is in {_words(span)}", "leave it out of the pool")
        for site, span in spans.items()
        for gateway in sorted(set(gateways.values()))
        if span[0] <= int(IPv4Address(gateway)) <= span[1]
    )


def _no_room(rest: list[str], fixed: Mapping[str, Span]) -> Finding:
    held = ", ".join(f"{site} has {_words(span)}" for site, span in fixed.items())
    what = f"nothing is left to give out at {', '.join(rest)}: {held or 'the network is too small'}"
    return blocking("", "pools", what, "name a pool for each site, or take a larger network")


def _given(order: StretchOrder, facts: Mapping[str, SiteFacts], site: str) -> Span | None:
    if site in order.pools:
        first, last = order.pools[site]
        return int(IPv4Address(first)), int(IPv4Address(last))
    known = facts.get(site)
    if known is None or known.adopt is None or not known.adopt.subnets:
        return None
    pools = known.adopt.subnets[0].pools
    if not pools:
        return None
    return int(IPv4Address(pools[0][0])), int(IPv4Address(pools[-1][1]))


def _gateways(order: StretchOrder, block: IPv4Network, facts: Mapping[str, SiteFacts]) -> dict[str, str]:
    """As adopted subnets have them; else the first addresses."""
    if order.gateway is Gateway.NONE:
        return {}
    has = {
        site: f.adopt.subnets[0].gateway
        for site, f in facts.items()
        if f.adopt and f.adopt.subnets and f.adopt.subnets[0].gateway
    }
    first = int(block.network_address) + 1
    if order.gateway is Gateway.SITE:
        gateway = (
            has.get(order.gateway_site or "") or next(iter(has.values()), None) or str(IPv4Address(first))
        )
        return dict.fromkeys(order.sites, gateway)
    taken = set(has.values())
    free = (str(IPv4Address(n)) for n in range(first, int(block.broadcast_address)))
    fresh = (address for address in free if address not in taken)
    return {site: has.get(site) or next(fresh) for site in order.sites}


def _holes(whole: Span, taken: list[Span]) -> list[Span]:
    found, begin = [], whole[0]
    for first, last in sorted(taken):
        if first > begin:
            found.append((begin, first - 1))
        begin = max(begin, last + 1)
    if begin <= whole[1]:
        found.append((begin, whole[1]))
    return found


def _words(span: Span) -> str:
    return f"{IPv4Address(span[0])}-{IPv4Address(span[1])}"
