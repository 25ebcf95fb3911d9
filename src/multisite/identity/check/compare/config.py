"""keystone.conf and [keystone_authtoken] against the topology: pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from multisite.domain.findings import Finding, Severity
from multisite.identity.check.facts import Options, Unknown
from multisite.identity.check.findings import differs, unknown
from multisite.identity.render import names
from multisite.identity.topology.model import IdentitySite, Topology

SECTION = "keystone_authtoken"
MIDDLEWARE_CACHE = 300
"""auth_token's own token_cache_time."""
_RENAMED = {"memcache_servers": "memcached_servers"}
"""By what auth_token called it before, and still reads (keystonemiddleware/auth_token/_opts.py)."""
_CONNECTION = ("database", "connection")

# Keystone's own values of options that are not set (its configuration reference); cache_time without a value of its
# own is [cache] expiration_time, 600.
_DEFAULTS: Options = {
    ("token", "provider"): "fernet",
    ("token", "expiration"): "3600",
    ("token", "allow_expired_window"): "172800",
    ("token", "cache_time"): "600",
    ("revoke", "cache_time"): "3600",
    ("role", "cache_time"): "600",
    ("identity", "cache_time"): "600",
    ("catalog", "cache_time"): "600",
    ("cache", "enabled"): "true",
    ("fernet_tokens", "key_repository"): "/etc/keystone/fernet-keys/",
    ("fernet_tokens", "max_active_keys"): "3",
    ("fernet_receipts", "key_repository"): "/etc/keystone/fernet-keys/",
    ("fernet_receipts", "max_active_keys"): "3",
    ("credential", "key_repository"): "/etc/keystone/credential-keys/",
    ("jwt_tokens", "jws_public_key_repository"): "/etc/keystone/jws-keys/public",
    ("jwt_tokens", "jws_private_key_repository"): "/etc/keystone/jws-keys/private",
    ("DEFAULT", "max_token_size"): "255",
    ("oslo_middleware", "enable_proxy_headers_parsing"): "false",
    ("database", "max_retries"): "10",
    ("database", "retry_interval"): "10",
}
_LATE = {
    "token": "a token revoked at another site",
    "revoke": "a token revoked at another site",
    "role": "a role taken away at another site",
    "identity": "a user disabled at another site",
}
_SET = "set it to {} there and restart {}"
_CONSEQUENCES = {
    ("token", "provider"): "tokens of other sites are not understood at {site}, nor its own elsewhere: 401",
    ("token", "expiration"): "tokens issued at {site} live longer or shorter than the keys are kept for",
    ("token", "allow_expired_window"):
        "long operations of services at {site} fail earlier, or tokens outlive their keys",
    ("catalog", "cache_time"): "a changed endpoint is seen at {site} later, or its catalog is read more often",
    ("cache", "enabled"): "every validation at {site} asks the database some 150 times: half a second each",
    ("credential", "key_repository"): "credentials stored at another site cannot be read at {site}",
    ("DEFAULT", "max_token_size"): "tokens are refused at {site} for their length: 401",
    ("oslo_middleware", "enable_proxy_headers_parsing"):
        "links in answers of {site} show its own address to clients of the proxy",
}  # fmt: skip


@dataclass(frozen=True)
class _Difference:
    section: str
    option: str
    expected: str
    found: str


def keystone(
    topology: Topology, site: IdentitySite, wanted: Options, found: Options | Unknown, place: str
) -> list[Finding]:
    """What differs in a site's keystone.conf from ``wanted`` (as rendered).  ``place``: the file that was read."""
    if isinstance(found, Unknown):
        return [unknown(site.name, place, "keystone.conf", found)]
    results = []
    for (section, option), value in wanted.items():
        if (section, option) == _CONNECTION or option == "log_file":
            continue
        actual = found.get((section, option), _DEFAULTS.get((section, option)))
        if actual is not None and _same(actual, value):
            continue
        shown = found.get((section, option))
        said = shown if shown is not None else f"not set (Keystone's own: {actual or 'none'})"
        difference = _Difference(section, option, value, said)
        severity, consequence = _consequence(topology, site, difference, actual)
        remedy = _SET.format(value, "Keystone")
        results.append(
            differs(site.name, place, f"[{section}] {option}", value, said, consequence, remedy, severity)
        )
    return results + list(_connection(site, found, place))


def _same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _plain(value: str) -> str:
    value = value.strip()
    return {"1": "true", "yes": "true", "on": "true"}.get(value.lower(), value.rstrip("/"))


def _consequence(
    topology: Topology, site: IdentitySite, difference: _Difference, actual: str | None
) -> tuple[Severity, str]:
    setting = difference.section, difference.option
    if difference.section in _LATE and difference.option == "cache_time":
        return _cache(topology, site.name, difference, actual)
    if difference.option == "max_active_keys":
        return _key_count(site.name, difference, actual)
    if setting in _CONSEQUENCES:
        return Severity.DIFFERS, _CONSEQUENCES[setting].format(site=site.name)
    if difference.option.endswith("key_repository"):
        return Severity.DIFFERS, (
            f"Keystone of {site.name} reads other keys than those that are distributed: after the next rotation 401"
        )
    return Severity.DEGRADED, f"{site.name} does not run as rendered for this topology"


def _cache(
    topology: Topology, site: str, difference: _Difference, actual: str | None
) -> tuple[Severity, str]:
    who = _LATE[difference.section]
    seconds = _number(actual)
    if seconds is None:
        return Severity.DIFFERS, f"Keystone of {site} may not start: this is no number"
    bound = seconds + topology.token_cache_time
    if seconds < topology.cache_time:
        return Severity.DEGRADED, f"{site} asks its database more often than it needs to"
    return (
        Severity.DIFFERS,
        f"{who} is still taken at {site} for up to {bound} s, not {topology.revocation_bound} s",
    )


def _key_count(site: str, difference: _Difference, actual: str | None) -> tuple[Severity, str]:
    count, wanted = _number(actual), _number(difference.expected)
    if count is not None and wanted is not None and count > wanted:
        return Severity.DEGRADED, f"a rotation at {site} keeps keys longer than any token lives"
    return (
        Severity.DIFFERS,
        f"a rotation at {site} throws keys away while tokens made with them live: these get 401 everywhere",
    )


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _connection(site: IdentitySite, found: Options, place: str) -> Iterator[Finding]:
    """Where the database is; of the URL only account, host and port are looked at or shown."""
    host, port = names.database_address(site)
    wanted = f"{names.KEYSTONE_ACCOUNT}@{host}:{port}/{names.SCHEMA}"
    value = found.get(_CONNECTION)
    if value is None:
        missing = Unknown("not in the files that were read", "collect keystone.conf.d as well")
        yield unknown(site.name, place, "[database] connection", missing)
        return
    try:
        parts = urlsplit(value)
        shown = f"{parts.username or ''}@{parts.hostname or ''}:{parts.port or 3306}{parts.path}"
    except ValueError:
        shown = "no URL"
    if shown != wanted:
        yield differs(
            site.name, place, "[database] connection", wanted, shown,
            f"Keystone of {site.name} does not work on its own site's database: it stops when another site is cut off,"
            " or writes where it must not", _SET.format(wanted, "Keystone"),
        )  # fmt: skip


def authtoken(topology: Topology, site: IdentitySite, found: Options | Unknown, place: str) -> list[Finding]:
    """What differs in the [keystone_authtoken] of a service of a site."""
    if isinstance(found, Unknown):
        return [unknown(site.name, place, f"[{SECTION}]", found)]
    own = _section(found, SECTION)
    if not own:
        consequence, remedy = "this service cannot validate any token", f"install the rendered {SECTION}.conf"
        return [differs(site.name, place, f"[{SECTION}]", "present", "missing", consequence, remedy)]
    wrong = [*_region(site, own), *_answers(topology, site, own), *_service_cache(topology, site, own)]
    return [
        *_login(topology, site, found, own, place),
        *(_told(site, place, SECTION, own, w) for w in wrong),
    ]


def _section(found: Options, name: str) -> dict[str, str]:
    """A section's options as oslo.config and auth_token take them: ``-`` for ``_``, names of before."""
    own = {
        option.replace("-", "_"): value
        for (section, option), value in found.items()
        if section.lower() == name.lower()
    }
    return {new: own[old] for old, new in _RENAMED.items() if old in own} | own


def _login(
    topology: Topology, site: IdentitySite, found: Options, own: dict[str, str], place: str
) -> Iterator[Finding]:
    """Where the service logs in: of the section that ``auth_section`` names, and then of no other
    (keystoneauth1/loading/conf.py).
    """
    name = own.get("auth_section") or SECTION
    login = _section(found, name)
    if not login:
        missing = Unknown("not in the files that were read", "give the file that has it with --authtoken")
        yield unknown(site.name, place, f"[{name}]", missing)
        return
    for wrong in _auth_url(topology, site, login):
        yield _told(site, place, name, login, wrong)


def _told(site: IdentitySite, place: str, section: str, own: dict[str, str], wrong: _Wrong) -> Finding:
    return differs(
        site.name, place, f"[{section}] {wrong.option}", wrong.expected, own.get(wrong.option, "not set"),
        wrong.consequence, _SET.format(wrong.expected, "the service"), wrong.severity,
    )  # fmt: skip


@dataclass(frozen=True)
class _Wrong:
    option: str
    expected: str
    consequence: str
    severity: Severity = Severity.DIFFERS


def _region(site: IdentitySite, own: dict[str, str]) -> Iterator[_Wrong]:
    if own.get("region_name") != site.region:
        which = (
            "that region" if own.get("region_name") else "any region, whichever comes first in the catalog"
        )
        yield _Wrong("region_name", site.region, (
            f"this service validates tokens at the Keystone of {which}: every request crosses sites, and {site.name}"
            " stops serving when that one is cut off"
        ))  # fmt: skip
    if own.get("interface", "internal").removesuffix("URL") != "internal":
        yield _Wrong("interface", "internal", (
            f"this service validates tokens at the entry, not at {site.name}: it stops serving when the"
            " entry is cut off"
        ))  # fmt: skip


def _auth_url(topology: Topology, site: IdentitySite, own: dict[str, str]) -> Iterator[_Wrong]:
    url, here, entry = _base(own.get("auth_url", "")), _base(site.url), _base(topology.entry)
    if url == entry != here:
        yield _Wrong("auth_url", site.url, (
            f"the service's own login needs the masters once per token's life, although {site.name} has a Keystone"
        ), Severity.DEGRADED)  # fmt: skip
    elif url != here:
        text = "the service logs in at another site: it stops when that one is cut off"
        yield _Wrong("auth_url", site.url, text)


def _answers(topology: Topology, site: IdentitySite, own: dict[str, str]) -> Iterator[_Wrong]:
    here, entry = _base(site.url), _base(topology.entry)
    if "www_authenticate_uri" in own and _base(own["www_authenticate_uri"]) not in (entry, here):
        text = "clients that get 401 are sent elsewhere"
        yield _Wrong("www_authenticate_uri", topology.entry, text, Severity.DEGRADED)
    servers = ",".join(site.memcached)
    if servers and "memcached_servers" not in own:
        text = "each process of the service caches alone and asks Keystone for itself"
        yield _Wrong("memcached_servers", servers, text, Severity.DEGRADED)


def _service_cache(topology: Topology, site: IdentitySite, own: dict[str, str]) -> Iterator[_Wrong]:
    seconds = _number(own.get("token_cache_time", str(MIDDLEWARE_CACHE)))
    if seconds is None or seconds > topology.token_cache_time or seconds < 0:
        bound = "ever" if seconds is None or seconds < 0 else f"up to {topology.cache_time + seconds} s"
        default = "" if "token_cache_time" in own else f" (auth_token's own {MIDDLEWARE_CACHE} s)"
        yield _Wrong("token_cache_time", str(topology.token_cache_time), (
            f"a revoked token is still taken by this service at {site.name} for {bound}{default},"
            f" not {topology.revocation_bound} s"
        ))  # fmt: skip


def _base(url: str) -> str:
    return url.rstrip("/").removesuffix("/v3").rstrip("/")
