"""How a site's part of the identity is, as its health agent says it."""

from __future__ import annotations

import http.client
import json

from multisite_lab.model import Site
from multisite_lab.star import layout


def of_site(site: Site) -> dict[str, str]:
    """Service -> `ok: ...` or what is wrong; must run where the site's addresses can be reached."""
    found = {"keystone": _asked(site, layout.CHECK_PORT)}
    for node in layout.nodes(site):
        found[node.service] = _asked(site, layout.fresh_port(node))
    return found


def _asked(site: Site, port: int) -> str:
    connection = http.client.HTTPConnection(site.management, port, timeout=3)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        text = str(json.loads(answer.read())["text"])
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"its health agent does not answer on port {port}: {error}"
    finally:
        connection.close()
    return f"ok: {text}" if answer.status == 200 else text
