"""Find, make and remove resources of any kind of ``KINDS`` by their token.

What makes something looks for what it made before, and looks again when the answer to a request was lost.  Removing
takes the token too, so that also what was made without an answer is removed.  Everything raises what ``call`` raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from multisite.clouds.call import call, network_extensions, read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Failed, HiddenInSite, NotFoundInSite, UnknownOutcome, Unsupported
from multisite.clouds.resources import tokens
from multisite.clouds.resources.kinds import KINDS, Kind, TokenPlace, label

Row = dict[str, Any]
T = TypeVar("T")
SEARCH_AGAIN_SECONDS = 3.0
"""So long after a request whose answer was lost it is looked whether it took effect."""
LIST_LAG_SECONDS = 20.0
"""So long a busy Nova lists what it has answered 404 for."""


@dataclass(frozen=True)
class Found:
    """A resource that carries a token; for kinds marked in their name the token is not readable: None."""

    kind: Kind
    id: str
    name: str
    token: str | None = None
    status: str | None = None


def rows(site: CloudSite, kind: Kind, token: str, within: Mapping[str, str] | None = None) -> list[Row]:
    """What carries exactly this token in our project, as the service lists it; empty: the site answered, has none.

    ``within``: filters that whatever carries the token meets, to be shown less; a service may ignore them.
    """
    tokens.checked(token)
    if KINDS[kind].token is TokenPlace.TAG:
        by_id = {
            row["id"]: row
            for filters in ({"tags": token}, {"description": token})
            for row in list_all(site, kind, **filters)
        }
        listed = list(by_id.values())
    else:
        listed = list_all(site, kind, **(within or {}))
    return [row for row in listed if tokens.carries(kind, row, token)]


def find(site: CloudSite, kind: Kind, token: str) -> list[Found]:
    """The resources of this kind, in our project, that carry exactly this token."""
    return [_found(kind, row, token) for row in rows(site, kind, token)]


def find_of_job(site: CloudSite, job_id: str, kinds: tuple[Kind, ...] = tuple(KINDS)) -> list[Found]:
    """Everything of these kinds in our project that carries a token of this job: what an undo must not leave behind.

    One list per kind.  A kind whose service the site does not have is skipped: nothing of it can be there.
    """
    found: list[Found] = []
    for kind in kinds:
        try:
            listed = list_all(site, kind)
        except Unsupported:
            continue
        prefix = tokens.job_prefix(job_id)
        found += [_found(kind, row, prefix) for row in listed if tokens.carries_of_job(kind, row, job_id)]
    return found


def list_all(site: CloudSite, kind: Kind, microversion: str | None = None, /, **filters: Any) -> list[Row]:
    """All of a kind that our credentials list, and the service's own ``filters`` let through.

    ``microversion``: when the answer must be of another one than the table's.
    """
    row = KINDS[kind]
    version, query = microversion or row.listed_at or row.microversion, {**row.filters, **filters}
    try:
        listed = read_all(
            site, f"list {label(kind)}s", lambda: getattr(site, row.service), row.path + row.listing, row.keys,
            microversion=version, **query,
        )  # fmt: skip
    except (NotFoundInSite, HiddenInSite) as error:
        missing = row.extension is not None and row.extension not in network_extensions(site)
        if missing or (row.optional and isinstance(error, NotFoundInSite)):
            return []
        raise
    return [one[row.key] for one in listed] if row.nested else listed


def read(
    site: CloudSite, kind: Kind, resource_id: str, microversion: str | None = None, /, **query: Any
) -> Row:
    """One as its service shows it; NotFoundInSite when it is not there.  ``microversion`` as for ``list_all``."""
    row, what = KINDS[kind], f"read {label(kind)} {resource_id}"
    found: Row = read_one(
        site, what, lambda: getattr(site, row.service), f"{row.path}/{resource_id}", None if row.bare else row.key,
        microversion=microversion or row.microversion, **query,
    )  # fmt: skip
    return found


def read_or_none(site: CloudSite, kind: Kind, resource_id: str) -> Row | None:
    """As ``read``; None only when the service said that there is no such thing."""
    try:
        return read(site, kind, resource_id)
    except NotFoundInSite:
        return None


def ensure(
    site: CloudSite,
    kind: Kind,
    token: str,
    fields: Mapping[str, Any],
    *,
    description: str = "",
    tags: Sequence[str] = (),
    fresh: bool = False,
    beside: Mapping[str, Any] | None = None,
    within: Mapping[str, str] | None = None,
    usable: Callable[[Row], bool] = lambda _: True,
    microversion: str | None = None,
) -> Row:
    """The resource of this token, made if there is none; as its service shows it.

    ``fields`` as the service takes them, ``description`` and ``tags`` what a kind of Neutron has in the end.
    ``fresh``: nothing can carry the token yet, which saves looking.  ``beside``: what the request has beside the
    resource (hints).  What is there and not ``usable`` counts as not there.  ``within``: as in ``rows``.
    ``microversion``: when the request must be of another one than the table's.
    """

    known = partial(_known, site, kind, token, usable, within)

    def make() -> Row:
        body = {KINDS[kind].key: tokens.mark(kind, token, fields), **(beside or {})}
        return create(site, kind, body, **({"microversion": microversion} if microversion else {}))

    row = (None if fresh else known()) or look_again(make, known)
    tag_and_describe(site, kind, row, token, description, tags)
    return row


def _known(
    site: CloudSite,
    kind: Kind,
    token: str,
    usable: Callable[[Row], bool],
    within: Mapping[str, str] | None,
) -> Row | None:
    return next(filter(usable, rows(site, kind, token, within)), None)


def tag_and_describe(
    site: CloudSite,
    kind: Kind,
    row: Mapping[str, Any],
    token: str,
    description: str = "",
    tags: Sequence[str] = (),
) -> None:
    """Tag a resource of Neutron that has its token in the description, and give it its own description and ``tags``.

    ``row`` as Neutron shows it.  Idempotent; does nothing for other kinds.  Tags it has already are kept.
    """
    if KINDS[kind].token is TokenPlace.TAG:
        tag(site, kind, row, token, *tags)
        if row.get("description") != description:
            _change(site, kind, str(row["id"]), "", {KINDS[kind].key: {"description": description}})


def look_again(make: Callable[[], T], known: Callable[[], T | None]) -> T:
    """What ``make`` made, or what is ``known`` a moment after its answer was lost; UnknownOutcome when nothing is."""
    try:
        return make()
    except UnknownOutcome:
        time.sleep(SEARCH_AGAIN_SECONDS)
        if (found := known()) is None:
            raise
        return found


def create(site: CloudSite, kind: Kind, body: Mapping[str, Any], what: str = "", **limits: Any) -> Row:
    """One create request, with no search before it.  ``limits`` as ``quiesce.answer_within`` gives them."""
    row = KINDS[kind]
    name = str(body[row.key].get("name") or "")
    what = what or f"create {label(kind)} {name}".rstrip()
    if row.microversion is not None:
        limits.setdefault("microversion", row.microversion)
    made: Row = call(
        site, what, lambda: getattr(site, row.service).post(row.path, json=body, **limits)
    ).json()
    found: Row = made[row.key]
    return found


def tag(site: CloudSite, kind: Kind, row: Mapping[str, Any], *tags: str) -> None:
    """Give a resource of Neutron these tags, the token among them, beside those it has; idempotent."""
    there = row.get("tags", ())
    if not set(tags) <= set(there):
        _change(site, kind, str(row["id"]), "/tags", {"tags": list(dict.fromkeys([*there, *tags]))})


def remove(
    site: CloudSite,
    kind: Kind,
    token: str,
    known: str | None = None,
    *,
    late: bool = False,
    delete: Callable[[str], object] | None = None,
) -> int:
    """Delete what carries the token, and ``known``, the id that was noted; returns how many there were.

    ``late``: a request whose answer was lost may still take effect: look a second time.  ``delete`` one by its id
    (default: the service's DELETE).  Raises Refused when something else needs it still (the message names what),
    Failed when it is still there afterwards.
    """
    removed: set[str] = set()
    for again in (False, True) if late else (False,):
        if again:
            time.sleep(SEARCH_AGAIN_SECONDS)
        ids = {found.id for found in find(site, kind, token)} | ({known} if known else set())
        for one in sorted(ids - removed):
            if delete is not None:
                delete(one)
            else:
                delete_one(site, kind, one)
            removed.add(one)
    _wait_none_left(site, kind, token)
    return len(removed)


def twice_if_late(act: Callable[[], object], *, late: bool) -> None:
    """Take something away; ``late``: a request whose answer was lost may still take effect, so once more after that."""
    act()
    if late:
        time.sleep(SEARCH_AGAIN_SECONDS)
        act()


def delete_one(site: CloudSite, kind: Kind, resource_id: str) -> None:
    """One DELETE; harmless when it is gone."""
    row = KINDS[kind]
    what, path, version = f"delete {label(kind)} {resource_id}", f"{row.path}/{resource_id}", row.microversion
    try:
        call(
            site, what, lambda: getattr(site, row.service).delete(path, microversion=version), idempotent=True
        )
    except NotFoundInSite:
        return


def _wait_none_left(site: CloudSite, kind: Kind, token: str) -> None:
    patience = LIST_LAG_SECONDS if KINDS[kind].lags else 0.0
    end = time.monotonic() + patience
    while left := [found.id for found in find(site, kind, token)]:
        if time.monotonic() > end:
            said = f"still there: {', '.join(left)}"
            raise Failed(site.name, f"delete {label(kind)}", said, state=None, seconds=patience)
        time.sleep(1)


def _change(site: CloudSite, kind: Kind, resource_id: str, path: str, body: Row) -> None:
    row, what = KINDS[kind], f"tag {label(kind)} {resource_id}"
    whole = f"{row.path}/{resource_id}{path}"
    call(site, what, lambda: getattr(site, row.service).put(whole, json=body), idempotent=True)


def _found(kind: Kind, row: Mapping[str, Any], prefix: str) -> Found:
    token = next((t for t in tokens.read(kind, row) if t.startswith(prefix)), None)
    name = str(row.get("name") or "")
    return Found(kind, str(row.get("id") or name), name, token, row.get("status"))
