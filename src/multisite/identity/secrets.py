"""Passwords a deployment needs, in a type that does not print them; they are in no topology."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

import yaml
from pydantic import SecretStr

from multisite.domain.errors import Invalid

# Nothing that oslo.config, SQL, a URL or a shell reads as anything but itself.
_ALLOWED = re.compile(r"[A-Za-z0-9_.~+=/-]{8,128}")
_WAITING = "REPLACE_WITH_{name}_password"


@dataclass(frozen=True)
class Secrets:
    """``database``: of Keystone's database account; ``replication``: of the account replicas log in to their masters
    with; ``check``: of the account `check` looks with; ``service``: of the services' own user (auth_token);
    ``admin``: of Keystone's first administrator."""

    database: SecretStr
    replication: SecretStr
    check: SecretStr
    service: SecretStr
    admin: SecretStr


NAMES = tuple(item.name for item in fields(Secrets))


def to_be_filled_in() -> Secrets:
    """Words to replace by hand where the passwords have to go."""
    return Secrets(*(SecretStr(_WAITING.format(name=name)) for name in NAMES))


def read(path: Path) -> Secrets:
    """A YAML mapping of passwords by name, readable by its owner only.

    Raises multisite.domain.errors.Invalid, whose text never holds a value.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise Invalid(f"{path}: others may read it: chmod 600 {path}")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        # Without its cause: a YAML error quotes the line, which holds a password.
        raise Invalid(f"{path}: is not YAML: write '<name>: <password>' lines") from None
    if not isinstance(content, dict):
        raise Invalid(f"{path}: is no mapping: write '<name>: <password>' lines for {', '.join(NAMES)}")
    unknown = [name for name in content if name not in NAMES]
    # As Python writes it: a name is whatever somebody typed.
    shown = [name if isinstance(name, str) and name.isidentifier() else ascii(name) for name in unknown]
    problems = [f"{path}: {name:.100}: is no password we know: remove it" for name in shown]
    for name in NAMES:
        value = content.get(name)
        if value is None:
            problems.append(f"{path}: {name}: is missing: add it")
        elif not isinstance(value, str) or not _ALLOWED.fullmatch(value):
            problems.append(f"{path}: {name}: give 8 to 128 letters, digits and _.~+=/-")
    if problems:
        raise Invalid("\n".join(problems))
    return Secrets(**{name: SecretStr(content[name]) for name in NAMES})
