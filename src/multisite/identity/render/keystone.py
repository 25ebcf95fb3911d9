"""Files of a Keystone: its configuration, the database's password apart from it, and how it is served."""

from __future__ import annotations

from multisite.identity import numbers
from multisite.identity.render import names
from multisite.identity.render.model import KEYSTONE_NODE, File, from_template
from multisite.identity.secrets import Secrets
from multisite.identity.topology.model import IdentitySite, TokenProvider, Topology

CONFIG = "etc/keystone/keystone.conf"
CONFIG_FOLDER = "etc/keystone/keystone.conf.d"
"""oslo.config reads ``*.conf`` in it after keystone.conf, without being told."""


CATALOG_CACHE_TIME = 30
"""Seconds; reading the catalog costs a query or two per region and process in that time."""


def files(topology: Topology, site: IdentitySite, secrets: Secrets) -> tuple[File, ...]:
    """keystone.conf, keystone.conf.d/database.conf (secret) and the uWSGI configuration."""
    config = from_template(
        "keystone.conf", topology=topology, site=site, catalog_cache_time=CATALOG_CACHE_TIME, keys=site.keys,
        jws=topology.tokens.provider == TokenProvider.JWS, max_active_keys=numbers.max_active_keys(topology.tokens),
    )  # fmt: skip
    served = from_template("keystone-uwsgi.ini", address=site.address, port=names.keystone_port(site))
    database = f"{CONFIG_FOLDER}/database.conf"
    return (
        File(site.name, KEYSTONE_NODE, CONFIG, config, 0o640),
        File(site.name, KEYSTONE_NODE, database, _database(site, secrets), 0o600, secret=True),
        File(site.name, KEYSTONE_NODE, "etc/keystone/keystone-uwsgi.ini", served),
    )


def _database(site: IdentitySite, secrets: Secrets) -> str:
    host, port = names.database_address(site)
    # The characters a password may have (secrets) need no quoting here, except the one that ends a URL's authority.
    password = secrets.database.get_secret_value().replace("/", "%2F")
    account = f"{names.KEYSTONE_ACCOUNT}:{password}"
    return f"[database]\nconnection = mysql+pymysql://{account}@{host}:{port}/{names.SCHEMA}\n"
