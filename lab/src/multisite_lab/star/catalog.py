"""The catalog of the one identity: every region's endpoints, and one internal identity endpoint per region.

That endpoint is what makes validation local: a service's auth_token with ``region_name`` asks the internal endpoint
of its own region, whatever its ``auth_url`` is.
"""

from __future__ import annotations

from multisite_lab import form
from multisite_lab.database import PLACEHOLDER_HOST, PLACEHOLDER_REGION
from multisite_lab.model import ALL_SITES, Site
from multisite_lab.star import layout, sql
from multisite_lab.star.layout import Node


def is_localized(node: Node) -> bool:
    """Whether the placeholders are gone."""
    wanted = "SELECT COUNT(*) FROM keystone.region WHERE id IN ('{}', '{}')"
    found = sql.execute(node, wanted.format(PLACEHOLDER_REGION, layout.REPLICA_SITE.region))
    count = sql.execute(node, f"SELECT COUNT(*) FROM keystone.region WHERE id = '{PLACEHOLDER_REGION}'")  # noqa: S608
    return found.strip() == "1" and count.strip() == "0"


def localize(node: Node) -> None:
    """Replace the placeholder region by one region per site, once; any node of the cluster will do."""
    if not is_localized(node):
        statements = [line for site in ALL_SITES.values() for line in _region(site)]
        last = [f"DELETE FROM endpoint WHERE region_id = '{PLACEHOLDER_REGION}';"]  # noqa: S608
        last += [f"DELETE FROM region WHERE id = '{PLACEHOLDER_REGION}';"]  # noqa: S608
        text = ["USE keystone;", "START TRANSACTION;", *statements, *last, "COMMIT;"]
        sql.execute(node, "\n".join(text))


def _region(site: Site) -> list[str]:
    columns = "legacy_endpoint_id, interface, service_id, url, extra, enabled, region_id"
    identity = "service_id IN (SELECT id FROM service WHERE type = 'identity')"
    inside = f"IF(interface = 'internal', '{site.url('keystone')}', '{layout.ENTRY_URL}')"
    wanted = f"region_id = '{PLACEHOLDER_REGION}'" + ("" if form.whole(site) else f" AND {identity}")
    url = f"IF({identity}, {inside}, REPLACE(url, '{PLACEHOLDER_HOST}', '{site.management}'))"
    values = (
        f"MD5(CONCAT(id, '{site.region}')), legacy_endpoint_id, interface, service_id, {url}, extra, enabled"
    )
    return [
        f"INSERT INTO region (id, description, extra) VALUES ('{site.region}', '{site.name}', '{{}}');",  # noqa: S608
        f"INSERT INTO endpoint (id, {columns}) SELECT {values}, '{site.region}' FROM endpoint WHERE {wanted};",  # noqa: S608
    ]
