"""The watchdog's file: what is watched, with which account, and which proxy is controlled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from multisite.domain.errors import Invalid
from multisite.identity.fields import DatabaseAccount, File, Host, Name, Port, ProxyServer
from multisite.identity.watchdog.plan import Limits


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Master(_Strict):
    """A master site's database."""

    site: Name
    address: Host
    port: Port = 3306


class Replica(_Strict):
    """A database of this site.  ``home``: the master site it follows when all is well; ``servers``: HAProxy's
    ``backend/server`` names of it, taken out together."""

    name: Name
    address: Host
    port: Port = 3306
    home: Name
    servers: tuple[ProxyServer, ...] = ()


class Proxy(_Strict):
    """``socket``: HAProxy's ``stats socket``, level admin.  ``local``: every ``backend/server`` that is the site's own
    Keystone and reads; as rendered ``identity_read/<site>`` and ``identity_read/as-it-is``."""

    socket: File
    local: tuple[ProxyServer, ...] = ()


class Settings(_Strict):
    """``account`` needs SLAVE MONITOR, BINLOG MONITOR and REPLICATION SLAVE ADMIN everywhere, and at a master CREATE,
    SELECT, INSERT and UPDATE in Keystone's database; never SUPER or READ ONLY ADMIN.  ``beats_at``: the master
    site this watchdog writes the canary row at, for a watchdog beside a master."""

    account: DatabaseAccount
    password_file: File
    masters: tuple[Master, ...] = Field(min_length=1)
    replicas: tuple[Replica, ...] = ()
    proxy: Proxy | None = None
    beats_at: Name | None = None
    gtid_domain: Annotated[int, Field(ge=0, le=4_294_967_295)] = 10
    times: Limits = Limits()

    def password(self) -> SecretStr:
        """Read anew each time: it may be changed while the watchdog runs.  Raises Invalid, never with its content."""
        try:
            text = Path(self.password_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Invalid(f"password_file: {self.password_file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            text = ""
        if not text or not text.isprintable():
            raise Invalid(
                f"password_file: {self.password_file} is not one line of text: write the password to it"
            )
        return SecretStr(text)

    def master(self, site: str) -> Master:
        """The master site's database; KeyError when there is none."""
        return {master.site: master for master in self.masters}[site]


def load(path: Path) -> Settings:
    """Read the file (JSON); raise Invalid naming the field that is wrong."""
    try:
        found = Settings.model_validate(json.loads(path.read_text()))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{path} is not UTF-8 text") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise Invalid(f"{path} is not JSON: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(part if str(part).isprintable() else repr(part) for part in map(str, first["loc"]))
        raise Invalid(f"{where}: {first['msg']} (in {path})") from None
    sites = {master.site for master in found.masters}
    for replica in found.replicas:
        if replica.home not in sites:
            raise Invalid(
                f"replicas.{replica.name}.home: {replica.home!r} is no master; there are {', '.join(sorted(sites))}"
            )
    if found.beats_at is not None and found.beats_at not in sites:
        raise Invalid(f"beats_at: {found.beats_at!r} is no master; there are {', '.join(sorted(sites))}")
    return found
