"""The catalog, as each site's Keystone gives it, against the topology: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from multisite.domain.findings import Finding, Severity
from multisite.identity.check.facts import Catalog, Refusal, Unknown
from multisite.identity.check.findings import differs, unknown
from multisite.identity.render.services import Endpoint, endpoints
from multisite.identity.topology.model import Topology

Answer = Catalog | Refusal | Unknown


@dataclass(frozen=True)
class _Difference:
    setting: str
    expected: str
    found: str
    consequence: str
    remedy: str
    severity: Severity = Severity.DIFFERS


def findings(topology: Topology, answers: Mapping[str, Answer]) -> list[Finding]:
    """``answers``: by site name, of sites with a Keystone.  What several sites show alike is one finding."""
    found: list[Finding] = []
    alike: dict[_Difference, list[str]] = {}
    for site, answer in answers.items():
        if isinstance(answer, Unknown):
            found.append(unknown(site, "catalog", "identity endpoints", answer))
        elif isinstance(answer, Refusal):
            found.append(_made(_refused(site, answer), [site]))
        else:
            for difference in _differences(topology, answer):
                alike.setdefault(difference, []).append(site)
    return found + [_made(difference, sites) for difference, sites in alike.items()]


def _made(difference: _Difference, sites: list[str]) -> Finding:
    site = sites[0] if len(sites) == 1 else ""
    return differs(site, f"catalog at {', '.join(sites)}", **vars(difference))


def _refused(site: str, answer: Refusal) -> _Difference:
    if answer.status == 401:
        consequence = (
            f"{site} refuses a token of the entry: its keys or its copy of the database are not the others'"
        )
        remedy = "compare its keys (`identity keys status`) and its databases (`--only database`)"
    else:
        consequence = (
            f"Keystone of {site} answers {answer.status} to every validation: its services refuse everybody"
        )
        remedy = f"see Keystone's log at {site}"
    return _Difference("validation", "200", str(answer.status), consequence, remedy)


def _differences(topology: Topology, catalog: Catalog) -> Iterator[_Difference]:
    wanted = endpoints(topology)
    for endpoint in wanted:
        urls = sorted(e.url for e in catalog.endpoints if _place(e) == _place(endpoint))
        if [url.rstrip("/") for url in urls] != [endpoint.url]:
            consequence = _missing(endpoint) if not urls else _wrong(endpoint, urls)
            setting = f"{endpoint.interface} identity endpoint of {endpoint.region}"
            remedy = "run the rendered catalog.sh, and delete endpoints that are there twice"
            yield _Difference(setting, endpoint.url, ", ".join(urls) or "missing", consequence, remedy)
    regions = {endpoint.region for endpoint in wanted}
    for region in sorted({e.region for e in catalog.endpoints} - regions):
        consequence = f"clients may choose {region}, which no site of this topology serves"
        remedy = f"delete the identity endpoints of {region}, or add its site to the topology"
        yield _Difference(
            f"region {region}", "absent", "in the catalog", consequence, remedy, Severity.DEGRADED
        )


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
