"""What is done once at boot, inside a site, between the identity's programs."""

from __future__ import annotations

from functools import partial

from multisite_lab.mariadb import execute
from multisite_lab.model import Site
from multisite_lab.passwords import Passwords
from multisite_lab.process import wait_until
from multisite_lab.star import catalog, layout, sql
from multisite_lab.star.layout import Node

_PATIENCE = 180.0


def join(site: Site) -> None:
    """Wait until the site's node belongs to the primary component, and its catalog is the three sites'."""
    node = layout.node_of_master(site)
    wait_until(lambda: _joined(node), f"{site.name}: node in the primary component", _PATIENCE)
    if site == layout.MASTERS[0]:
        catalog.localize(node)
    wait_until(lambda: catalog.is_localized(node), f"{site.name}: catalog of the sites", _PATIENCE)


def follow(site: Site) -> None:
    """Let the site's copies follow their masters; the first time also wait until they have caught up.

    Later they do so by themselves, and a site must come up while it is cut off from its masters.
    """
    for node in layout.nodes(site):
        done = site.var / f"{node.service}.follows"
        if done.exists():
            continue
        sql.execute(node, _follow_sql(site, node))
        done.touch()
    for node in layout.nodes(site):
        wait_until(partial(_has_catalog, node), f"{node.service}: first changes of its master", _PATIENCE)


def forget_own(site: Site) -> None:
    """A whole site's own database came with an identity that this form of the lab does not use."""
    done = site.var / "mysql" / "localized"
    if not done.exists():
        execute(site.run, "DROP DATABASE IF EXISTS keystone;")
        done.touch()


def _joined(node: Node) -> bool:
    status = sql.status(node)
    return status.get("wsrep_cluster_status") == "Primary" and status.get("wsrep_ready") == "ON"


def _has_catalog(node: Node) -> bool:
    try:
        return catalog.is_localized(node)
    except sql.SqlError:
        return False


def _follow_sql(site: Site, node: Node) -> str:
    assert node.follows is not None
    secret = Passwords.load(site.root / "passwords.json").service
    position = (site.var / "identity-base-gtid").read_text().strip()
    return f"""
        STOP SLAVE; RESET SLAVE ALL; RESET MASTER;
        SET GLOBAL gtid_slave_pos = '{position}';
        CHANGE MASTER TO master_host='{node.follows.management}', master_port={layout.DATABASE_PORT},
          master_user='repl', master_password='{secret}', master_use_gtid=slave_pos,
          master_connect_retry=1, master_heartbeat_period=1;
        START SLAVE;
    """
