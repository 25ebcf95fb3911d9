"""The catalog, as each site's Keystone gives it, against the topology: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from multisite.identity.check.facts import Catalog, Refusal, Unseen
from multisite.identity.check.findings import Finding, Severity, unknown
from multisite.identity.render.services import Endpoint, endpoints
from multisite.identity.topology.model import Topology

Seen = Catalog | Refusal | Unseen


def findings(topology: Topology, seen: Mapping[str, Seen]) -> list[Finding]:
    """``seen``: by site name, of sites with a Keystone.  What several sites show alike is one finding."""
    found: list[Finding] = []
    by_finding: dict[tuple[Severity, str, str, str, str], list[str]] = {}
    for site, facts in seen.items():
        if isinstance(facts, Unseen):
            found.append(unknown(site, "catalog", "identity endpoints", facts.reason, "can be read"))
        elif isinstance(facts, Refusal):
            found.append(_refused(site, facts))
        else:
            for key in _differences(topology, facts):
                by_finding.setdefault(key, []).append(site)
    for (severity, what, expected, shown, consequence), sites in by_finding.items():
        where = f"catalog at {', '.join(sites)}"
        site = sites[0] if len(sites) == 1 else ""
        found.append(Finding(severity, site, where, what, expected, shown, consequence))
    return found


def _refused(site: str, facts: Refusal) -> Finding:
    if facts.status == 401:
        consequence = (
            f"{site} refuses a token of the entry: its keys or its copy of the database are not the others'"
        )
    else:
        consequence = (
            f"Keystone of {site} answers {facts.status} to every validation: its services refuse everybody"
        )
    return Finding(Severity.ERROR, site, "catalog", "validation", "200", str(facts.status), consequence)


def _differences(topology: Topology, facts: Catalog) -> Iterator[tuple[Severity, str, str, str, str]]:
    wanted = endpoints(topology)
    for endpoint in wanted:
        urls = sorted(e.url for e in facts.endpoints if _place(e) == _place(endpoint))
        if [url.rstrip("/") for url in urls] != [endpoint.url]:
            consequence = _missing(endpoint) if not urls else _wrong(endpoint, urls)
            what = f"{endpoint.interface} identity endpoint of {endpoint.region}"
            yield Severity.ERROR, what, endpoint.url, ", ".join(urls) or "missing", consequence
    regions = {endpoint.region for endpoint in wanted}
    for region in sorted({e.region for e in facts.endpoints} - regions):
        consequence = f"clients may choose {region}, which no site of this topology serves"
        yield Severity.WARNING, f"region {region}", "not there", "has identity endpoints", consequence


def _place(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.region, endpoint.interface


def _missing(endpoint: Endpoint) -> str:
    if endpoint.interface == "internal":
        return (
            f"services of {endpoint.region} (region_name = {endpoint.region}) find no Keystone: they"
            " refuse every request"
        )
    return f"clients that choose {endpoint.region} find no identity service there"


def _wrong(endpoint: Endpoint, urls: list[str]) -> str:
    if len(urls) > 1:
        return f"{endpoint.region} has several of them: which one is asked is a matter of luck"
    if endpoint.interface == "internal":
        return (
            f"services of {endpoint.region} validate tokens elsewhere than in their site: they stop"
            " when that is cut off"
        )
    return f"clients that choose {endpoint.region} log in elsewhere than at the entry"
