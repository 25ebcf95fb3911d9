"""Makes a copy of the golden database the site's own."""

from __future__ import annotations

from multisite_lab.mariadb import execute
from multisite_lab.model import Site

PLACEHOLDER_HOST = "site.invalid"
PLACEHOLDER_REGION = "Golden"


def localize(site: Site) -> None:
    """Give the copied identity service this site's region, addresses and identifiers, once.

    Identifiers of projects and users are made anew: sites that grew apart never share them, and code that
    carries one from site to site by mistake must fail here too.
    """
    done = site.var / "mysql" / "localized"
    if done.exists():
        return
    seed = (site.root / "identity").read_text().strip()
    execute(site.run, "\n".join(["START TRANSACTION;", *_statements(site, seed), "COMMIT;"]))
    done.touch()


def _statements(site: Site, seed: str) -> list[str]:
    changes = [
        ("region", "id", _REGION),
        ("endpoint", "region_id", _REGION),
        ("endpoint", "url", _ADDRESS),
        ("project", "id", f"{_FRESH} WHERE NOT is_domain"),
        ("user", "default_project_id", f"{_FRESH} WHERE default_project_id IS NOT NULL"),
        ("user", "id", _FRESH),
        ("user_option", "user_id", _FRESH),
        ("local_user", "user_id", _FRESH),
        ("assignment", "actor_id", _FRESH),
        ("assignment", "target_id", f"{_FRESH} WHERE type = 'UserProject'"),
        ("system_assignment", "actor_id", _FRESH),
    ]
    values = {"seed": seed, "region": site.region, "address": site.management}
    updates = [
        _update(table, column, expression.format(column=column, **values))
        for table, column, expression in changes
    ]
    return ["USE keystone;", "SET FOREIGN_KEY_CHECKS = 0;", *updates, "SET FOREIGN_KEY_CHECKS = 1;"]


def _update(table: str, column: str, expression: str) -> str:
    return f"UPDATE {table} SET {column} = {expression};"  # noqa: S608 - names and values of the lab's own


_FRESH = "MD5(CONCAT({column}, '{seed}'))"
_REGION = f"IF({{column}} = '{PLACEHOLDER_REGION}', '{{region}}', {{column}})"
_ADDRESS = f"REPLACE({{column}}, '{PLACEHOLDER_HOST}', '{{address}}')"
