"""The identity endpoints as each site's own Keystone gives them, with one login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from multisite.identity.check.compare.catalog import Answer
from multisite.identity.check.facts import Catalog, Refusal, Unknown
from multisite.identity.render.services import Endpoint
from multisite.identity.topology.model import IdentitySite

SECONDS = 10.0
Login = Callable[[], str]
"""Gives a project-scoped token."""


def catalog(site: IdentitySite, token: str) -> Answer:
    """GET /v3/auth/catalog at the site's internal URL (Identity API v3, "Get service catalog").

    That answer also says that the site takes a token issued elsewhere.
    """
    try:
        answer = requests.get(
            f"{site.url}/auth/catalog",
            headers={"X-Auth-Token": token},
            timeout=SECONDS,
            allow_redirects=False,
        )
        if answer.status_code != 200:
            return Refusal(answer.status_code)
        return Catalog(_endpoints(answer.json()))
    except requests.exceptions.JSONDecodeError:
        return Unknown(f"{site.url} answers no JSON: it is no Keystone")
    except requests.RequestException as error:
        return Unknown(f"{site.url} does not answer ({type(error).__name__})")
    except (KeyError, TypeError):
        return Unknown(f"{site.url} answers something else than a catalog")


def _endpoints(body: Any) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(endpoint["region_id"] or "", endpoint["interface"], endpoint["url"])
        for service in body["catalog"]
        if service["type"] == "identity"
        for endpoint in service["endpoints"]
    )
