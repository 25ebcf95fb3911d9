"""Configuration files of the one identity, from the lab's templates."""

from __future__ import annotations

from typing import Any

from multisite_lab.model import Site
from multisite_lab.passwords import Passwords
from multisite_lab.star import layout
from multisite_lab.star.layout import Node
from multisite_lab.templates import template_text

FOLDERS = ("etc/identity", "log", "run", "var/keystone")


def database(node: Node, address: str, masters: str) -> str:
    """Option file of a database server; ``masters``: addresses of the Galera nodes, with commas."""
    return _text("star-database.cnf", {"node": node, "address": address, "masters": masters})


def files(site: Site, passwords: Passwords) -> dict[str, str]:
    """File below a site's etc -> its text, for the site's part of the identity."""
    masters = ",".join(master.management for master in layout.MASTERS)
    copies = [node for node in layout.nodes(site) if node.follows is not None]
    own = f"{site.management}:{layout.DATABASE_PORT}"
    chosen = own if layout.is_master(site) else f"127.0.0.1:{layout.CHOSEN_DATABASE_PORT}"
    found = {f"identity/{n.service}.cnf": database(n, site.management, masters) for n in layout.nodes(site)}
    found["keystone/keystone.conf"] = _text(
        "star-keystone.conf", {"site": site, "passwords": passwords, "database": chosen}
    )
    if layout.is_master(site):
        found["bin/rsync"] = _text("star-rsync", {"site": site})
    if copies:
        found["identity/haproxy.cfg"] = _text("star-proxy.cfg", {"site": site, "copies": copies})
    return found


def entry(socket: str) -> str:
    """The entry's proxy."""
    return _text("star-entry.cfg", {"socket": socket})


def _text(template: str, values: dict[str, Any]) -> str:
    return template_text(template, {"layout": layout} | values)
