"""Makes a copy of the golden database the site's own."""

from __future__ import annotations

from multisite_lab.mariadb import execute
from multisite_lab.model import Site

PLACEHOLDER_HOST = "site.invalid"
PLACEHOLDER_REGION = "Golden"


def localise(site: Site) -> None:
    """Give the copied identity service this site's region, addresses and identifiers, once.

    Identifiers of projects and users are made anew: sites that grew apart never share them, and code that carries
    one from site to site by mistake must fail here too.
    """
    done = site.var / "mysql" / "localised"
    if done.exists():
        return
    seed = (site.root / "identity").read_text().strip()
    execute(site.run, "\n".join(["START TRANSACTION;", *_statements(site, seed), "COMMIT;"]))
    done.touch()


def _statements(site: Site, seed: str) -> list[str]:
    def fresh(column: str) -> str:
        return f"{column} = MD5(CONCAT({column}, '{seed}'))"

    region = f"= '{site.region}' WHERE"
    return [
        "USE keystone;",
        "SET FOREIGN_KEY_CHECKS = 0;",
        f"UPDATE region SET id {region} id = '{PLACEHOLDER_REGION}';",
        f"UPDATE endpoint SET region_id {region} region_id = '{PLACEHOLDER_REGION}';",
        f"UPDATE endpoint SET url = REPLACE(url, '{PLACEHOLDER_HOST}', '{site.management}');",
        f"UPDATE project SET {fresh('id')} WHERE NOT is_domain;",
        f"UPDATE user SET {fresh('default_project_id')} WHERE default_project_id IS NOT NULL;",
        f"UPDATE user SET {fresh('id')};",
        f"UPDATE user_option SET {fresh('user_id')};",
        f"UPDATE local_user SET {fresh('user_id')};",
        f"UPDATE assignment SET {fresh('actor_id')};",
        f"UPDATE assignment SET {fresh('target_id')} WHERE type = 'UserProject';",
        f"UPDATE system_assignment SET {fresh('actor_id')};",
        "SET FOREIGN_KEY_CHECKS = 1;",
    ]
