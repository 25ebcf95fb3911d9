"""What a site says of the servers of earlier copies: one list for each of its projects, whatever number they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from multisite.clouds.ask import ask_all
from multisite.clouds.build import read_server
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.facts.application import list_servers
from multisite.domain.errors import MultisiteError
from multisite.domain.old_copy import GONE, OldCopy, OldServer, shown_status

SECONDS = 20.0
"""A site that has not told by then is unknown."""

Owner = tuple[str, str]
"""Our project, and the chosen one of the site ("": its default)."""


@dataclass(frozen=True)
class SiteAnswer:
    """``statuses`` by id; ``reasons``: why the servers of an owner are not known."""

    statuses: Mapping[str, str]
    reasons: Mapping[Owner, str]


def ask_sites(
    clouds: Sites, copies: Iterable[OldCopy], seconds: float = SECONDS
) -> list[tuple[OldCopy, dict[str, str]]]:
    """Of each copy its servers as they are now, and why sites did not tell, by site.  Servers that are gone stay so."""
    found = [*copies]
    wanted: dict[str, dict[Owner, set[str]]] = {}
    for copy in found:
        for server in _asked(copy):
            wanted.setdefault(server.site, {}).setdefault(_owner(copy, server), set()).add(server.id)
    told = ask_all(
        wanted, lambda name: _ask_site(clouds, name, wanted[name]), seconds=seconds, errors=(MultisiteError,)
    )
    return [_with(copy, told.known, told.reasons) for copy in found]


def _ask_site(clouds: Sites, name: str, wanted: Mapping[Owner, set[str]]) -> SiteAnswer:
    statuses: dict[str, str] = {}
    reasons: dict[Owner, str] = {}
    for (ours, chosen), ids in wanted.items():
        try:
            site = clouds.open(name, for_project=ours, project=chosen or None)
            statuses |= _statuses(site, ids)
        except MultisiteError as error:
            reasons[ours, chosen] = str(error)
    return SiteAnswer(statuses, reasons)


def _statuses(site: CloudSite, ids: Iterable[str]) -> dict[str, str]:
    """A server that is not in the list is asked for by its id: a busy Nova lists late."""
    rows = {str(row["id"]): row for row in list_servers(site, site.project_id)}
    found = {}
    for id in ids:
        try:
            row = rows.get(id) or read_server(site, id)
        except NotFoundInSite:
            found[id] = GONE
        else:
            found[id] = shown_status(str(row["status"]), row.get("OS-EXT-STS:task_state"))
    return found


def _with(
    copy: OldCopy, known: Mapping[str, SiteAnswer], silent: Mapping[str, str]
) -> tuple[OldCopy, dict[str, str]]:
    reasons: dict[str, str] = {}

    def now(server: OldServer) -> OldServer:
        if server.status == GONE:
            return server
        answer, owner = known.get(server.site), _owner(copy, server)
        if answer is not None and owner not in answer.reasons:
            return replace(server, status=answer.statuses[server.id])
        reasons[server.site] = silent.get(server.site) or (answer.reasons[owner] if answer else "not asked")
        return replace(server, status=None)

    return replace(copy, servers=tuple(now(server) for server in copy.servers)), reasons


def _asked(copy: OldCopy) -> list[OldServer]:
    return [server for server in copy.servers if server.status != GONE]


def _owner(copy: OldCopy, server: OldServer) -> Owner:
    return copy.project_id, server.site_project_id
