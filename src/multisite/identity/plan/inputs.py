"""The question: sites, links and load, from YAML or from a few numbers, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from multisite.domain.errors import Invalid

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Rate = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
MAX_SITES = 500
_SHOWN_ERRORS = 5


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(_Checked):
    """``owner``: who runs it; sites of different owners share neither database nor keys.

    ``users``: people who log in on a day.  ``requests_per_second``: API requests to its services, each of which has a
    token to be validated.
    """

    name: Name
    region: str = ""
    owner: str = ""
    users: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    logins_per_second: Rate = 0.0
    requests_per_second: Rate = 0.0


class Link(_Checked):
    """``round_trip_ms`` as ``ping`` shows it; ``bandwidth_mbit`` in each direction, Mbit/s."""

    round_trip_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)]
    bandwidth_mbit: Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)]


class Between(Link):
    sites: tuple[Name, Name]


class Links(_Checked):
    """``default`` for every pair that ``between`` does not name."""

    default: Link | None = None
    between: tuple[Between, ...] = ()


class TokenTimes(_Checked):
    """Seconds; names and defaults as in keystone.conf, ``rotation_interval`` as in the operator's timer."""

    expiration: Seconds = 3600
    allow_expired_window: Annotated[int, Field(ge=0, le=31_536_000)] = 172_800
    rotation_interval: Seconds = 86_400


class Inputs(_Checked):
    """Everything the planner is asked about.  Shares are 0..1, rates as their names say.

    ``token_cache_time``, ``cache_time``: seconds, auth_token's and Keystone's.  ``token_caches_per_site``: 1 when the
    services of a site share a memcached, else services times processes.  ``application_credential_logins``: share of
    logins by application credential at the local Keystone (they write nothing).  ``secrets_may_travel``: whether a
    symmetric token key may be copied between sites.  ``masters``, ``central``: sites chosen by hand.
    ``sites_per_cluster``: of the asynchronous multi-cluster form.
    """

    version: Literal[1]
    sites: Annotated[tuple[Site, ...], Field(min_length=1, max_length=MAX_SITES)]
    links: Links = Links(default=Link(round_trip_ms=20, bandwidth_mbit=1000))
    role_changes_per_hour: Rate = 0.0
    revocations_per_hour: Rate = 0.0
    endpoints_per_region: Annotated[int, Field(ge=1, le=10_000)] = 18
    endpoint_url_bytes: Annotated[int, Field(ge=1, le=2000)] = 22
    services_per_region: Annotated[int, Field(ge=1, le=10_000)] = 6
    tokens: TokenTimes = TokenTimes()
    token_cache_time: Annotated[int, Field(ge=0, le=86_400)] = 2
    cache_time: Annotated[int, Field(ge=0, le=86_400)] = 2
    token_caches_per_site: Annotated[int, Field(ge=1, le=100_000)] = 1
    validation_catalog: bool = True
    application_credential_logins: Share = 0.0
    secrets_may_travel: bool = True
    masters: tuple[Name, ...] = ()
    central: Name | None = None
    sites_per_cluster: Annotated[int, Field(ge=1, le=MAX_SITES)] = 1

    @model_validator(mode="after")
    def _consistent(self) -> Inputs:
        names = [site.name for site in self.sites]
        for name in sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"sites: {name!r} is there more than once; give every site its own name")
        for field, chosen in (
            ("masters", self.masters),
            ("central", (self.central,) if self.central else ()),
        ):
            _known(field, chosen, names)
        if self.masters and len(set(self.masters)) != min(2, len(names)):
            raise ValueError("masters: the master cluster is two different sites; name two or leave it out")
        if len({site.owner for site in self.sites}) > 1 and (self.masters or self.central):
            raise ValueError(
                "masters: cannot be chosen for sites of several owners; plan each owner's sites alone"
            )
        _check_links(self.links, names)
        return self


def _known(field: str, chosen: Iterable[str], names: list[str]) -> None:
    for name in chosen:
        if name not in names:
            raise ValueError(f"{field}: there is no site {name!r}; sites are {', '.join(sorted(names)[:10])}")


def _check_links(links: Links, names: list[str]) -> None:
    pairs: set[frozenset[str]] = set()
    for number, link in enumerate(links.between):
        _known(f"links.between[{number}].sites", link.sites, names)
        pair = frozenset(link.sites)
        if len(pair) != 2:
            raise ValueError(
                f"links.between[{number}].sites: a link joins two different sites; name the other one"
            )
        if pair in pairs:
            raise ValueError(
                f"links.between[{number}].sites: {' and '.join(sorted(pair))} are there more than once; keep one"
            )
        pairs.add(pair)
    if links.default is None:
        for one, other in combinations(sorted(names), 2):
            if frozenset((one, other)) not in pairs:
                raise ValueError(
                    f"links.between: nothing about {one} and {other}; add the pair, or links.default for all others"
                )


def load(text: str) -> Inputs:
    """The inputs in a YAML document; raise Invalid naming the field, what is wrong and what to do."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise Invalid(f"plan: not a YAML document{line}; correct the file") from None
    if not isinstance(document, Mapping):
        raise Invalid("plan: has to be a mapping with version, sites and links; see docs/identity-planner.md")
    return checked(document)


def checked(document: Mapping[str, Any]) -> Inputs:
    """The inputs in a mapping; raise Invalid as ``load`` does."""
    try:
        return Inputs.model_validate(document)
    except ValidationError as error:
        found = [dict(problem) for problem in error.errors(include_url=False)]
        # a list none of whose items is right is also too short: no news
        problems = [_said(document, each) for each in found if each["type"] != "too_short" or len(found) == 1]
        more = f"; and {len(problems) - _SHOWN_ERRORS} more" if len(problems) > _SHOWN_ERRORS else ""
        raise Invalid("; ".join(problems[:_SHOWN_ERRORS]) + more) from None


def uniform(sites: int, *, users: int, logins: float, requests: float, link: Link, **settings: Any) -> Inputs:
    """``sites`` equal sites that share ``users``, ``logins`` and ``requests`` per second (totals) evenly.

    ``settings`` are further fields of Inputs.  Raise Invalid as ``load`` does.
    """
    if not 1 <= sites <= MAX_SITES:
        raise Invalid(f"sites: {sites} is not between 1 and {MAX_SITES}; give the number of sites")
    for name, value in (("users", users), ("logins", logins), ("requests", requests)):
        if not value >= 0:
            raise Invalid(f"{name}: {value} is less than 0 or no number; give that of all sites together")
    made = [
        {"name": f"site{number:03d}", "users": users // sites + (number <= users % sites),
         "logins_per_second": logins / sites, "requests_per_second": requests / sites}
        for number in range(1, sites + 1)
    ]  # fmt: skip
    return checked({"version": 1, "sites": made, "links": {"default": link.model_dump()}} | settings)


_REMEDIES = {
    "missing": "is missing; add it",
    "extra_forbidden": "is not a field of a plan; remove it or correct its name",
}


def _said(document: Mapping[str, Any], problem: dict[str, Any]) -> str:
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    where = _path(document, problem["loc"])
    if remedy := _REMEDIES.get(problem["type"]):
        return f"{where}: {remedy}"
    return f"{where}: {problem['msg']}, not {problem['input']!r:.60}; correct it"


def _path(document: Mapping[str, Any], parts: tuple[str | int, ...]) -> str:
    text, here = "", document
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        try:
            here = here[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(part, int) and isinstance(here, Mapping) and isinstance(here.get("name"), str):
            text += f" ({here['name']})"
    return text
