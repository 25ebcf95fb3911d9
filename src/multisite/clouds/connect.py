"""Connections to sites: one per site, opened by the name of its clouds.yaml entry, shared by every thread.

Nothing here waits for ever: connecting takes at most ``CONNECT_SECONDS`` per address, an answer
``READ_SECONDS``.  The SDK's own retries are off (``call`` does it, knowing what is safe), and so are the
``OS_*`` variables of whoever started us.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import keystoneauth1.exceptions
import openstack.exceptions
from openstack.connection import Connection

from multisite.clouds import regions
from multisite.clouds.classification import classify
from multisite.clouds.entries import CloudEntry, entries, file_of, names_of, read_config
from multisite.clouds.errors import LoginRefused, NotGranted, SiteError, Unreachable, Unsupported
from multisite.clouds.mirror.backend import MirrorBackend
from multisite.clouds.session import FencedAdapter, SiteSession
from multisite.domain.audit import Trail
from multisite.domain.errors import Invalid

if TYPE_CHECKING:
    from openstack.block_storage.v3._proxy import Proxy as Volume
    from openstack.compute.v2._proxy import Proxy as Compute
    from openstack.dns.v2._proxy import Proxy as Dns
    from openstack.identity.v3._proxy import Proxy as Identity
    from openstack.image.v2._proxy import Proxy as Image
    from openstack.network.v2._proxy import Proxy as Network
    from openstack.placement.v1._proxy import Proxy as Placement

CONNECT_SECONDS = 3.0
READ_SECONDS = 60.0
PROBE_SECONDS = 10.0
"""How long a service may take to answer its version document when it is first used."""
ADMINISTRATOR = "multisite_administrator"
"""In an entry of clouds.yaml: the entry of the account that imports backup records in tenants' projects."""
POOL_SIZE = 32
"""Connections kept open per host: twice the sixteen threads that may work in one site at once."""


class CloudSite:
    """A site and its connection.  Usable from many threads.

    Take proxies from the properties (``site.compute`` ...), not from ``conn``: the first use of a service
    logs in and discovers its version, and only the properties do that once, bounded in time, with errors
    sorted into ``SiteError``. ``conn`` is there for what they do not offer.  ``login_refused`` is set by
    ``call`` once Keystone refused our credentials.  ``scope``: the project it logs in to, None for that of clouds.yaml.
    ``administrator``: see ``clouds.administrator``; None: this connection is all there is.
    ``mirrors``: by site the storages that replicate, of all sites.
    ``require_granted`` raises NotGranted unless the project is granted now: asked at the login and before each change.
    """

    def __init__(self, name: str, cloud: str, conn: Connection, scope: str | None = None) -> None:
        self.name = name
        self.administrator: Callable[[bool], CloudSite] | None = None
        self.require_granted: Callable[[], None] = lambda: None
        self.mirrors: Mapping[str, MirrorBackend] = {}
        self.scope = scope
        self.cloud = cloud
        self.conn = conn
        self.login_refused = False
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._made: dict[str, Any] = {}
        self._failed: dict[str, tuple[float, SiteError]] = {}

    @property
    def region(self) -> str:
        return self.conn.config.get_region_name() or ""

    @property
    def project_id(self) -> str:
        """Id of the project we are logged in to (logs in when needed)."""
        self.login()
        return self.conn.session.get_project_id() or ""

    @property
    def project_name(self) -> str:
        """Name of that project."""
        return str(self._access().project_name or "")

    @property
    def project_domain_name(self) -> str:
        """Name of the domain that project is in."""
        return str(self._access().project_domain_name or "")

    @property
    def account(self) -> str:
        """Name of the user we log in as, as clouds.yaml has it; nothing is asked."""
        return str(self.conn.config.get_auth_args().get("username") or "<the account's>")

    @property
    def roles(self) -> frozenset[str]:
        """Names of the roles our credentials have in that project (logs in when needed)."""
        return frozenset(self._access().role_names)

    @property
    def compute(self) -> Compute:
        return cast("Compute", self._service("compute"))

    @property
    def volume(self) -> Volume:
        return cast("Volume", self._service("block-storage"))

    @property
    def network(self) -> Network:
        return cast("Network", self._service("network"))

    @property
    def image(self) -> Image:
        return cast("Image", self._service("image"))

    @property
    def placement(self) -> Placement:
        return cast("Placement", self._service("placement"))

    @property
    def dns(self) -> Dns:
        return cast("Dns", self._service("dns"))

    @property
    def identity(self) -> Identity:
        return cast("Identity", self._service("identity"))

    def login(self) -> None:
        """Log in unless we are; raises LoginRefused or Unreachable."""
        self._once("login", "log in", self._log_in)

    def endpoint(self, service: str) -> str | None:
        """URL of a service in our region, None when the catalog has none (logs in when needed)."""
        self.login()
        return self.conn.endpoint_for(service)

    def _access(self) -> Any:
        self.login()
        session = self.conn.session
        return cast("Any", session.auth).get_access(session)

    def _log_in(self) -> bool:
        self.require_granted()
        auth_url = self.conn.config.get_auth_args().get("auth_url")
        if auth_url:
            self._probe(str(auth_url))
        try:
            done = bool(self.conn.session.get_token())
        except keystoneauth1.exceptions.Unauthorized as error:
            if self.scope is None:
                raise
            raise NotGranted(
                self.name,
                f"log in to project {self.scope}",
                f"refused: is that the project's id there, and has the account of cloud {self.cloud} a role in it? "
                "Grant another with `openstack multisite project grant create`, or there: openstack role add "
                f"--project {self.scope} --user <the account's> member",
                site_status=401,
            ) from error
        if not self.region:
            self._refuse_several_regions()
        return done

    def _refuse_several_regions(self) -> None:
        access = cast("Any", self.conn.session.auth).get_access(self.conn.session)
        if said := regions.of_catalog(access.service_catalog.get_endpoints(), self.cloud):
            self.login_refused = True  # a connection opened later reads clouds.yaml again
            raise Unsupported(self.name, "choose a region", said)

    def _service(self, service: str) -> Any:
        if (known := self._made.get(service)) is None:
            what = f"reach the {service} service"
            known = self._once(service, what, lambda: self._open_service(service, what))
        return known

    def _open_service(self, service: str, what: str) -> Any:
        url = self.endpoint(service)
        if url is None:
            raise Unsupported(self.name, what, f"not in the catalog of region {self.region!r}")
        self._probe(url)
        return getattr(self.conn, service.replace("-", "_"))

    def _probe(self, url: str) -> None:
        """Fail at the first failure.  Version discovery swallows them and guesses on, a time limit for each guess."""
        limits = (self.conn.session.timeout[0], PROBE_SECONDS)  # type: ignore[index]  # a pair: see open_site
        answer = self.conn.session.get(url, authenticated=False, raise_exc=False, timeout=limits)
        if answer.status_code in (502, 503, 504):
            raise Unreachable(self.name, "ask for its versions", f"{url}: HTTP {answer.status_code}")

    def _once(self, key: str, what: str, make: Callable[[], Any]) -> Any:
        """Make something once for all threads; those that waited for a failed attempt share its failure."""
        asked = time.monotonic()
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if (made := self._made.get(key)) is not None:
                return made
            failed_at, failure = self._failed.get(key, (0.0, None))
            if failure is not None and failed_at >= asked:
                raise failure
            try:
                made = make()
            except Exception as error:
                verdict = classify(error, self.name, what)
                if verdict is None:
                    raise
                self.login_refused = self.login_refused or isinstance(verdict.error, LoginRefused)
                self._failed[key] = (time.monotonic(), verdict.error)
                if verdict.error is error:
                    raise
                raise verdict.error from error
            self._made[key] = made
            return made


def open_site(
    name: str,
    cloud: str,
    config_file: str | Path | None = None,
    timeout: float = READ_SECONDS,
    connect_timeout: float = CONNECT_SECONDS,
    trail: Trail | None = None,
    project: str | None = None,
) -> CloudSite:
    """Open the site called ``name`` by the entry ``cloud`` of clouds.yaml.  Nothing is sent before it is used.

    ``config_file`` None means the SDK's usual places.  ``timeout`` and ``connect_timeout`` are seconds
    for one answer and for one connection.  Changes are recorded in ``trail``.  ``project``: id of the project to log in
    to, in place of the entry's.

    Raises Invalid naming the field when the entry is missing or incomplete.
    """
    config = read_config(config_file)
    known = names_of(config)
    if cloud not in known:
        listed = ", ".join(known) or "none"
        raise Invalid(f"cloud: {cloud!r} is not an entry of {file_of(config)}; it has: {listed}")
    try:
        scope: dict[str, Any] = {} if project is None else {"auth": {"project_id": project}}
        named = regions.named(config, cloud)
        region = config.get_one(
            cloud=cloud, region_name=named, connect_retries=0, status_code_retries=0, **scope
        )
    except (openstack.exceptions.ConfigException, keystoneauth1.exceptions.ClientException) as error:
        raise Invalid(f"cloud: entry {cloud!r} of {file_of(config)} cannot be used: {error}") from error
    if project is not None and "application_credential" in str(region.config.get("auth_type")):
        raise Invalid(
            f"cloud: entry {cloud!r} has an application credential, good for one project: use a password"
        )
    conn = Connection(config=region)
    session = cast("SiteSession", conn.session)
    session.audit_to(trail, name)
    # keystoneauth wants one number but only hands it to requests, which takes (connect, read).
    session.timeout = cast("float", (connect_timeout, timeout))
    for scheme in ("http://", "https://"):
        session.mount(scheme, FencedAdapter(pool_connections=POOL_SIZE, pool_maxsize=POOL_SIZE))
    return CloudSite(name, cloud, conn, project)


class Grants(Protocol):
    """Which projects of sites are granted to which of ours (``store.grants``), as it is now."""

    def project_in(self, project_id: str, site: str) -> str:
        """Id, in the site, of the project that is the default for ours."""

    def why_not(self, project_id: str, site: str, site_project_id: str) -> str | None:
        """Why nothing may be done there for our project; None: it is granted."""


class Sites:
    """Open sites by name, one connection each.

    Opening one says for whom: ``open`` for what is done for a project, with the service's account scoped to that
    project of the site; ``open_for_service`` for what the service does for itself, in the account's own project.
    ``tools/check_house.py`` lists who may use the second.

    ``grants`` say in which project of a site things of ours are, and which may be chosen (``store.grants``); without
    them everything is done in the account's own project.

    ``cloud_of`` gives the clouds.yaml entry of a registered site (it raises NotFound for others); without
    it names are entries.  A connection whose credentials were refused is opened anew, and so reads
    clouds.yaml again.  Whatever is changed through them is recorded in ``trail``.  ``mirrors``: see ``CloudSite``.
    """

    def __init__(
        self,
        cloud_of: Callable[[str], str] | None = None,
        *,
        grants: Grants | None = None,
        config_file: str | Path | None = None,
        timeout: float = READ_SECONDS,
        connect_timeout: float = CONNECT_SECONDS,
        trail: Trail | None = None,
        mirrors: Mapping[str, MirrorBackend] | None = None,
    ) -> None:
        self.mirrors = mirrors or {}
        self.config_file = config_file
        self._trail = trail
        self._cloud_of = cloud_of or (lambda name: name)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._lock = threading.Lock()
        self._grants = grants
        self._open: dict[tuple[str, str | None, str, str | None], CloudSite] = {}

    def open(self, name: str, *, for_project: str, project: str | None = None) -> CloudSite:
        """The connection of a site for work that is done for a project (its id in our Keystone); nothing is sent.

        ``project``: id there of the one that was chosen among those granted to it; None is the default.

        Raises Invalid without a project, and when its clouds.yaml entry cannot be used; NotGranted for a chosen one
        that is not granted, or not any more.
        """
        if not for_project:
            raise Invalid(f"project: site {name} is used for a project: take a token that is scoped to one")
        if self._grants is None:
            return self._opened(name)
        site = self._opened(name, project or self._grants.project_in(for_project, name), owner=for_project)
        if project:
            site.require_granted()
        return site

    def open_project(self, name: str, project: str) -> CloudSite:
        """The connection scoped to a project of the site, by its id there; Invalid as ``open``."""
        return self._opened(name, project)

    def open_for_service(self, name: str) -> CloudSite:
        """The connection of a site for what is done for no project: probes, looks at many projects' things at once.

        Raises Invalid as ``open``.
        """
        return self._opened(name)

    def _opened(
        self, name: str, project: str | None = None, cloud: str | None = None, owner: str | None = None
    ) -> CloudSite:
        """``owner``: our project that the one there has to be granted to; None: nobody's grant is asked for."""
        cloud = cloud or self._cloud_of(name)
        with self._lock:
            known = self._open.get((name, project, cloud, owner))
            if known is not None and not known.login_refused:
                return known
            limits = (self._timeout, self._connect_timeout)
            site = open_site(name, cloud, self.config_file, *limits, trail=self._trail, project=project)
            site.mirrors = self.mirrors
            if project is not None:
                site.administrator = partial(self._administrator, site, owner)
            if owner is not None and project is not None:
                site.require_granted = partial(self._require_granted, name, owner, project)
                cast("SiteSession", site.conn.session).before_change = site.require_granted
            self._open[name, project, cloud, owner] = site
        return site

    def _require_granted(self, name: str, owner: str, project: str) -> None:
        if self._grants is not None and (why := self._grants.why_not(owner, name, project)):
            raise NotGranted(name, f"work in project {project}", why, site_status=403)

    def _administrator(self, site: CloudSite, owner: str | None, in_project: bool) -> CloudSite:
        """See ``clouds.administrator``: in the account's own project, or the administrator's account in this one."""
        if not in_project:
            return self._opened(site.name, None, site.cloud)
        named = site.conn.config.config.get(ADMINISTRATOR)
        return self._opened(site.name, site.scope, str(named), owner) if named else site

    def drop(self, name: str) -> None:
        """Forget the connections of a site.  Threads that hold one may go on using it."""
        with self._lock:
            self._open = {key: site for key, site in self._open.items() if key[0] != name}

    def entries(self) -> dict[str, CloudEntry]:
        """The entries of clouds.yaml a site may be registered with."""
        return entries(self.config_file)
