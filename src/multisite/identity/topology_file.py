"""A topology as a YAML file (``version: 1``) and back.

Every error names the field (``sites[2].databases[0].port``), what is wrong with it and what to do; all of them at
once.  Rules that concern more than one field are in ``topology_rules``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from multisite.domain.errors import Invalid
from multisite.identity import topology_rules
from multisite.identity.topology import (
    Arbitrator,
    Database,
    Form,
    IdentitySite,
    KeyHome,
    Role,
    TokenProvider,
    Tokens,
    Topology,
)

VERSION = 1

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
_REGION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"
_HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
_NO_HOST = r"^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)?$"
_FOLDER = r"^/[A-Za-z0-9._/-]+$"
_NO_FOLDER = r"^(/[A-Za-z0-9._/-]+)?$"
_SERVER = r"^[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}$"
_URL = r"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/v3$"
_WANTED = {
    _NAME: "letters, digits, '_' and '-', at most 63, beginning with a letter or digit",
    _REGION: "letters, digits, '.', '_' and '-', beginning with a letter or digit",
    _HOST: "an IPv4 address or a host name",
    _NO_HOST: "an IPv4 address or a host name",
    _FOLDER: "an absolute path",
    _NO_FOLDER: "an absolute path",
    _SERVER: "host:port",
    _URL: "a URL like http://192.0.2.5:5000/v3",
}

Name = Annotated[str, Field(pattern=_NAME)]
Host = Annotated[str, Field(pattern=_HOST)]
MaybeHost = Annotated[str, Field(pattern=_NO_HOST)]
Port = Annotated[int, Field(ge=1, le=65535)]
Folder = Annotated[str, Field(pattern=_FOLDER)]
MaybeFolder = Annotated[str, Field(pattern=_NO_FOLDER)]
Server = Annotated[str, Field(pattern=_SERVER)]
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


class _Section(BaseModel):
    """Exactly the fields we know, of exactly the types we say (YAML's ``no`` is not a name)."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Tokens(_Section):
    provider: Literal["fernet", "jws"] = "fernet"
    expiration: Seconds = 3600
    allow_expired_window: Annotated[int, Field(ge=0, le=31_536_000)] = 172_800
    rotation_interval: Seconds = 86_400


class _Database(_Section):
    address: Host
    port: Port = 3306
    follows: Name | None = None
    server_id: Annotated[int, Field(ge=0, le=4_294_967_295)] = 0


class _Keys(_Section):
    transport: Literal["directory", "ssh"]
    fernet_tokens: Folder = "/etc/keystone/fernet-keys"
    fernet_receipts: Folder = "/etc/keystone/fernet-receipt-keys"
    credential: Folder = "/etc/keystone/credential-keys"
    jws_public: MaybeFolder = ""
    jws_private: MaybeFolder = ""
    owner: str = "keystone"
    group: str = "keystone"
    host: MaybeHost = ""
    port: Port = 22
    user: str = "keystone"
    client_key: str = ""
    known_hosts: str = ""


class _Site(_Section):
    name: Name
    region: Annotated[str, Field(pattern=_REGION)]
    role: Literal["master", "replica", "client"]
    address: Host
    port: Port = 5000
    owner: str = ""
    databases: list[_Database] = []
    keys: _Keys | None = None
    local_port: Port = 5001
    memcached: list[Server] = []


class _Arbitrator(_Section):
    address: Host
    site: str = ""


class _File(_Section):
    version: Literal[1]
    name: Name
    form: Literal["cluster", "multi-cluster", "star", "centralised"]
    entry: Annotated[str, Field(pattern=_URL)]
    sites: Annotated[list[_Site], Field(min_length=1)]
    tokens: _Tokens = _Tokens()
    arbitrator: _Arbitrator | None = None
    cache_time: Seconds = 2
    token_cache_time: Seconds = 2
    galera_cluster: Name = "keystone"


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, instead of taking the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                what = "is given twice" if key in seen else "is no name"
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} {what}", key_node.start_mark)
            seen.add(key)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read(path: Path) -> Topology:
    """The topology in a file (multisite.domain.errors.Invalid says, in one line each, all that is wrong)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Invalid(f"{path}: cannot be read: {reason}: name a topology file") from error
    try:
        return parsed(text)
    except Invalid as error:
        lines = str(error).splitlines()
        raise Invalid("\n".join(f"{path}: {line}" for line in lines)) from error


def parsed(text: str) -> Topology:
    """As ``read``, of a text."""
    try:
        # The loader is SafeLoader's child: it makes plain values only.
        content = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise Invalid(f"{where}{problem}: correct the YAML there") from error
    if not isinstance(content, dict):
        raise Invalid("the file: is no mapping of fields: begin it with 'version: 1'")
    try:
        model = _File.model_validate(content)
    except ValidationError as error:
        raise Invalid("\n".join(_said(e) for e in error.errors())) from None
    topology = _topology(model)
    problems = topology_rules.problems(topology)
    if problems:
        raise Invalid("\n".join(str(problem) for problem in problems))
    return topology


def dumped(topology: Topology) -> str:
    """The file of a topology; fields that have their default are left out."""
    content = {"version": VERSION} | _sparse(topology)
    return yaml.safe_dump(content, sort_keys=False, width=120)


def _topology(model: _File) -> Topology:
    plain = model.model_dump(exclude={"version", "sites", "tokens", "arbitrator", "form"})
    tokens = model.tokens.model_dump() | {"provider": TokenProvider(model.tokens.provider)}
    return Topology(
        **plain,
        form=Form(model.form),
        sites=tuple(_site(site) for site in model.sites),
        tokens=Tokens(**tokens),
        arbitrator=Arbitrator(**model.arbitrator.model_dump()) if model.arbitrator else None,
    )


def _site(model: _Site) -> IdentitySite:
    plain = model.model_dump(exclude={"databases", "keys", "role", "memcached"})
    return IdentitySite(
        **plain,
        role=Role(model.role),
        databases=tuple(Database(**database.model_dump()) for database in model.databases),
        keys=KeyHome(**model.keys.model_dump()) if model.keys else None,
        memcached=tuple(model.memcached),
    )


def _sparse(value: Any) -> dict[str, Any]:
    """A dataclass's fields that differ from their defaults, nested ones too."""
    plain = asdict(value)
    found: dict[str, Any] = {}
    for item in fields(value):
        own = getattr(value, item.name)
        default = item.default_factory() if callable(item.default_factory) else item.default
        if own == default:
            continue
        found[item.name] = _plain(own, plain[item.name])
    return found


def _plain(own: Any, plain: Any) -> Any:
    if hasattr(own, "__dataclass_fields__"):
        # A section whose fields all have defaults still has to be there; asdict would write them all.
        return _sparse(own)
    if isinstance(own, tuple):
        return [_plain(item, item) for item in own]
    return str(plain) if isinstance(plain, str) else plain


def _said(error: Mapping[str, Any]) -> str:
    """One pydantic error in an operator's words."""
    path = where(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    given = error.get("input")
    if kind == "missing":
        return f"{path}: is missing: add it"
    if kind == "extra_forbidden":
        return f"{path}: is no field of a topology file: remove it or correct its name"
    if kind == "string_pattern_mismatch":
        return f"{path}: {given!r} is wrong: give {_WANTED[context['pattern']]}"
    if kind == "literal_error":
        return f"{path}: {given!r} is wrong: give {context['expected']}"
    message = error["msg"][:1].lower() + error["msg"][1:]
    shown = "" if isinstance(given, dict | list) else f"{given!r} is wrong: "
    return f"{path}: {shown}{message}"


def where(location: Iterable[str | int]) -> str:
    """``sites[2].databases[0].port`` of a location in a nested value."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"
